"""One run on several hosts with its mishaps, to its end; then the folder is completed from the spools, and judged."""

import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

from bench.hosts.account import LATEST_S, Books, Key, Life, answers, balance, witnessed
from bench.hosts.mishaps import Fate, Mishap, Story
from bench.hosts.network import ROOT, network
from bench.hosts.processes import Cast, Worker
from tokenswarm.reports import merge as merging
from tokenswarm.reports.errors import ReportError

WORKERS = ("w1", "w2", "w3")
USERS = 12
OPTIONS = ("--users", str(USERS), "--spawn-rate", str(USERS), "--max-tokens", "20", "--no-report")
TIMEOUTS = ("--request-timeout", "10", "--connect-timeout", "3")
# Longest wait for: a run to begin; the master, which waits for workers that it has lost; what a cut link holds up.
BEGIN_S, MASTER_END_S, SLACK_S = 30.0, 90.0, 45.0
MOST_ORDERS = 24
LATE_NS = 6 * 10**9


@dataclass
class Played:
    """What came of a run. `rows_before`: in the folder as the master left it; `orders`: in how many ways it was merged.

    `verdict_before` is the master's own, None if it was killed; `wrong` also holds what the books say.
    """

    story: Story
    books: Books
    rows_before: int
    verdict_before: str | None
    verdict: str | None
    orders: int
    took_s: float
    wrong: list[str] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """As JSON has it."""
        books = {name: value for name, value in asdict(self.books).items() if name != "wrong"}
        kept = {name: value for name, value in vars(self).items() if name not in ("story", "books")}
        return {"mishaps": self.story.row(), "books": books, **kept}


def play(
    folder: Path, mishaps: Sequence[Mishap], run_s: float, master_timeout_s: float, more: Sequence[str] = ()
) -> Played:
    """A run of that length in `folder`. Raises RuntimeError if it does not even begin."""
    began_s = time.monotonic()
    folder.mkdir(parents=True)
    with network("master", *WORKERS, "target") as hosts:
        cast = Cast(hosts, folder.resolve(), master_timeout_s)
        try:
            cast.start_target()
            cast.start_master(len(WORKERS), [*OPTIONS, *TIMEOUTS, "--run-time", f"{round(run_s)}s", *more])
            for host in WORKERS:
                cast.start_worker(host)
            run = _begun(cast)
            fate = Fate(cast, mishaps)
            wrong = _to_the_end(cast, fate, run_s)
        finally:
            cast.close()
    return _judged(cast, run, fate.story, wrong, began_s)


def _begun(cast: Cast) -> str:
    until_s = time.monotonic() + BEGIN_S
    while not (run := cast.run()):
        if time.monotonic() > until_s or not cast.master or cast.master.poll() is not None:
            raise RuntimeError(f"the run did not begin; see {cast.folder}/master.log")
        time.sleep(0.05)
    return run


def _to_the_end(cast: Cast, fate: Fate, run_s: float) -> list[str]:
    """Do what is due; all processes but the target's must end by themselves."""
    wrong, master = [], cast.master
    if not fate.go(lambda: master is None or master.poll() is not None, run_s + MASTER_END_S):
        wrong.append("the master did not end by itself")
    gone_ns = fate.story.master_killed_ns or time.time_ns()
    ended = fate.go(
        lambda: all(w.process.poll() is not None or _too_late(w, gone_ns, fate.story) for w in cast.workers),
        run_s + MASTER_END_S + cast.master_timeout_s + SLACK_S,
    )
    late = [worker for worker in cast.workers if _too_late(worker, gone_ns, fate.story)]
    if not ended:
        left = [worker for worker in cast.workers if worker.process.poll() is None and worker not in late]
        wrong.append(f"{len(left)} workers did not end by themselves")
    cast.end(late)
    if cast.target and (others := set(cast.network.processes()) - {cast.target.pid}):
        wrong.append(f"{len(others)} processes were left behind")
    cast.stop_target()
    return wrong


def _too_late(worker: Worker, gone_ns: int, story: Story) -> bool:
    """Did it never meet the master, gone by then, since it started late or a link was cut? Locust tries for minutes."""
    met = worker.witness.exists() and worker.witness.stat().st_size > 0
    hindered = any(
        host in (worker.host, "master") and from_ns < gone_ns and (to_ns is None or to_ns > worker.began_ns)
        for host, from_ns, to_ns in story.troubles
    )
    return not met and (hindered or gone_ns < worker.began_ns + LATE_NS)


