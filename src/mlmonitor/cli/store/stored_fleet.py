"""The rows of all processes of a model, from the sums in the store."""

import argparse
import os
import time

from mlmonitor import options as resolving
from mlmonitor.cli.store.store_command import open_database
from mlmonitor.cli.store.stored_model_options import find_stored_model
from mlmonitor.errors import ConfigError
from mlmonitor.present.views.view_options import ModelReading
from mlmonitor.profiling.counting_plan import resolve_time
from mlmonitor.profiling.round_comparison import compare_rounds
from mlmonitor.profiling.row_profile import Profile, wrap_content
from mlmonitor.reference.reference import Reference
from mlmonitor.status.build import build_status
from mlmonitor.store.stored_rounds import read_rounds

_FRESH_SECONDS = 15.0


class StoredFleet:
    """The stored rows of a model, grouped into rounds and compared with one reference."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._reference = Reference.load(options.reference)
        self._config = resolving.resolve_config(None, os.environ)
        self._newest: tuple[float, Profile, ModelReading] | None = None

    def read(self) -> ModelReading:
        """Compare the stored rows with the reference, as of the time of the newest round.

        Price: a query of all sums of the period, at most every 15 seconds.

        Raises:
            ConfigError: the database cannot be reached, or holds no sums for this reference.
        """
        if self._newest is None or time.monotonic() - self._newest[0] > _FRESH_SECONDS:
            profile, reading = self._compare()
            self._newest = time.monotonic(), profile, reading
        return self._newest[2]

    @property
    def newest(self) -> Profile:
        """The counts of the newest round; empty before the first `read`."""
        return Profile() if self._newest is None else self._newest[1]

    def _compare(self) -> tuple[Profile, ModelReading]:
        options = self._options
        with open_database(options) as connection:
            stored = find_stored_model(connection, options)
            reference, rounds = read_rounds(
                connection,
                stored,
                self._reference,
                span=options.by or "hour",
                config=self._config,
            )
        if not rounds:
            raise ConfigError("since, until: expected a period with stored predictions")
        snapshot = compare_rounds(
            rounds,
            reference,
            identity=(stored.model, stored.version),
            ignore=options.ignore,
            now=resolve_time(rounds[-1].last_at),
            config=self._config,
            with_history=True,
        )
        return wrap_content(rounds[-1]), ModelReading(snapshot, build_status(snapshot))
