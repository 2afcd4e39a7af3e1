"""`mlmonitor backtest`: the alerts that given settings would have fired in a past period."""

import argparse
import json
from datetime import UTC, datetime
from itertools import product
from typing import Any

from mlmonitor.cli.exit_status import OK
from mlmonitor.cli.store.store_command import open_database
from mlmonitor.cli.store.stored_model_options import add_stored_model, find_stored_model
from mlmonitor.config import Config
from mlmonitor.reference.reference import Reference
from mlmonitor.store.backtest import BacktestResult, backtest

_SHOWN_ALERTS = 20


def add_command(commands: Any) -> None:
    """Add `backtest` with its options."""
    parser = commands.add_parser("backtest", help="which alerts a past period would have fired")
    parser.description = (
        "Compares the stored predictions of a period with a reference, in the order of their "
        "times, once for each combination of settings. Use it to choose alpha and tolerances "
        "from your own past. A reference can be fitted to an earlier period by `mlmonitor "
        "reference fit --from-store`."
    )
    add_stored_model(parser)
    parser.add_argument("--reference", required=True, help="file of a saved reference")
    parser.add_argument("--alpha", type=float, action="append", help="repeatable")
    parser.add_argument("--drift-tolerance", type=float, action="append", help="repeatable")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    reference = Reference.load(options.reference)
    default = Config()
    settings = {
        f"alpha={alpha:g} drift_tolerance={tolerance:g}": Config(
            alpha=alpha, drift_tolerance=tolerance
        )
        for alpha, tolerance in product(
            options.alpha or [default.alpha],
            options.drift_tolerance or [default.drift_tolerance],
        )
    }
    with open_database(options) as connection:
        stored = find_stored_model(connection, options)
        results = backtest(connection, stored, reference, settings)
    if options.json:
        print(
            json.dumps({name: _make_document(result) for name, result in results.items()}, indent=2)
        )
        return OK
    for name, result in results.items():
        fired = _count_alerts(result.fired)
        print(f"{name}: {result.rows:,} rows, {fired} fired, {len(result.open)} open")
        for alert in result.fired[:_SHOWN_ALERTS]:
            print(f"  {datetime.fromtimestamp(alert.started_at, UTC):%Y-%m-%d %H:%M}  {alert}")
        hidden = len(result.fired) - _SHOWN_ALERTS
        if hidden > 0:
            print(f"  and {hidden} more")
    return OK


def _count_alerts(alerts: list[Any]) -> str:
    return "1 alert" if len(alerts) == 1 else f"{len(alerts)} alerts"


def _make_document(result: BacktestResult) -> dict[str, Any]:
    return {
        "rows": result.rows,
        "open": len(result.open),
        "alerts": [
            {
                "time": datetime.fromtimestamp(alert.started_at, UTC).isoformat(),
                "state": alert.state,
                "field": alert.field,
                "role": alert.role.value,
                "segment": alert.segment,
                "measure": alert.measure,
                "value": alert.value,
                "rows": alert.rows,
            }
            for alert in result.alerts
        ],
    }
