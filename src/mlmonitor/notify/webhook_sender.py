"""Make one attempt to deliver an event: send a request, and classify the answer."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple

from mlmonitor.capture.trace_context import suppress_instrumentation
from mlmonitor.notify.cloudevents import CONTENT_TYPE, CloudEvent
from mlmonitor.notify.webhook import Webhook

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 600.0
"""Longest pause that an answer may ask for, in seconds."""


class Attempt(NamedTuple):
    """The outcome of one request: `delivered`, `refused` (final), or `failed` (may be repeated).

    reason: contains no URL, header or text of an answer. wait_seconds: the pause that the receiver
    asked for.
    """

    outcome: Literal["delivered", "refused", "failed"]
    reason: str = ""
    wait_seconds: float = 0.0


class WebhookSender:
    """Posts events to one webhook; failures of the server or network are not raised."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._session: Any = None

    def send(self, event: CloudEvent) -> Attempt:
        """Send one event; read only the status and headers of the answer."""
        from requests import RequestException

        if self._session is None:
            self._session = self._open()
        webhook, seconds = self._webhook, self._webhook.timeout_seconds
        try:
            with suppress_instrumentation():
                response = self._session.post(
                    webhook.url.revealed(),
                    data=event.body,
                    headers=self._make_headers(event),
                    timeout=(seconds, seconds),
                    allow_redirects=False,
                    stream=True,
                )
            response.close()
        except (RequestException, OSError, ValueError) as error:
            # The message of the error is not quoted, because it contains the URL.
            return Attempt("failed", f"no answer ({type(error).__name__})")
        return read_answer(response.status_code, response.headers, now=time.time())

    def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            self._session.close()

    def _make_headers(self, event: CloudEvent) -> dict[str, str]:
        seconds = int(time.time())
        webhook = self._webhook
        headers = {name: value.revealed() for name, value in webhook.headers.items()}
        headers |= {
            "Content-Type": CONTENT_TYPE,
            "webhook-id": event.id,
            "webhook-timestamp": str(seconds),
        }
        if webhook.keys is not None:
            headers["webhook-signature"] = webhook.keys.sign(event.id, seconds, event.body)
        return headers

    def _open(self) -> Any:
        import requests

        session = requests.Session()
        session.auth = _keep_headers
        session.headers["User-Agent"] = "mlmonitor"
        url = self._webhook.url.revealed()
        # Read only once: later REQUESTS_CA_BUNDLE would override the webhook's ca_file.
        settings = session.merge_environment_settings(url, {}, None, self._webhook.ca_file, None)
        session.trust_env = False
        session.proxies, session.verify = settings["proxies"], settings["verify"]
        if self._webhook.proxy is not None:
            session.proxies = dict.fromkeys(("http", "https"), self._webhook.proxy.revealed())
        return session


def read_answer(status: int, headers: Mapping[str, str], *, now: float) -> Attempt:
    """Classify an answer; `now` is in seconds since 1970."""
    if 200 <= status < 300:
        return Attempt("delivered")
    reason = f"answered {status}"
    if status not in _TRANSIENT:
        return Attempt("refused", reason)
    return Attempt("failed", reason, _read_wait(headers.get("Retry-After", ""), now))


def _read_wait(text: str, now: float) -> float:
    """Return the seconds that `Retry-After` asks for, as a number or a date; 0 if invalid."""
    try:
        seconds = float(text) if text.strip().isdecimal() else _count_seconds_until(text, now)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _count_seconds_until(text: str, now: float) -> float:
    return parsedate_to_datetime(text).timestamp() - now if text else 0.0


def _keep_headers(request: Any) -> Any:
    """Return the request unchanged; without an `auth`, `requests` would read `.netrc`."""
    return request
