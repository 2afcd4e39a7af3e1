"""Texts whose form identifies a person or a device."""

import pytest

from mlmonitor.reference.personal_values import is_personal

PERSONAL = (
    "mary@example.com",
    "Mary <mary.smith+news@mail.example.co.uk>",
    "+49 170 1234567",
    "+14155552671",
    "(+49) 170 123 45 67",
    "tel:+4917012345678",
    "+49(0)30/1234567",
    "(555) 123-4567",
    "555-0100",
    "555.123.4567",
    "5551234567",
    "1-800-555-0199",
    "0170-1234567",
    "030 1234567",
    "020 7946 0958",
    "06 12 34 56 78",
    "call +1-202-555-0143 today",
    "123-45-6789",
    "4111 1111 1111 1111",
    "4111111111111111",
    "4111-1111-1111-1111",
    "NL91ABNA0417164300",
    "NL91 ABNA 0417 1643 00",
    "DE89370400440532013000",
    "192.168.0.1",
    "192.168.0.1:8080",
    "2001:db8::1",
    "fe80::1ff:fe23:4567:890a",
    "550e8400-e29b-41d4-a716-446655440000",
    "550e8400e29b41d4a716446655440000",
    "{550E8400-E29B-41D4-A716-446655440000}",
)
IMPERSONAL = (
    *("motor", "FR ", "v1.2.3", "3.11.4", "ICD-10", "AB12CD34", "a::b", "std::vector", "true", ""),
    *("2024-01-01", "2024-01-01T10:11:12.123456+00:00", "2024-01", "01.02.2024", "12/31/2024"),
    *("10:30", "10:30:00.5", "0 days 00:00:00", "P1DT2H"),
    *("9007199254740992", "9007199254740993", "1152921504606846976"),
    *("12345", "1000000", "12345678", "1234.5", "123456789.25", "0.123456789012", "1e-10", "-0.5"),
    *("1.000.000", "1 000 000", "GBP 1,000,000", "10000-50000", "1000 - 2000", "18-25"),
    *("(0.5, 1.5]", "(10000.0, 50000.0]", "[2020-01-01, 2021-01-01)", "1/3"),
    *("12345-6789", "114.0.5735.199", "10.0.19041", "Chrome 114.0.5735.199", "Line 5 - 6 - 7"),
)


@pytest.mark.parametrize("text", PERSONAL)
def test_addresses_and_numbers_of_persons_are_recognised(text: str) -> None:
    """They are recognised alone and within a longer text."""
    assert is_personal(text)
    assert is_personal(f"see {text}")


@pytest.mark.parametrize("text", IMPERSONAL)
def test_names_dates_amounts_ranges_and_versions_are_not_personal(text: str) -> None:
    """Such texts are ordinary categories, which must not be withheld."""
    assert not is_personal(text)
