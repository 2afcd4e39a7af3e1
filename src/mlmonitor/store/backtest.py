"""Compare a past period again, to see which alerts other settings would have fired."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.traffic import Comparing
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.records import SOURCES, Declared, Role
from mlmonitor.reference.reference import Reference
from mlmonitor.store.event_rows import build_rows
from mlmonitor.store.stored_rows import StoredPredictions

_CHECK_ROWS = 1_000


@dataclass(slots=True)
class BacktestResult:
    """The number of rows compared under one setting, and all changes of alerts in their order."""

    rows: int = 0
    alerts: list[Alert] = field(default_factory=list)

    @property
    def fired(self) -> list[Alert]:
        """The alerts that fired, in order."""
        return [alert for alert in self.alerts if alert.state == "firing"]

    @property
    def open(self) -> list[Alert]:
        """The alerts that were still firing at the end of the period."""
        firing: dict[tuple[str, ...], Alert] = {}
        for alert in self.alerts:
            key = alert.field, alert.role.value, alert.segment, alert.measure
            if alert.state == "firing":
                firing[key] = alert
            else:
                firing.pop(key, None)
        return list(firing.values())


def backtest(
    connection: Any,
    stored: StoredPredictions,
    reference: Reference,
    settings: Mapping[str, Config],
    *,
    check_rows: int = _CHECK_ROWS,
) -> dict[str, BacktestResult]:
    """Compare the stored predictions of a period with a reference, under one or more settings.

    Drift and quality of every field, over all rows and by segment, are evaluated every `check_rows`
    rows as in a live service, with the times at which the rows were predicted. Fields that the log
    does not contain (texts, embeddings, withheld features) are left out.
    Price: about 15 us per setting for a row of 20 features; the rows are read once.

    Raises:
        ConfigError: there is no setting, or the log contains no field of the reference.
    """
    if not settings:
        raise ConfigError("settings: expected at least one")
    kept = drop_absent(reference, stored.withheld(connection))
    replays = {name: _Replay(kept, config, stored) for name, config in settings.items()}
    for events in stored.read(connection, chunk_rows=check_rows):
        for replay in replays.values():
            replay.update(events)
    return {name: replay.result for name, replay in replays.items()}


def drop_absent(reference: Reference, withheld: Sequence[str]) -> Reference:
    """Return a reference without the features whose values the log does not contain.

    Raises:
        ConfigError: no field is left.
    """
    names = {f.name for f in reference.fields if f.role is Role.FEATURE and f.kind in SOURCES}
    kept = reference.without(names | set(withheld))
    if not kept.monitored:
        raise ConfigError("reference: expected a field that the log holds")
    return kept


class _Replay:
    """The replay of a period under one setting."""

    def __init__(self, reference: Reference, config: Config, stored: StoredPredictions) -> None:
        options = ComparisonOptions.from_config(config)
        declared = Declared(segments=reference.segments)
        now = stored.since.timestamp()
        self._comparing = Comparing.begin(reference, options, declared, now=now)
        fields = reference.fields
        self._outputs = [f.name for f in fields if f.role is Role.PREDICTION]
        self.result = BacktestResult()

    def update(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Count a chunk of rows, and evaluate at the time of its last row."""
        now = float(events[-1]["at"])
        comparing = self._comparing
        rows = build_rows(events, self._outputs, with_derived=False)
        comparing.update(rows, None, now=now)
        self.result.rows += len(events)
        self.result.alerts += comparing.population.evaluate(now=now)
        if comparing.segmentation is not None:
            for population in comparing.segmentation.split.populations:
                self.result.alerts += population.evaluate(now=now)
