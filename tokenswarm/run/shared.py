"""What the master tells its workers of a run beside the options that a user may give.

With the order to spawn Locust sends its options, and nothing else, also to a worker that joins in the middle of a run,
before anything of ours has heard of it. So this is one value among them, in one place; users see it as `RunContext`.
"""

from typing import Any, NamedTuple, TypedDict

from tokenswarm.settings import fingerprint

_NAME = "tokenswarm_run"


class StageNow(NamedTuple):
    """Which of `--stages` it is (None: none), whether it is a ramp, and whether all its users are there."""

    number: int | None = None
    ramp: bool = False
    there: bool = False


class Shared(TypedDict):
    """Columns of a row (their digest), run.json as it is now, whether the ramp-up is over, and the stage."""

    columns: str
    facts: dict[str, Any]
    all_started: bool
    stage: tuple[int | None, bool, bool]


def shared_state(options: Any) -> Shared:
    """That of the run that goes on; of a master that knows of none, what no run has."""
    if not hasattr(options, _NAME):
        setattr(options, _NAME, Shared(columns="", facts={}, all_started=False, stage=StageNow()))
    found: Shared = getattr(options, _NAME)
    return found


def begin(options: Any, facts: dict[str, Any]) -> None:
    """A run begins on the master; its first stage may have begun just before."""
    now = shared_state(options)
    now["columns"], now["facts"], now["all_started"] = fingerprint.columns(), facts, False
