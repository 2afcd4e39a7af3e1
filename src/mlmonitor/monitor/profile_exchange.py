"""The part of a monitor that returns its counts as a profile, and adds the counts of others."""

from functools import partial
from typing import TYPE_CHECKING

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError

if TYPE_CHECKING:
    from mlmonitor.fleet.profile_content import ProfileContent
    from mlmonitor.pipeline.pipeline import Pipeline
    from mlmonitor.profiling.row_profile import Profile
    from mlmonitor.worker.worker import Worker


class ProfileExchange:
    """Profiles of one model's window: returned from it, and merged into it."""

    config: Config
    _inbox: Inbox
    _worker: "Worker"

    def profile(self) -> "Profile":
        """Return the rows of the window as a profile, with everything recorded before this call.

        It is empty while a reference is learned. It belongs to `reference`, without features that
        the monitor ignores, so pass the same `ignore` to the `status` of the profile.
        Price: a copy of the window, about 3 KiB a numeric field.
        """
        from mlmonitor.profiling.row_profile import Profile, wrap_content

        content = self._worker.read_profile() if self.config.enabled else None
        return Profile() if content is None else wrap_content(content)

    def record_profile(self, profile: "Profile") -> None:
        """Record rows that were counted elsewhere, by Spark, Dask or another process.

        They count as predictions made now: in the window, in drift, alerts and the verdict, and in
        the next export, with the same metric names as rows of a service. Labels, declared rules,
        figures and events need individual rows, so they do not include these.
        Price: a merge, for any number of rows.

        Raises:
            ConfigError: the monitor has no reference yet.
            FormatError: the profile does not fit the reference.
            IncompatibleSketch: the rows were counted with another reference, other segments or
                another configuration; nothing is added.
            MonitorError: the monitor was closed.
        """
        from mlmonitor.profiling.row_profile import read_content

        self._worker.check_open("record_profile")
        content = read_content(profile)
        if content is None or not self.config.enabled:
            return
        self._inbox.has_batches = True
        self._worker.apply(partial(_absorb, content=content))
        self._worker.ensure_started()


def _absorb(pipeline: "Pipeline", now: float, *, content: "ProfileContent") -> None:
    pipeline.catch_up(now)
    state = pipeline.state
    state.begin_comparing(now=now)
    comparing = state.traffic.comparing
    if comparing is None:
        raise ConfigError(
            "profile: expected a monitor with a reference: pass the one that the rows were counted "
            "with to Monitor(reference=...)"
        )
    content.apply_to(comparing)
    state.service.count_rows(content.rows, now=now)
