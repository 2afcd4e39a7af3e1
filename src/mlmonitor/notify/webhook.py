"""The options of a webhook, which receives events over HTTP."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any
from urllib.parse import urlsplit

from mlmonitor.errors import ConfigError
from mlmonitor.formatting import describe_kind
from mlmonitor.notify.cloudevents import KINDS, NoticeKind
from mlmonitor.notify.signature import SigningKeys
from mlmonitor.secret import Secret, check_header_text

_OWN_HEADERS = ("content-type", "webhook-id", "webhook-timestamp", "webhook-signature")


class Webhook:
    """Posts alerts, incidents, verdicts and decided challenges to a URL, as CloudEvents in JSON.

    Each request has the headers `webhook-id`, `webhook-timestamp` and, with a secret,
    `webhook-signature` of the Standard Webhooks scheme, so that libraries of this scheme can verify
    it. If there is no answer, or one that may be temporary such as 503, the event is sent again
    with the same id and growing pauses, until it is `retry_seconds` old. A redirect, or an answer
    such as 400 or 404, is final.

    Promise: a separate thread sends, which starts with the first event. At most 1,000 events wait;
        beyond that, the oldest are dropped and counted in `status().notifications`. The path of
        the URL and the secret are never shown.

    Args:
        url: the URL of the receiver. Proxies and certificates are read from the variables that
            `requests` reads: `HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`.
        secret: `whsec_` and a key in base64, or the key itself; during a rotation a list of them,
            newest first. None means that requests are not signed.
        events: the kinds of events that are sent.
        headers: additional headers, such as an authorization.
        timeout_seconds: how long to wait for a connection, and for an answer.
        retry_seconds: the age at which an event is given up.
        ca_file: certificates to trust instead of the default.
        proxy: the URL of a proxy to use instead of the environment's.

    Raises:
        ConfigError: an option is invalid; the message never quotes the URL or the secret.
    """

    def __init__(  # noqa: PLR0913 - options that a user sets once, by name
        self,
        url: str,
        *,
        secret: str | bytes | Sequence[str | bytes] | None = None,
        events: Sequence[NoticeKind] = KINDS,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 5.0,
        retry_seconds: float = 3_600.0,
        ca_file: str | PathLike[str] | None = None,
        proxy: str | None = None,
    ) -> None:
        self.host: str = _check_url(url)
        self.url: Secret = Secret(url)
        self.keys: SigningKeys | None = None if secret is None else SigningKeys(secret)
        self.events: tuple[NoticeKind, ...] = _check_events(events)
        self.headers: dict[str, Secret] = _check_headers(headers or {})
        self.timeout_seconds: float = _check_seconds("timeout_seconds", timeout_seconds, 300)
        self.retry_seconds: float = _check_seconds("retry_seconds", retry_seconds, 7 * 86_400)
        self.ca_file: str | None = None if ca_file is None else fspath(ca_file)
        self.proxy: Secret | None = None if proxy is None else Secret(proxy)

    @property
    def name(self) -> str:
        """The name under which `status().notifications` counts its events."""
        return f"webhook {self.host}"

    def __repr__(self) -> str:
        signed = "unsigned" if self.keys is None else "signed"
        return f"Webhook({self.host!r}, {signed}, events={list(self.events)})"


def check_notify(notify: Sequence[Any]) -> tuple[Webhook, ...]:
    """Check the argument `notify` of a monitor, and return its webhooks.

    Raises:
        ConfigError: `notify` is not a list of webhooks.
    """
    expected = "notify: expected a list of webhooks, such as [Webhook(url)], got"
    if not isinstance(notify, list | tuple):
        raise ConfigError(f"{expected} {describe_kind(notify)}")
    for webhook in notify:
        if not isinstance(webhook, Webhook):
            raise ConfigError(f"{expected} a list that holds {describe_kind(webhook)}")
    return tuple(notify)


def _check_url(url: object) -> str:
    """Check a URL, and return its host and port; raise ConfigError if it is invalid."""
    expected = "url: expected an address such as 'https://example.com/hooks/1'"
    if not isinstance(url, str):
        raise ConfigError(f"{expected}, got {type(url).__name__}")
    check_header_text("url", url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(expected) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or " " in url:
        raise ConfigError(expected)
    if parts.username is not None:
        raise ConfigError("url: pass credentials in headers, such as {'Authorization': ...}")
    return parts.hostname if port is None else f"{parts.hostname}:{port}"


def _check_events(events: Sequence[Any]) -> tuple[NoticeKind, ...]:
    if isinstance(events, str) or not events or not all(kind in KINDS for kind in events):
        raise ConfigError(f"events: expected some of {', '.join(KINDS)}")
    return tuple(dict.fromkeys(events))


def _check_headers(headers: Mapping[str, str]) -> dict[str, Secret]:
    checked = {}
    for name, value in headers.items():
        if str(name).lower() in _OWN_HEADERS:
            raise ConfigError(f"headers: {name} is set by the webhook itself: leave it out")
        check_header_text("headers", str(name))
        check_header_text(f"headers: {name}", value)
        checked[str(name)] = Secret(value)
    return checked


def _check_seconds(option: str, seconds: Any, most: float) -> float:
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not math.isfinite(seconds) or not 0 < seconds <= most:
        raise ConfigError(f"{option}: expected more than 0 and at most {most:g} seconds")
    return float(seconds)