def _judged(cast: Cast, run: str, story: Story, wrong: list[str], began_s: float) -> Played:
    path = cast.folder / "master" / run
    before, verdict_before = keys(rows(path)), verdict(path)
    dirs = sorted({worker.run_dir for worker in cast.workers if worker.run_dir.exists()})
    orders = _merge_in_all_orders(path, dirs, cast.folder / "orders", wrong)
    kept = keys(rows(path))
    seen: dict[Key, int] = {}
    lives = []
    for worker in cast.workers:
        had = witnessed(worker.witness, run)
        # The witness speaks first: of its last word before a kill the suite may not have heard.
        if worker.killed_ns and had and (last := next(reversed(had))) not in kept:
            del had[last]
        seen |= had
        if story.master_killed_ns and (late := unwritten(had, before, told_until_ns(worker, story))):
            wrong.append(
                f"the killed master had not written {late} rows of requests that had ended over a second before"
            )
        lives.append(_life(worker, next(iter(had), (None, 0))[0], story))
    books = balance(rows(path), answers(cast.truth, run), seen, lives)
    if story.master_killed_ns and not any(worker.thrown for worker in cast.workers):
        wrong += _rebuilt_from_nothing(cast.folder / "rebuilt" / run, dirs, seen)
    after = verdict(path)
    if books.lost and after != "INVALID":
        wrong.append(f"{books.lost} rows are lost, and the run is {after}")
    if books.rows > len(before) and verdict_before == "VALID":
        wrong.append(f"the master called a run VALID that lacked {books.rows - len(before)} rows")
    took_s = round(time.monotonic() - began_s, 1)
    return Played(story, books, len(before), verdict_before, after, orders, took_s, wrong + books.wrong)


def _rebuilt_from_nothing(path: Path, dirs: Sequence[Path], seen: Mapping[Key, int]) -> list[str]:
    """The spools alone hold the whole run, the master's disk being lost too."""
    wrong = [said] if (said := merge(path, dirs)) else []
    if not wrong and (lacks := seen.keys() - keys(rows(path))):
        wrong.append(f"rebuilt without the master's folder, the run lacks {len(lacks)} rows")
    return wrong


def _life(worker: Worker, index: int | None, story: Story) -> Life:
    return Life(index, worker.killed_ns, told_until_ns(worker, story) if worker.thrown else None, USERS)


def told_until_ns(worker: Worker, story: Story) -> int:
    """When a worker could last tell the master what it had, one of the two having been killed.

    TCP tries again after ever longer times: a link that has been troubled for 4 s may need as long to go on.
    """
    until_ns = min(at_ns for at_ns in (worker.killed_ns, story.master_killed_ns) if at_ns is not None)
    for host, from_ns, to_ns in sorted(story.troubles, key=lambda trouble: -trouble[1]):
        healed_ns = until_ns if to_ns is None else to_ns + (to_ns - from_ns) + 2 * 10**9
        if host in (worker.host, "master") and from_ns < until_ns <= healed_ns:
            until_ns = from_ns
    return until_ns


def unwritten(had: Mapping[Key, int], before: Set[Key], until_ns: int) -> int:
    """Requests that had ended over a second before their worker's last word to the master, who has no row of them."""
    return sum(at_ns < until_ns - LATEST_S * 1e9 and key not in before for key, at_ns in had.items())


def merge(path: Path, dirs: Iterable[Path]) -> str:
    """Complete a run folder as a user does; what went wrong, if anything."""
    words = [sys.executable, "-m", "reports", "merge", str(path), *map(str, dirs)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"merge ended with {done.returncode}: {done.stderr.strip()[-300:]}"


def _merge_in_all_orders(path: Path, dirs: Sequence[Path], scratch: Path, wrong: list[str]) -> int:
    """Each order of the spools, one after the other in two steps, and all twice: always the same bytes."""
    holding = [each for each in dirs if (each / "spool" / path.name).exists()]
    others = [each for each in dirs if each not in holding]
    every = list(permutations(holding))
    orders: list[list[Sequence[Path]]] = [[[*others, *order]] for order in every[:: -(-len(every) // MOST_ORDERS)]]
    if len(holding) > 1:
        orders += [[holding[:1], holding[1:]], [holding[1:], holding[:1]]]
    orders += [[dirs, dirs]]
    wrong += filter(None, [_try(path, scratch / "first" / path.name, [dirs], by=merge)])
    first = content(scratch / "first" / path.name)
    for steps in orders:
        copy = scratch / "next" / path.name
        wrong += filter(None, [_try(path, copy, steps, by=_merge_here)])
        found = content(copy)
        if differ := sorted(name for name in found.keys() | first.keys() if found.get(name) != first.get(name)):
            wrong.append(f"merged as {[[d.name for d in step] for step in steps]}: {', '.join(differ)} differ")
    shutil.rmtree(path)
    shutil.move(scratch / "first" / path.name, path)
    shutil.rmtree(scratch)
    return len(orders) + 1


def _try(path: Path, copy: Path, steps: Sequence[Sequence[Path]], by: Callable[[Path, Sequence[Path]], str]) -> str:
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(path, copy)
    return "; ".join(filter(None, (by(copy, step) for step in steps)))


def _merge_here(path: Path, dirs: Sequence[Path]) -> str:
    try:
        merging.merge(path, dirs)
    except (ReportError, OSError) as error:
        return f"merge: {error}"
    return ""


def content(path: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    """The requests of a run folder."""
    with (path / "requests.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def keys(found: Iterable[dict[str, str]]) -> set[Key]:
    """Which requests have a row."""
    return {(int(row["worker"]), int(row["sequence"])) for row in found}


def verdict(path: Path) -> str | None:
    """What run.json says of the run; None if nobody judged it."""
    found: dict[str, Any] = json.loads((path / "run.json").read_text())
    said: str | None = found.get("validity", {}).get("verdict")
    return said
