"""A load that someone changes in the middle of a run, in the web UI or by a key: its figures are of several loads."""

import time
from typing import TYPE_CHECKING, Any

from tokenswarm.metrics.validity.rules import finding

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

RULE = "users changed"


class UserChanges:
    """Says in a finding of the run how many users were wanted, and when. Shapes (stages, a search) change it on their
    own."""

    def __init__(self, lifecycle: "RunLifecycle") -> None:
        self._lifecycle, self._cluster = lifecycle, lifecycle.cluster
        self._began_s = 0.0
        self._wanted: list[str] = []
        self._users = 0

    def listen(self, events: Any) -> None:
        """Connect to Locust's events; `RunLifecycle` must have heard of them first."""
        if not self._cluster.is_worker:
            events.test_start.add_listener(self._on_test_start)
            events.spawning_complete.add_listener(self._on_spawning_complete)

    def _on_test_start(self, **_: Any) -> None:
        self._began_s, self._users = time.monotonic(), self._cluster.target_users
        self._wanted = [f"{self._users:,}"]

    def _on_spawning_complete(self, **_: Any) -> None:
        users, run = self._cluster.target_users, self._lifecycle
        if users == self._users or not self._wanted or run.ending or self._has_shape:
            return
        self._users = users
        self._wanted.append(f"{users:,} ({time.monotonic() - self._began_s:.0f} s)")
        what = f"the number of users was changed by hand: {' → '.join(self._wanted)}"
        do = "go by no figure of the whole run; --stages changes the load, and has figures for each"
        run.findings[:] = [one for one in run.findings if one["rule"] != RULE] + [finding(RULE, "remark", what, do)]

    @property
    def _has_shape(self) -> bool:
        environment = self._lifecycle.environment
        return bool(environment.shape_class or environment.parsed_options.find_capacity)
