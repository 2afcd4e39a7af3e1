"""Format PromQL templates over several lines, with PyPI's promql-parser."""

import re

import promql_parser

from mlmonitor.present.dashboards.promql_names import LABELS, METRIC_TOKEN

_LABEL = re.compile("<(" + "|".join(map(re.escape, LABELS)) + ")>")
_WIDTH = 90


def prettify(template: str) -> str:
    """Return the expression, broken into several lines if it is long."""
    tokens: list[str] = []

    def hide(match: re.Match[str]) -> str:
        token = match[0].removesuffix("{")
        if token not in tokens:
            tokens.append(token)
        return f"hidden_{tokens.index(token):03d}_" + ("{" if match[0].endswith("{") else "")

    hidden = _LABEL.sub(hide, METRIC_TOKEN.sub(hide, template))
    pretty = promql_parser.parse(hidden).prettify()
    for place, token in enumerate(tokens):
        name = f"hidden_{place:03d}_"
        if token.startswith("<mlmonitor."):  # the parser leaves empty braces out
            pretty = re.sub(name + r"(?!\{)", name + "{}", pretty)
        pretty = pretty.replace(name, token)
    one_line = " ".join(template.split())
    return one_line if len(one_line) <= _WIDTH else pretty
