"""Create the database user with which Grafana reads the event store's aggregates, and only them."""

import os

import psycopg
from psycopg import sql

USER = "grafana"


def main() -> None:
    """Create the user if it does not exist, and set its password."""
    password = os.environ["GRAFANA_DATABASE_PASSWORD"]
    with psycopg.connect(os.environ["MLMONITOR_DATABASE"], autocommit=True) as connection:
        user = sql.Identifier(USER)
        role = connection.execute("select 1 from pg_roles where rolname = %s", (USER,)).fetchone()
        if role is None:
            connection.execute(sql.SQL("create role {}").format(user))
        statement = sql.SQL("alter role {} login password {}")
        connection.execute(statement.format(user, sql.Literal(password)))
        connection.execute(sql.SQL("grant mlmonitor_reader to {}").format(user))


if __name__ == "__main__":
    main()
