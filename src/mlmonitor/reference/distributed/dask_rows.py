"""Sample the rows of a Dask data frame."""

from typing import Any

from mlmonitor.reference.distributed.row_sample import RowSample, merge_samples, sample_partition

_FAN_IN = 8


def sample_dask(df: Any, *, seed: int, limit: int) -> RowSample | None:
    """Sample each partition on its worker, and merge in a tree; None if there are no rows."""
    import dask

    sample, merge = dask.delayed(_sample), dask.delayed(_merge)
    parts = [sample(part, place, seed, limit) for place, part in enumerate(df.to_delayed())]
    while len(parts) > 1:
        parts = [
            merge(parts[start : start + _FAN_IN], limit) for start in range(0, len(parts), _FAN_IN)
        ]
    (drawn,) = dask.compute(parts[0])
    return drawn  # type: ignore[no-any-return]


def _sample(frame: Any, partition: int, seed: int, limit: int) -> RowSample | None:
    return sample_partition([frame], partition=partition, seed=seed, limit=limit)


def _merge(samples: list[RowSample | None], limit: int) -> RowSample | None:
    drawn = [sample for sample in samples if sample is not None]
    return merge_samples(drawn, limit) if drawn else None
