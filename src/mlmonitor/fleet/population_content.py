"""The counts and sketches of one population, without the reference that they belong to."""

from typing import NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import COUNTS, FieldProfile
from mlmonitor.aggregate.shapes import Shapes
from mlmonitor.aggregate.sketches.codec import Array, State, demand, nest, part, within
from mlmonitor.aggregate.sketches.distinct import Distinct, distinct_if_installed
from mlmonitor.aggregate.sketches.heavy_hitters import HeavyHitters
from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.aggregate.sketches.tdigest import TDigest
from mlmonitor.aggregate.window import View
from mlmonitor.compare.drift.new_names import shown_hitters
from mlmonitor.compare.population import Population
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.formats.reference import CategoricalReference
from mlmonitor.records import Mask

_SUMS = ("sums", "kernels")


class Privacy(NamedTuple):
    """Which numeric fields hold ids, and which categorical fields may name every category."""

    is_id_like: Mask
    is_public: Mask

    @classmethod
    def find(cls, population: Population) -> "Privacy":
        """Find the fields that hold ids, or may name all categories, in the reference's entries."""
        numeric, entries = len(population.plan.schema.numeric), population.entries
        return cls(
            np.array([entry.is_id_like for entry in entries[:numeric]], np.bool_),
            np.array(
                [isinstance(e, CategoricalReference) and e.public for e in entries[numeric:]],
                np.bool_,
            ),
        )


