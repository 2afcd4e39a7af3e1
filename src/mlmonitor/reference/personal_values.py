"""Recognise texts whose form shows that they identify a person or a device."""

import re
from collections.abc import Collection
from ipaddress import ip_address

_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.\w{2,}")
_UUID = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{8}(-?)[0-9a-f]{4}(\1[0-9a-f]{4}){3}[0-9a-f]{8}")
_IBAN = re.compile(
    r"(?i)(?<![0-9a-z])[a-z]{2}\d{2}(?:[ -]?[0-9a-z]{4}){2,7}(?:[ -]?[0-9a-z]{1,3})?\b"
)
_IPV4 = re.compile(r"(?<![\w.:])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")
_IPV6 = re.compile(r"(?i)(?<![\w.:])[0-9a-f]{0,4}:[0-9a-f:.]*:[0-9a-f:.]*(?![\w.:])")
_NUMBER = re.compile(r"(?<![\w.,-])(?:\(?\+|\(|(?=\d))[\d() ./-]*\d(?![\w,]|\.\d)")
_DATE = re.compile(r"\d{4}[-./]\d{1,2}([-./]\d{1,2})?(?!\d)|\d{1,2}([-./])\d{1,2}\2\d{4}(?!\d)")
_THOUSANDS = re.compile(r"\d{1,3}( \d{3})+(\.\d+)?|\d{1,3}(\.\d{3})+")
_DECIMAL = re.compile(r"\d+\.\d*")
_GROUPS = re.compile(r"\d+")

_PHONE_DIGITS = range(7, 20)
_PLAIN_PHONE_DIGITS = range(9, 13)
"""Digits of a phone number without a separator: few codes and amounts are as long."""

_CARD_DIGITS = range(13, 20)
_IBAN_DIGITS = 6
_SHORTEST_ADDRESS = 6


def is_personal(text: str) -> bool:
    """Whether a text contains an e-mail or IP address, a phone, card or account number, or a UUID.

    Promise: only the form decides, so a value always gets the same answer. Dates, decimal numbers,
        amounts with thousands separators, ranges and version numbers are not personal.
    Price: about 0.5 us for a text without digits, 5 us for a text with digits.
    """
    if "@" in text and _EMAIL.search(text):
        return True
    if not any(map(str.isdigit, text)):
        return False
    return (
        bool(_UUID.search(text))
        or any(_is_account(match[0]) for match in _IBAN.finditer(text))
        or any(_is_address(match[0]) for match in _IPV4.finditer(text))
        or any(_is_address(match[0]) for match in _IPV6.finditer(text))
        or any(_is_number(match[0]) for match in _NUMBER.finditer(text))
    )


def personal_names(names: Collection[str]) -> frozenset[str]:
    """Return the names whose form identifies a person or a device."""
    return frozenset(name for name in names if is_personal(name))


def _is_account(text: str) -> bool:
    return sum(character.isdigit() for character in text[2:]) >= _IBAN_DIGITS


def _is_address(text: str) -> bool:
    if len(text) < _SHORTEST_ADDRESS:
        return False  # such as ::1, or a C++ name
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_number(text: str) -> bool:
    """Whether digits with their separators read as a phone, card or registration number."""
    groups = _GROUPS.findall(text)
    digits = sum(map(len, groups))
    if text.startswith(("+", "(+")) or (text.startswith("(") and len(groups) > 1):
        return digits in _PHONE_DIGITS
    if _DATE.match(text) or _THOUSANDS.fullmatch(text) or _DECIMAL.fullmatch(text):
        return False
    if len(groups) == 1:
        return digits in _PLAIN_PHONE_DIGITS or (digits in _CARD_DIGITS and _is_card(groups[0]))
    return digits in _PHONE_DIGITS and _is_grouped_as_phone(text, [len(group) for group in groups])


def _is_card(digits: str) -> bool:
    """Whether the last digit is the Luhn checksum of the others (ISO/IEC 7812-1)."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0


def _is_grouped_as_phone(text: str, sizes: list[int]) -> bool:
    """Whether digits are grouped as in a phone or card number, not as in a range or version."""
    if len(sizes) == 2:
        return text.startswith("0") or sizes == [3, 4]
    if "." in text:
        return text.startswith("0") or sizes == [3, 3, 4]
    return sum(sizes) >= _PLAIN_PHONE_DIGITS.start
