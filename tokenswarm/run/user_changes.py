"""A load that someone changes in the middle of a run, in the web UI or by a key: each number of users is a stage.

Nobody knew of stages before the first change, so requests from before it bear none; a report takes them for the first.
"""

import time
from typing import TYPE_CHECKING, Any

from tokenswarm.metrics.validity.rules import make_finding
from tokenswarm.run.shared import shared_state
from tokenswarm.run.stages import STAGE, enter

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

RULE = "users changed"


class UserChanges:
    """Begins a stage with each change, and says in a finding how many users were wanted, and when.

    Shapes (stages, a search) change the number on their own, and in an open loop it is not the load: it has no stages.
    """

    def __init__(self, lifecycle: "RunLifecycle") -> None:
        self._lifecycle, self._cluster = lifecycle, lifecycle.cluster
        self._began_s = 0.0
        self._wanted: list[str] = []
        self._stages: list[dict[str, Any]] = []
        self._users = 0

    def listen(self, events: Any) -> None:
        """Connect to Locust's events; `RunLifecycle` must have heard of them first."""
        if not self._cluster.is_worker:
            events.test_start.add_listener(self._on_test_start)
            self._cluster.before_start(self._on_order)

    def _on_test_start(self, **_: Any) -> None:
        self._began_s, self._users = time.monotonic(), self._cluster.target_users
        self._wanted, self._stages = [f"{self._users:,}"], [_stage(self._users)]

    def _on_order(self, users: int) -> None:
        run = self._lifecycle
        if users == self._users or not self._cluster.is_running or run.ending or not run.recorder or self._has_shape:
            return
        self._users = users
        self._wanted.append(f"{users:,} ({time.monotonic() - self._began_s:.0f} s)")
        what = f"the number of users was changed by hand: {' → '.join(self._wanted)}"
        do = "go by no figure of the whole run; --stages changes the load, and has figures for each"
        if not (run.options.arrivals or run.options.trace):
            self._begin_stage(users)
            do = "go by no figure of the whole run: each number of users is a stage, with figures of its own"
        run.findings[:] = [one for one in run.findings if one["rule"] != RULE] + [
            make_finding(RULE, "remark", what, do)
        ]

    def _begin_stage(self, users: int) -> None:
        assert self._lifecycle.recorder
        now = shared_state(self._lifecycle.options)
        if len(self._stages) > 1 and not now["stage"][2]:
            self._stages.pop()  # its users never were all there
        self._stages.append(_stage(users) | {"began_unix_s": time.time()})
        now["all_started"] = False
        self._lifecycle.recorder.tell(stages=self._stages)
        message: dict[str, Any] = {"stage": len(self._stages), "ramp": False, "there": False}
        if self._cluster.is_master:
            self._cluster.send(STAGE, message)
        enter(self._lifecycle.environment, **message)

    @property
    def _has_shape(self) -> bool:
        environment = self._lifecycle.environment
        return bool(environment.shape_class or environment.parsed_options.find_capacity)


def _stage(users: int) -> dict[str, Any]:
    return {"text": f"{users:,}", "from_users": users, "users": users, "by_hand": True}
