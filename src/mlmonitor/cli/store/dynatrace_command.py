"""`mlmonitor store dynatrace`: write the files that let Dynatrace query the store by SQL."""

import argparse
import json
from pathlib import Path
from typing import Any

from mlmonitor.cli.exit_status import OK
from mlmonitor.store.dynatrace_sql import (
    endpoints,
    field_queries,
    kpi_queries,
    model_queries,
    read_extension,
)


def add_dynatrace(commands: Any) -> None:
    """Add `store dynatrace` with its options."""
    parser = commands.add_parser("dynatrace", help="queries of single numbers for Dynatrace")
    parser.description = (
        "Writes extension.yaml for Extensions 2.0, and endpoints.json for the old extension "
        "'Generic DB Query', at most ten queries per endpoint."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--model-version", default="")
    parser.add_argument("--field", action="append", default=[], help="a numeric feature")
    parser.add_argument("--kpi", action="append", default=[], help="a business figure")
    parser.set_defaults(run=_write)


def _write(options: argparse.Namespace) -> int:
    model, version = options.model, options.model_version
    configurations = [*endpoints(f"{model} {version}".strip(), model_queries(model, version))]
    for field in options.field:
        configurations += endpoints(f"{model} {field}", field_queries(model, version, field))
    configurations += endpoints(f"{model} figures", kpi_queries(model, version, options.kpi))
    options.folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(configurations, indent=2, ensure_ascii=False) + "\n"
    for name, content in (("endpoints.json", text), ("extension.yaml", read_extension())):
        (options.folder / name).write_text(content, encoding="utf-8")
        print(f"written  {options.folder / name}")
    return OK