class PopulationContent:
    """The counts and sketches of one population; counts stay exact for any order of merging.

    plan: the fingerprint of the layout, which both sides of a merge must share. added: the arrays
    that merging adds, by their names in `FieldProfile`.
    """

    __slots__ = ("added", "digests", "distinct", "hitters", "moments", "plan", "privacy")

    def __init__(self, plan: bytes, added: dict[str, Array], privacy: Privacy) -> None:
        self.plan: bytes = plan
        self.added: dict[str, Array] = added
        self.privacy: Privacy = privacy
        numeric, categorical = len(privacy.is_id_like), len(privacy.is_public)
        self.moments: Moments = Moments(numeric)
        self.digests: TDigest = TDigest(numeric)
        self.hitters: list[HeavyHitters] = [HeavyHitters(1) for _ in range(categorical)]
        self.distinct: list[Distinct] = []

    @classmethod
    def copy_from(cls, population: Population, privacy: Privacy) -> Self:
        """Copy the counts and sketches of a population's window."""
        recent, shapes = population.window.view()
        added = {
            "rows": np.array([recent.rows], np.int64),
            **{name: getattr(recent, name) for name in (*COUNTS, *_SUMS)},
        }
        content = cls(recent.plan.fingerprint, added, privacy)
        content.moments, content.digests = recent.moments, shapes.digests
        content.hitters, content.distinct = shapes.hitters, shapes.distinct
        return content

    @property
    def rows(self) -> int:
        """The number of counted rows."""
        return int(self.added["rows"][0])

    def copy(self) -> Self:
        """Return a copy that shares nothing with this one."""
        return type(self).from_state(self.state(is_redacted=False))

    def merge(self, other: Self) -> None:
        """Add what `other` has counted; raise IncompatibleSketch unless the layouts agree."""
        self.check_mergeable(other)
        with np.errstate(over="ignore", invalid="ignore"):
            self.added = {name: array + other.added[name] for name, array in self.added.items()}
        self.moments.merge(other.moments)
        self.digests.merge(other.digests)
        for mine, theirs in zip(self.hitters, other.hitters, strict=True):
            mine.merge(theirs)
        if len(self.distinct) == len(other.distinct):
            for ours, others in zip(self.distinct, other.distinct, strict=True):
                ours.merge(others)
        else:
            self.distinct = []

    def check_mergeable(self, other: Self) -> None:
        """Raise IncompatibleSketch unless `other` can be merged."""
        if self.plan != other.plan:
            raise IncompatibleSketch(
                "profiles of two references, or of two outlier_deviations, cannot be merged"
            )
        sizes = [[hitter.size for hitter in content.hitters] for content in (self, other)]
        if sizes[0] != sizes[1]:
            raise IncompatibleSketch("profiles of two heavy_hitters cannot be merged")
        if any(other.added[name].shape != array.shape for name, array in self.added.items()):
            raise IncompatibleSketch("profiles whose arrays differ in shape cannot be merged")

    def view(self, plan: Plan) -> View:
        """Return the counts as a view over the bins of a reference's plan.

        Raises:
            FormatError: an array does not fit the plan.
            IncompatibleSketch: the counts belong to another reference.
        """
        if self.plan != plan.fingerprint:
            raise IncompatibleSketch(
                "the profile belongs to another reference, or to other outlier_deviations"
            )
        state = self.state(is_redacted=False)
        profile = FieldProfile.from_state(within("counts", state), plan)
        shapes = Shapes(plan, self.hitters[0].size if self.hitters else 1)
        shapes.digests = TDigest.from_state(within("digests", state))
        shapes.hitters = [
            HeavyHitters.from_state(within(f"hitters.{field}", state))
            for field in range(len(self.hitters))
        ]
        if not self.distinct:
            shapes.distinct = []
        for field, sketch in enumerate(self.distinct):
            shapes.distinct[field].merge(sketch)
        return View(profile, shapes)

    def state(self, *, is_redacted: bool = True) -> dict[str, Array]:
        """Return all contents as arrays.

        is_redacted: leave out values that could identify a person: extremes, quantiles, means and
        sums of ids, and names of new categories too rare for a status to show.
        """
        added, hitters = dict(self.added), self.hitters
        moments, digests = self.moments.state(), self.digests.state()
        if is_redacted:
            is_id = self.privacy.is_id_like
            moments = _reset_fields(moments, Moments(len(is_id)).state(), is_id)
            digests = _reset_fields(digests, TDigest(len(is_id)).state(), is_id)
            added["sums"] = np.where(is_id, 0.0, added["sums"])
            publics = self.privacy.is_public.tolist()
            hitters = [h if p else _name_shown(h) for h, p in zip(hitters, publics, strict=True)]
        plan = np.frombuffer(self.plan, np.uint8)
        state = nest("counts", {"plan": plan, **added, **nest("moments", moments)})
        state |= nest("digests", digests)
        state |= {
            "is_id_like": self.privacy.is_id_like.astype(np.uint8),
            "is_public": self.privacy.is_public.astype(np.uint8),
        }
        for field, names in enumerate(hitters):
            state |= nest(f"hitters.{field}", names.state())
        for field, sketch in enumerate(self.distinct):
            state |= nest(f"distinct.{field}", sketch.state())
        return state

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Read a saved `state`; raise FormatError for arrays that contradict each other."""
        counts = within("counts", state)
        added: dict[str, Array] = {"rows": part(counts, "rows", np.int64, shape=(1,))}
        for name in (*COUNTS, *_SUMS):
            added[name] = part(counts, name, np.float64 if name in _SUMS else np.int64)
        for name in ("rows", *COUNTS):
            demand((added[name] >= 0).all(), f"{name}: expected zero or more")
        privacy = Privacy(*(_read_flags(state, name) for name in ("is_id_like", "is_public")))
        content = cls(part(counts, "plan", np.uint8, ndim=1).tobytes(), added, privacy)
        content.moments = Moments.from_state(within("moments", counts))
        content.digests = TDigest.from_state(within("digests", state))
        numeric, categorical = len(privacy.is_id_like), len(privacy.is_public)
        sizes = {len(content.moments.count), len(content.digests.means)}
        demand(sizes == {numeric}, "moments, digests: expected the same number of fields")
        places = range(categorical)
        content.hitters = [HeavyHitters.from_state(within(f"hitters.{p}", state)) for p in places]
        if "distinct.0.hll" in state and distinct_if_installed() is not None:
            content.distinct = [Distinct.from_state(within(f"distinct.{p}", state)) for p in places]
        return content


def _read_flags(state: State, name: str) -> Mask:
    flags = part(state, name, np.uint8, ndim=1)
    demand((flags <= 1).all(), f"{name}: expected 0 or 1")
    return flags.astype(np.bool_)


def _reset_fields(state: State, empty: State, fields: Mask) -> State:
    """Replace the state of some fields of a sketch by that of an empty sketch."""
    reset = {}
    for name, array in state.items():
        reset[name] = array.copy()
        reset[name][fields] = empty[name][fields]
    return reset


def _name_shown(hitters: HeavyHitters) -> HeavyHitters:
    """Return a copy of the sketch without the names that may not leave the process."""
    shown = HeavyHitters.from_state(hitters.state())
    shown.retain({hitter.name for hitter in shown_hitters(hitters, None)})
    return shown
