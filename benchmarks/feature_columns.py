"""How best to store features in PostgreSQL: jsonb, an array or typed columns, by binary COPY.

Prints a table; docs/guides/event_store.md shows it and the decision.
"""

import json
import shutil
import struct
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from loader import Database
from mlmonitor.store.database import connect

ROWS, FEATURES = 100_000, [f"feature_{place}" for place in range(20)]
HEAD, END = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"
FIXED = "event_id uuid, time timestamptz, prediction_id text, prediction float8"
WAYS = {
    "jsonb": "features jsonb",
    "double precision[]": "features float8[]",
    "20 typed columns": ", ".join(f"{name} float8" for name in FEATURES),
}
AVERAGES = {
    "jsonb": "(features ->> 'feature_7')::float8",
    "double precision[]": "features[8]",
    "20 typed columns": "feature_7",
}


def encode_features(way: str, numbers: Sequence[float]) -> list[bytes]:
    """Encode the features of one row for COPY, as one or several columns."""
    if way == "jsonb":
        return [b"\x01" + json.dumps(dict(zip(FEATURES, numbers, strict=True))).encode()]
    if way == "double precision[]":
        parts = b"".join(struct.pack("!id", 8, number) for number in numbers)
        return [struct.pack("!iiiii", 1, 0, 701, len(numbers), 1) + parts]
    return [struct.pack("!d", number) for number in numbers]


def encode_rows(way: str) -> bytes:
    """Encode all rows as the input of a binary COPY."""
    rng = np.random.default_rng(1)
    parts = [HEAD]
    for place, numbers in enumerate(rng.normal(0, 100, (ROWS, len(FEATURES))).tolist()):
        key = uuid.UUID(bytes=rng.bytes(16))
        moment = struct.pack("!q", 8 * 10**14 + place * 1_000)
        fields = [key.bytes, moment, str(key).encode(), struct.pack("!d", numbers[0])]
        fields += encode_features(way, numbers)
        parts.append(struct.pack("!h", len(fields)))
        parts += [struct.pack("!i", len(field)) + field for field in fields]
    return b"".join([*parts, END])


def main() -> int:
    """Measure each way to store features: the best of three rounds."""
    folder = Path(tempfile.mkdtemp(prefix="mlmonitor-columns-"))
    database = Database(folder)
    try:
        with connect(database.url) as connection:
            for way, columns in WAYS.items():
                connection.execute(
                    f"create table p ({FIXED}, {columns}, primary key (event_id, time))"
                )
                connection.execute("create index on p (prediction_id)")
                data, copies, scans = encode_rows(way), [], []
                for _ in range(3):
                    connection.execute("truncate p")
                    started = time.perf_counter()
                    with (
                        connection.cursor() as cursor,
                        cursor.copy("copy p from stdin (format binary)") as copy,
                    ):
                        copy.write(data)
                    copies.append(time.perf_counter() - started)
                    started = time.perf_counter()
                    connection.execute(f"select avg({AVERAGES[way]}) from p").fetchone()  # noqa: S608 - ours
                    scans.append(time.perf_counter() - started)
                size = connection.execute("select pg_total_relation_size('p')").fetchone()[0]
                print(
                    f"{way:20} {ROWS / min(copies):10,.0f} rows/s {size / ROWS:8.0f} bytes/row "
                    f"{1e3 * min(scans):8.1f} ms"
                )
                connection.execute("drop table p")
    finally:
        database.close()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
