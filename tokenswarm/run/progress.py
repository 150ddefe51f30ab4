"""Where a run is: its state, what of it is left, the stage or trial that goes on. For whoever watches it."""

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from tokenswarm.run.shared import shared_state
from tokenswarm.settings.command_line import seconds_in

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle


class Progress(NamedTuple):
    """A moment of a run. `left_s` is None where nobody knows when it ends; `doing` the stage or the trial, "" if none.

    `done` are a capacity search's trials so far, a line each; `findings` (level, what) are those that there are by now.
    """

    run: str
    state: str
    elapsed_s: float
    left_s: float | None
    doing: str
    done: list[str]
    findings: list[tuple[str, str]]
    verdict: str
    stage: int = 0  # of --stages, from 1


def progress(lifecycle: "RunLifecycle") -> Progress:
    """Where the newest run of this process is."""
    run, recorder = lifecycle.publisher.run_id, lifecycle.recorder
    findings = [(str(found["level"]), str(found["what"])) for found in lifecycle.findings]
    if lifecycle.publisher.stuck_s:
        findings.append(("warning", "rows cannot be written to the run folder: free its disk"))
    verdict, done = lifecycle.verdicts.get(run, ""), list(lifecycle.trials)
    if recorder is None:
        state = "writing the report" if lifecycle.ending else "ended" if run else ""
        return Progress(run, state, lifecycle.live.seconds, None, "", done, findings, verdict)
    elapsed_s = time.time() - float(recorder.circumstances["started_unix_s"])
    options, state = lifecycle.options, "running"
    if lifecycle.ending:
        state = "ending"
    elif elapsed_s < seconds_in(options.warmup):
        state = "warm-up"
    elif not shared_state(options)["all_started"]:
        state = "ramp-up"
    doing, left_s = _stage(recorder.circumstances, options) or (lifecycle.trial, None)
    if not doing and options.requests:
        doing = f"{lifecycle.live.so_far().ended:,} of {options.requests:,} requests"
    if left_s is None and options.run_time and not lifecycle.ending:
        left_s = max(0.0, float(options.run_time) - elapsed_s)
    stage = int(shared_state(options)["stage"][0] or 0)
    return Progress(run, state, elapsed_s, left_s, doing, done, findings, verdict, stage)


def _stage(circumstances: Any, options: Any) -> tuple[str, float | None] | None:
    """The stage that runs, with what is left of it, and of all of them (None where they are changed by hand)."""
    stages, number = circumstances.get("stages") or [], shared_state(options)["stage"][0]
    if not stages or not number:
        return None
    if stages[0].get("by_hand"):
        return f"stage {number}: {stages[number - 1]['text']} users, changed by hand", None
    began_s = float(stages[number - 1].get("began_unix_s") or circumstances["started_unix_s"])
    left_s = max(0.0, began_s + stages[number - 1]["span_s"] - time.time())
    later_s = sum(stage["span_s"] for stage in stages[number:])
    what = f"stage {number} of {len(stages)}: {stages[number - 1]['text']}, {left_s:.0f} s left"
    return what, left_s + later_s
