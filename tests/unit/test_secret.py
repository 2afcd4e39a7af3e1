"""Credentials are sent unchanged, and shown nowhere."""

import copy
import os
import pickle
from pathlib import Path

import pytest

from mlmonitor import ConfigError
from mlmonitor.export.transport.credentials import check_dynatrace_token
from mlmonitor.secret import WITHHELD, Secret, SecretFile, redact

TOKEN = "dt0c01.A.B"  # noqa: S105 - of no account


def test_a_secret_is_readable_only_by_the_code_that_sends_it() -> None:
    """Encoding returns it; no way of printing does."""
    secret = Secret("hunter2").after("Bearer ")
    assert secret.encode() == b"Bearer hunter2"
    assert secret.revealed() == "Bearer hunter2"
    assert type(secret.revealed()) is str
    shown = (
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>30}",
        "%s" % secret,  # noqa: UP031 - one way more
        repr([secret]),
    )
    assert not any("hunter2" in text for text in shown)
    assert repr(Secret("")) == repr(secret)


def test_a_secret_cannot_be_pickled() -> None:
    """A copy that uses the same protocol must not reveal it either."""
    for write in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            write(Secret("hunter2"))


def test_a_secret_is_removed_from_the_answer_of_a_server() -> None:
    """Servers may repeat what they were sent; an empty secret removes nothing."""
    secrets = [Secret("hunter2hunter2"), Secret("")]
    assert redact("who is hunter2hunter2?", secrets) == "who is ***?"
    assert redact("no key abcdefgh1", [Secret("Bearer abcdefgh1")]) == "no key ***"


@pytest.mark.parametrize("short", ["1", "5", "e", "hunter2"])
def test_a_text_with_a_short_secret_is_withheld_as_a_whole(short: str) -> None:
    """Masking a tenant called "1" inside 150000 would reveal it."""
    text = "limit of 150000 exceeded by hunter2"
    assert redact(text, [Secret(short)]) == WITHHELD
    assert redact("all is fine", [Secret("hunter2"), Secret("1")]) == "all is fine"


def test_a_rotated_token_is_read_when_its_file_changes(tmp_path: Path) -> None:
    """Mounted secrets are replaced so; while the file is missing, the last token is used."""
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    source = SecretFile(path, check_dynatrace_token)
    assert source() == TOKEN
    path.write_text("dt0c01.C.DD")
    os.utime(path, ns=(1, 1))
    assert source() == "dt0c01.C.DD"
    path.unlink()
    assert source() == "dt0c01.C.DD"
    assert "dt0c01" not in repr(source)


@pytest.mark.parametrize("content", [b"", b"hunter2", b"\xff\xfe", None])
def test_a_file_without_a_token_is_refused_at_once(tmp_path: Path, content: bytes | None) -> None:
    """The error does not repeat the content of the file."""
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="token") as caught:
        SecretFile(path, check_dynatrace_token)
    assert "hunter2" not in str(caught.value)
