"""Queries of Grafana's PostgreSQL data source, for which the builders have no type."""

from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models import common, dashboardv2

SOURCE = "grafana-postgresql-datasource"


def _spec(sql: str, *, is_table: bool) -> dict[str, object]:
    """Return a query in the form that the data source's editor stores."""
    return {
        "editorMode": "code",
        "format": "table" if is_table else "time_series",
        "rawQuery": True,
        "rawSql": sql,
    }


class SqlTarget(variants.Dataquery):
    """A target of the classic schema."""

    def __init__(self, payload: dict[str, object]) -> None:
        self._payload = payload

    def to_json(self) -> dict[str, object]:
        """Return the target as JSON."""
        return self._payload


class SqlQuery(builder.Builder[SqlTarget]):
    """Builds a target of the classic schema."""

    def __init__(
        self, sql: str, name: str, *, is_table: bool, source: common.DataSourceRef
    ) -> None:
        self._target = SqlTarget(
            {"datasource": source, "refId": name, **_spec(sql, is_table=is_table)}
        )

    def build(self) -> SqlTarget:
        """Return the target."""
        return self._target


class SqlQueryV2(builder.Builder[dashboardv2.DataQueryKind]):
    """Builds a query of schema v2."""

    def __init__(self, sql: str, *, is_table: bool) -> None:
        self._query = dashboardv2.DataQueryKind(
            group=SOURCE,
            datasource=dashboardv2.Dashboardv2DataQueryKindDatasource(name="${datasource}"),
            spec=_spec(sql, is_table=is_table),
        )

    def build(self) -> dashboardv2.DataQueryKind:
        """Return the query."""
        return self._query
