"""Performance without labels: estimates by measure, with what they assume."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from mlmonitor.by_name import ByName
from mlmonitor.compare.performance.estimate import Estimate, MeasuresByName
from mlmonitor.formatting import amount, short

_MOST_REFUTED = 2


class EstimateGap(NamedTuple):
    """An estimate, and the value that labels gave for the same rows.

    difference: estimated minus realised. count: the number of labelled rows.
    """

    estimated: float
    realised: float
    difference: float
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used


class EstimatedPerformance(MeasuresByName):
    """Estimates for the predictions in the window, by name: `estimated["roc_auc"].value`.

    Immutable; each has the basis `estimated`, and the number of predictions as its `count`.

    assumption: what has to hold, in words.
    fields: the features on which the calibration depends.
    gap: by measure, the estimate and the realised value, over the rows labelled since the start.
    refuted: the same for measures whose estimate is wrong, over the newest 1,000 to 2,000 labelled
        rows; alerts and verdicts ignore these estimates.
    """

    def __init__(
        self,
        task: str,
        estimates: Mapping[str, Estimate],
        *,
        fields: tuple[str, ...] = (),
        gap: Mapping[str, EstimateGap] | None = None,
        refuted: Mapping[str, EstimateGap] | None = None,
    ) -> None:
        self.task: str = task
        self.fields: tuple[str, ...] = fields
        self.gap: Mapping[str, EstimateGap] = MappingProxyType(ByName(gap or {}, "measure"))
        self.refuted: Mapping[str, EstimateGap] = MappingProxyType(ByName(refuted or {}, "measure"))
        self._by_name = {
            name: estimate._replace(basis="estimated") for name, estimate in estimates.items()
        }

    @property
    def _estimates(self) -> Mapping[str, Estimate]:
        return self._by_name

    @property
    def count(self) -> int:
        """The number of predictions behind the estimates."""
        return max((estimate.count for estimate in self._estimates.values()), default=0)

    @property
    def refutation(self) -> str | None:
        """Which estimates the labels refute, and by how much; None if they refute none."""
        gaps = [
            f"{measure} {short(gap.realised)} where {short(gap.estimated)} was estimated"
            for measure, gap in list(self.refuted.items())[:_MOST_REFUTED]
        ]
        if not gaps:
            return None
        labels = max(gap.count for gap in self.refuted.values())
        return f"the labels refute this estimate: {', '.join(gaps)} ({amount(labels, 'label')})"

    @property
    def assumption(self) -> str:
        """What has to hold for the estimates to be right."""
        given = f", given {' and '.join(self.fields)}" if self.fields else ""
        if self.task == "regression":
            return f"a prediction errs as much as one like it did in training{given}"
        return f"a score means the same probability as in training{given}"
