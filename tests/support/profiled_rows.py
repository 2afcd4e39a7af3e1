"""Rows for tests that profile them in different ways, and counts to compare."""

from typing import Any

import numpy as np
import pandas as pd

from mlmonitor import Profile
from support.shown_models import claims_reference, draw_claims, predict

ROWS = 2_000
AT = 1_764_000_000.0
REFERENCE = claims_reference(segments=["line"])


def draw(rows: int = ROWS) -> dict[str, Any]:
    """Draw shifted claims with predictions; some values are missing, new or unreadable."""
    rng = np.random.default_rng(9)
    claims = draw_claims(rng, rows, is_shifted=True)
    claims["limit"][::50] = np.nan
    claims["line"] = np.where(rng.random(rows) < 0.02, "marine", claims["line"])
    return {**claims, "prediction": predict(claims)}


COLUMNS = draw()
FRAME = pd.DataFrame(COLUMNS)


def counts(profile: Profile) -> dict[str, Any]:
    """Return the counts in a profile's status, by field and segment."""
    status = profile.status(REFERENCE, at=AT)
    groups = {"all": status.fields, **{n: s.fields for n, s in status.segments.items()}}
    fields = {
        (segment, field.role, field.name): dict(field.quality)
        for segment, listed in groups.items()
        for field in listed
    }
    scores = {field.name: field.psi for field in status.fields}
    rows = {name: segment.predictions for name, segment in status.segments.items()}
    return {"fields": fields, "psi": scores, "rows": rows, "unknown": status.unknown_fields}
