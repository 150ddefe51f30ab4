"""A run that is over, judged by its rows: its validity and its SLOs, as run.json has them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tokenswarm.folder.lines import rows
from tokenswarm.folder.row import Row
from tokenswarm.metrics.clock import Tracks, onto_master, tracks
from tokenswarm.metrics.slo.judge import SloJudge, SloResult
from tokenswarm.metrics.slo.language import Slo, parse
from tokenswarm.metrics.validity.evidence import Evidence
from tokenswarm.metrics.validity.rules import Facts, judge, make_finding


def validity(
    folder: Path, run: Mapping[str, Any], known: Sequence[Mapping[str, Any]], pause: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """The verdict on a folder whose run.json holds `run` (see `metrics.validity.rules`); `known` are other findings.

    `answered` are the requests that ended ok.
    """
    try:
        # A capacity search overloads the server on purpose: it answers for the trials that met its SLOs, if any did.
        trials = run.get("capacity", {}).get("trials") or ()
        met = {trial["trial"] for trial in trials if trial["verdict"] == "met"}
        counted = (lambda row: row["stage"] in met) if met else (lambda _: True)
        found = gather(folder / "requests.csv", pause, counted, tracks(run["workers"]))
        judged = judge(Facts(found, run["workers"], bool(run["options"].get("unique_prompts"))), known)
        return {**judged, "answered": found.outcomes["ok"]}
    except Exception as error:  # noqa: BLE001 - whatever the rows hold, the run gets its end and its report
        what = f"the rows could not be judged: {error!r}"
        return {"verdict": "INVALID", "findings": [*known, make_finding("judged", "invalid", what, "see requests.csv")]}


def slos(folder: Path, run: Mapping[str, Any]) -> list[SloResult]:
    """The run's own SLOs. Those of a capacity search are of its trials, not of the run."""
    options = run.get("options", {})
    texts = [] if options.get("find_capacity") else re.split(r"[;\n]", options.get("slo") or "")
    asked = [parse(text) for text in texts if text.strip()]
    return judge_file(folder / "requests.csv", asked, run["workers"]) if asked else []


def gather(
    path: Path,
    pause: Callable[[], None] = lambda: None,
    counts: Callable[[Row], bool] = lambda _: True,
    clocks: Tracks = MappingProxyType({}),
) -> Evidence:
    """The evidence of those rows of a requests.csv that count. Raises OSError."""
    found = Evidence()
    for row in rows(path, pause):
        if counts(row):
            onto_master(row, clocks)
            found.add(row)
    return found


def judge_file(path: Path, slos: Sequence[Slo], workers: Iterable[Mapping[str, Any]] = ()) -> list[SloResult]:
    """Judge a requests.csv of run.json's workers. Raises OSError."""
    judge = SloJudge(slos)
    judge.clocks = tracks(workers)
    for row in rows(path):
        judge.add(row)
    return judge.judge_all()
