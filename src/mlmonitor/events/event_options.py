"""Options that limit what an event log sends."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self, get_args
from zlib import crc32

from mlmonitor.errors import ConfigError
from mlmonitor.formats.events import clean_text
from mlmonitor.secret import Secret

IdForm = Literal["hashed", "plain"]
_DIGITS = 32
_WHOLE = 1 << 32


@dataclass(frozen=True)
class EventOptions:
    """Which predictions and fields are sent, and in which form.

    redact: fields that are never sent. hashed: fields that are sent as hashes. fields: the only
    fields that are sent, or None for all. sample: the share of predictions that are sent. They are
    chosen by their ids, so that a prediction and its labels are sent together or not at all. ids:
    the form of prediction ids that the caller gave. hash_key: makes hashes HMACs, so that values
    cannot be guessed without the key.
    """

    redact: frozenset[str] = frozenset()
    hashed: frozenset[str] = frozenset()
    fields: frozenset[str] | None = None
    sample: float = 1.0
    ids: IdForm = "hashed"
    hash_key: Secret | None = None

    @classmethod
    def check(
        cls,
        *,
        redact: Sequence[str],
        hashed: Sequence[str],
        fields: Sequence[str] | None,
        sample: object,
        ids: object,
        hash_key: object,
    ) -> Self:
        """Check and build the options.

        Raises:
            ConfigError: an option is invalid, or a field is both redacted and hashed.
        """
        if isinstance(sample, bool) or not isinstance(sample, int | float) or not 0 < sample <= 1:
            raise ConfigError("sample: expected a share above 0 and at most 1, such as 0.1")
        if ids not in get_args(IdForm):
            raise ConfigError("ids: expected 'hashed' or 'plain'")
        if not isinstance(hash_key, str | None) or hash_key == "":
            raise ConfigError("hash_key: expected a text, or None")
        withheld, as_hash = _check_names("redact", redact), _check_names("hash", hashed)
        if withheld & as_hash:
            raise ConfigError("hash: expected fields that are not in redact as well")
        return cls(
            redact=withheld,
            hashed=as_hash,
            fields=None if fields is None else _check_names("fields", fields),
            sample=float(sample),
            ids="plain" if ids == "plain" else "hashed",
            hash_key=None if hash_key is None else Secret(hash_key),
        )

    def check_fields(self, names: Iterable[str]) -> None:
        """Check that the options name only fields of the model: a typo could disclose values.

        Raises:
            ConfigError: a name is not in `names`; the message suggests a similar name.
        """
        from difflib import get_close_matches  # slow to import and rarely needed

        expected = sorted(set(names))
        groups = {"redact": self.redact, "hash": self.hashed, "fields": self.fields or ()}
        for option, chosen in groups.items():
            for name in sorted(set(chosen) - set(expected)):
                similar = get_close_matches(name, expected, n=1)
                hint = f": did you mean {similar[0]!r}?" if similar else ""
                raise ConfigError(
                    f"{option}: expected names of features, outputs or 'actual' of the reference, "
                    f"got {name!r}{hint}"
                )

    def has_field(self, name: str) -> bool:
        """Whether the options allow a field to be sent."""
        return name not in self.redact and (self.fields is None or name in self.fields)

    def has_prediction(self, prediction_id: str) -> bool:
        """Whether a prediction is in the sample, which depends only on its id."""
        chance = crc32(prediction_id.encode("utf-8", "backslashreplace")) / _WHOLE
        return self.sample == 1.0 or chance < self.sample

    def hash_text(self, text: str) -> str:
        """Return 128 bits of the SHA-256 of a text, or of its HMAC-SHA-256 if there is a key."""
        data = text.encode("utf-8", "backslashreplace")
        if self.hash_key is None:
            return f"sha256:{hashlib.sha256(data).hexdigest()[:_DIGITS]}"
        key = self.hash_key.revealed().encode()
        return f"hmac:{hmac.digest(key, data, 'sha256').hex()[:_DIGITS]}"

    def id_form(self, prediction_id: str) -> str:
        """Return a prediction id in the form in which it is sent.

        An id that this library made is never hashed: it is a UUID without meaning.
        """
        if self.ids == "plain":
            return clean_text(prediction_id)
        return prediction_id if is_library_id(prediction_id) else self.hash_text(prediction_id)


_match_library_id = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(-[0-9]{1,9})?"
).fullmatch


def is_library_id(identity: str) -> bool:
    """Whether this is a version 7 UUID, perhaps followed by the index of a row in a batch."""
    return _match_library_id(identity) is not None


def _check_names(option: str, names: object) -> frozenset[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigError(f"{option}: expected a list of names of fields")
    listed = list(names)
    if not all(isinstance(name, str) for name in listed):
        raise ConfigError(f"{option}: expected a list of names of fields")
    return frozenset(listed)
