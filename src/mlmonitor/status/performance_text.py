"""The performance of a model in one line."""

from mlmonitor.compare.estimated.estimated_performance import EstimatedPerformance
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.formatting import short, zero_if_rounding

_SHOWN = {
    "regression": ("mae", "rmse", "bias"),
    "binary": ("accuracy", "f1", "roc_auc", "log_loss"),
    "multiclass": ("accuracy", "f1", "log_loss"),
    "ranking": ("ndcg", "mrr"),
}
_TITLES = {
    "mae": "MAE",
    "rmse": "RMSE",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "log_loss": "log loss",
    "ndcg": "nDCG",
    "mrr": "MRR",
}


def performance_text(performance: Performance | EstimatedPerformance, *, most: int = 4) -> str:
    """Format the main measures of the task that have a value, at most `most` of them."""
    names = [name for name in _SHOWN[performance.task] if name in performance]
    scale = performance["rmse"].value if "rmse" in performance else 1.0
    return ", ".join(
        f"{_TITLES.get(name, name)} {short(zero_if_rounding(performance[name].value, scale=scale))}"
        for name in names[:most]
    )
