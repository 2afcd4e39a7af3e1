"""Requests to a service under test, at a fixed rate, each on a connection of its own."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

THREADS = 8
TIMEOUT_SECONDS = 20.0


class Answers(NamedTuple):
    """How many requests each process of the service answered, and how many got no answer."""

    by_process: dict[int, int]
    unanswered: int

    @property
    def total(self) -> int:
        """All requests answered."""
        return sum(self.by_process.values())


def ask(port: int, amount: int) -> int | None:
    """Ask for one prediction; which process gave it, or None where none arrived whole."""
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


def ask_many(port: int, requests: int, *, rate: float = 1e9) -> Answers:
    """Ask so many times, at most `rate` a second; late requests catch up."""
    began = time.monotonic()

    def share(first: int) -> list[int | None]:
        answers = []
        for at in range(first, requests, THREADS):
            time.sleep(max(began + at / rate - time.monotonic(), 0))
            answers.append(ask(port, at % 100))
        return answers

    by_process: dict[int, int] = {}
    unanswered = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for answers in pool.map(share, range(THREADS)):
            for process in answers:
                if process is None:
                    unanswered += 1
                else:
                    by_process[process] = by_process.get(process, 0) + 1
    return Answers(by_process, unanswered)
