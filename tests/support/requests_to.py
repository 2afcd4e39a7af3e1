"""Send requests to a service under test at a fixed rate, each on a new connection."""

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

THREADS = 8
TIMEOUT_SECONDS = 60.0


class Answer(NamedTuple):
    """The time at which an answer had arrived, in seconds since 1970, and the process' id."""

    time: float
    process: int


class Answers(NamedTuple):
    """All answers, and the number of requests without an answer."""

    given: list[Answer]
    unanswered: int

    @property
    def total(self) -> int:
        """The number of answered requests."""
        return len(self.given)

    @property
    def processes(self) -> set[int]:
        """The ids of the processes that answered."""
        return {answer.process for answer in self.given}


def ask(port: int, amount: int) -> int | None:
    """Request one prediction; return the id of the answering process, None without an answer."""
    request = f"GET /?amount={amount} HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection:
            connection.sendall(request.encode())
            with connection.makefile("rb") as stream:
                head, _, body = stream.read().partition(b"\r\n\r\n")
    except OSError:
        return None
    if not head.startswith(b"HTTP/1.1 200") or b" " not in body:
        return None
    return int(body.split()[1])


def ask_many(
    port: int,
    requests: int,
    *,
    rate: float = 1e9,
    seconds: float = 120.0,
    amounts: Sequence[int] = range(100),
) -> Answers:
    """Send `requests` requests, at most `rate` per second; late requests catch up.

    The amounts are used in turn. On a slow machine it ends after `seconds`, with fewer requests.
    """
    began = time.monotonic()

    def share(first: int) -> list[Answer | None]:
        answers: list[Answer | None] = []
        for at in range(first, requests, THREADS):
            time.sleep(max(began + at / rate - time.monotonic(), 0))
            if time.monotonic() > began + seconds:
                break
            process = ask(port, amounts[at % len(amounts)])
            answers.append(None if process is None else Answer(time.time(), process))
        return answers

    with ThreadPoolExecutor(THREADS) as pool:
        answers = [answer for part in pool.map(share, range(THREADS)) for answer in part]
    given = [answer for answer in answers if answer is not None]
    return Answers(given, len(answers) - len(given))
