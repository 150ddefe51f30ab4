"""A run that is over, judged by its rows: its validity and its SLOs, as run.json has them."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenswarm.metrics.clock import tracks
from tokenswarm.metrics.slo.judge import SloResult, judge_file
from tokenswarm.metrics.slo.language import parse
from tokenswarm.metrics.validity.evidence import gather
from tokenswarm.metrics.validity.rules import Facts, finding, judge


def validity(
    folder: Path, run: Mapping[str, Any], known: Sequence[Mapping[str, Any]], pause: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """The verdict on a folder whose run.json holds `run` (see `metrics.validity.rules`); `known` are other findings.

    `answered` are the requests that ended ok.
    """
    try:
        # A capacity search overloads the server on purpose: it answers for the trials that met its SLOs, if any did.
        trials = run.get("capacity", {}).get("trials") or ()
        met = {str(trial["trial"]) for trial in trials if trial["verdict"] == "met"}
        counted = (lambda row: row["stage"] in met) if met else (lambda _: True)
        rows = gather(folder / "requests.csv", pause, counted, tracks(run["workers"]))
        judged = judge(Facts(rows, run["workers"], bool(run["options"].get("unique_prompts"))), known)
        return {**judged, "answered": rows.outcomes["ok"]}
    except Exception as error:  # noqa: BLE001 - whatever the rows hold, the run gets its end and its report
        what = f"the rows could not be judged: {error!r}"
        return {"verdict": "INVALID", "findings": [*known, finding("judged", "invalid", what, "see requests.csv")]}


def slos(folder: Path, run: Mapping[str, Any]) -> list[SloResult]:
    """The run's own SLOs. Those of a capacity search are of its trials, not of the run."""
    options = run.get("options", {})
    texts = [] if options.get("find_capacity") else re.split(r"[;\n]", options.get("slo") or "")
    asked = [parse(text) for text in texts if text.strip()]
    return judge_file(folder / "requests.csv", asked, run["workers"]) if asked else []
