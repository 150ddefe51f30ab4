"""`python -m reports merge RUN WORKER_RUN_DIR…`: complete a run folder by what its workers kept on their own disks.

The rows become the union of all, whatever the order in which they are named, and merging again changes nothing. RUN may
hold what a killed master had written, or not exist at all: then the circumstances are those that the spools bear.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenswarm.folder import verdict as appraisal
from tokenswarm.folder.append import in_use
from tokenswarm.folder.spool import FACTS, FOLDER, ROWS
from tokenswarm.metrics.slo.judge import as_json
from tokenswarm.metrics.slo.junit import junit, why_invalid
from tokenswarm.metrics.validity import workers as attendance
from tokenswarm.metrics.validity.rules import RULES
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.union import Union, union
from tokenswarm.reports.write import as_json as text_of
from tokenswarm.reports.write import report, write

MADE_HERE = ("state", "ended_unix_s", "rows", "workers", "clock_source", "slos", "validity")
USAGE = "usage: python -m reports merge RUN_FOLDER [WORKER_RUN_DIR …]"
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spool:
    """What one worker kept of a run: its rows, and its facts (client, health, the run's circumstances)."""

    path: Path
    facts: Facts


def main(arguments: Sequence[str]) -> int:
    """Exit code 0; raises ReportError where there is nothing to merge."""
    if arguments and arguments[0] in ("--help", "-h"):
        print(f"{USAGE}: complete a run of which a process was killed, from what its workers kept")
        return 0
    if not arguments or arguments[0].startswith("-"):
        raise ReportError(f"merge: {USAGE}")
    folder, *dirs = map(Path, arguments)
    run, spools = merge(folder, dirs)
    for path in dirs:
        if not any(spool.path.resolve().is_relative_to(path.resolve()) for spool in spools):
            print(f"{path}: no spool of this run; its worker handed over everything, or has another --run-dir")
    print(f"{run['validity']['verdict']}: {run['rows']} requests in {folder}, with the spools of {len(spools)} workers")
    for found in run["validity"]["findings"]:
        if found["rule"] in attendance.RULES:
            print(f"{found['level']}: {found['what']}")
    return 0


def merge(folder: Path, dirs: Iterable[Path]) -> tuple[Facts, list[Spool]]:
    """Complete the folder; give its new run.json, and the spools. Raises ReportError."""
    own, had = folder.resolve().parent, _json(folder / "run.json")
    name = str(had.get("run") or folder.resolve().name)  # it may have been renamed
    spools = find(name, [*([own] if own.is_dir() else []), *dirs])
    if not spools and not had:
        raise ReportError(f"{folder}: there is no such run, nor a spool of {name}; name the workers' --run-dir")
    _one_run(had, spools)
    files = [path for path in (folder / ROWS, *(spool.path / ROWS for spool in spools)) if path.exists()]
    for path in files:
        if in_use(path):
            raise ReportError(f"{path}: is still being written to; wait until the run's processes have ended")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = union(files)
        run = _run(had, spools, rows, rows.write(folder / ROWS))
    except (OSError, sqlite3.Error) as error:
        raise ReportError(f"{folder}: cannot be written: {error}") from error
    judged = appraisal.slos(folder, run)
    if judged:
        run["slos"] = as_json(judged)
    run["validity"] = appraisal.validity(folder, run, _kept_findings(had, run))
    if judged:
        write(folder / "slo-junit.xml", junit(name, judged, why_invalid(run["validity"])))
    write(folder / "run.json", text_of({"format": 1, **run}))
    report(folder)
    return run, spools


def find(run: str, dirs: Iterable[Path]) -> list[Spool]:
    """The spools of a run in some folders, each a `--run-dir`, or what is below its `spool`. Raises ReportError."""
    found: dict[Path, Spool] = {}
    for folder in dirs:
        if not folder.is_dir():
            raise ReportError(f"{folder}: no such folder; name the --run-dir of a worker")
        for pattern in (FACTS, f"*/{FACTS}", f"*/*/{FACTS}", f"{FOLDER}/*/*/{FACTS}"):
            for path in folder.glob(pattern):
                facts = _json(path)
                if facts.get("run", {}).get("run") == run:
                    found[path.parent.resolve()] = Spool(path.parent, facts)
    return list(found.values())


def _one_run(had: Facts, spools: Iterable[Spool]) -> None:
    """Two masters may begin runs of one name within one second. Raises ReportError."""
    began: dict[Any, set[str]] = {had.get("started_unix_s"): {"the folder"}} if had else {}
    for spool in spools:
        began.setdefault(spool.facts["run"].get("started_unix_s"), set()).add(str(spool.path))
    if len(began) > 1:
        apart = " and ".join(", ".join(sorted(paths)) for paths in began.values())
        raise ReportError(f"these are of several runs of one name: {apart}; merge them apart")


def _json(path: Path) -> Facts:
    try:
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError) as error:
        raise ReportError(f"{path}: cannot be read: {error}; move it away to merge without it") from error
    return found if isinstance(found, dict) else {}


