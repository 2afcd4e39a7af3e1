"""Numbered requests for an export: any thread makes them, the worker's thread answers them."""

import threading


class FlushRequests:
    """Requests for an export by the host's threads, and the answers of the worker's thread."""

    def _reset_requests(self) -> None:
        """Create the state that belongs to this process alone."""
        self._wake = threading.Condition()
        self._requested = 0  # number of the last requested flush, see `_answered`
        self._answered = 0  # number of the last completed flush
        self._is_delivered = True
        self._limit_seconds = 2.0  # how long the newest request waits

    def _request_flush(self, timeout_seconds: float) -> int:
        """Ask the worker's thread for an export within this time; return the request's number."""
        with self._wake:
            self._limit_seconds = timeout_seconds
            self._requested += 1
            self._wake.notify_all()
            return self._requested

    def _wait_for_flush(self, asked: int, timeout_seconds: float) -> bool:
        with self._wake:
            self._limit_seconds = timeout_seconds
            done = self._wake.wait_for(lambda: self._answered >= asked, timeout_seconds)
            return done and self._is_delivered

    def _await_request(self, timeout_seconds: float) -> int:
        """Wait for a request, for at most this time; return the number of the newest request."""
        with self._wake:
            if self._requested == self._answered:
                self._wake.wait(timeout_seconds)
            return self._requested

    def _answer_request(self, asked: int, *, is_delivered: bool) -> None:
        """Wake the threads that wait for this flush or for an earlier one."""
        with self._wake:
            if asked > self._answered:
                self._answered, self._is_delivered = asked, is_delivered
                self._wake.notify_all()