def _run(had: Facts, spools: Sequence[Spool], rows: Union, count: int) -> Facts:
    circumstances = [{key: value for key, value in had.items() if key not in (*MADE_HERE, "format")}] if had else []
    circumstances += [
        {key: value for key, value in spool.facts["run"].items() if key not in MADE_HERE} for spool in spools
    ]
    # All say the same, but the master went on noting things after it had told the workers.
    told = max(circumstances, key=lambda facts: (len(text := json.dumps(facts, sort_keys=True)), text))
    complete = had.get("state") == "complete"
    ended_ns = rows.last_ended_ns()
    joined = [one for one in told.get("attendance") or [] if one["what"] == "joined"]
    workers = _workers([*joined, *(had.get("workers") or [])], spools, rows)
    sources = sorted({str(worker["clock_source"]) for worker in workers if worker.get("clock_source")})
    return {
        **told,
        "state": "complete" if complete else "rebuilt",
        "ended_unix_s": had["ended_unix_s"] if complete else ended_ns and ended_ns / 1e9,
        "rows": count,
        "clock_source": ", ".join(sources),
        "workers": workers,
    }


def _workers(had: Iterable[Facts], spools: Iterable[Spool], rows: Union) -> list[Facts]:
    known: dict[str, Facts] = {}
    for worker in had:  # one that only joined has handed over nothing
        known[str(worker.get("client"))] = {"ended": "requests" in worker, **worker}
    for spool in spools:
        client = str(spool.facts["client"])
        worker = known.get(client, {})
        if not worker.get("ended"):
            # The master may have heard later than was noted here, or from a worker that knew less.
            heard = {key: value for key, value in worker.items() if value is not None}
            known[client] = {"ended": False, **spool.facts["health"], **heard, "client": client, "spool": True}
    counted = {worker: (here, holes) for worker, here, holes in rows.workers()}
    for worker in known.values():
        for name in ("at_unix_s", "what"):
            worker.pop(name, None)
        here, holes = counted.get(int(worker["worker"]), (0, 0))
        worker["requests"] = here
        worker["made"] = max(int(worker.get("made") or 0), here)
        if worker.get("spool"):
            worker["under_way"] = holes
    return [dict(sorted(worker.items())) for worker in sorted(known.values(), key=lambda worker: int(worker["worker"]))]


def _kept_findings(had: Mapping[str, Any], run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The findings that rows and workers do not tell: those of before the run, and of the master's end."""
    told = had.get("validity", {}).get("findings") or run.get("preflight_findings") or []
    again = {*(rule.name for rule in RULES), *attendance.RULES, "judged"}
    kept = [found for found in told if found.get("rule") not in again]
    return [*kept, *attendance.findings(run["workers"], rebuilt=run["state"] == "rebuilt")]
