"""Which workers took part in a run, and what of their rows is missing: from run.json's workers alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tokenswarm.metrics.validity.rules import make_finding

RULES = ("workers", "lost rows", "lost workers", "lost master", "left models")
MERGE = "python -m reports merge RUN WORKER_RUN_DIR… adds what their spools hold (docs/distributed.md)"
Worker = Mapping[str, Any]


def findings(workers: Sequence[Worker], *, rebuilt: bool = False) -> list[dict[str, Any]]:
    """What is to be said of workers that were lost, of rows that never came, and of a master that was lost.

    A worker of run.json has `requests`, the rows that are here; `made`, those that it said it had; `ended`: it handed
    over all of them; `spool`: what it kept on its own disk has been merged; `under_way`: requests
    without a row, by the gaps in the numbers of the others.
    """
    found = []
    unended = [worker for worker in workers if not worker.get("ended")]
    if gone := [worker for worker in unended if not worker.get("spool")]:
        what = f"{len(gone)} of the workers did not hand over their last rows, up to a second of them: {_names(gone)}"
        found.append(make_finding("workers", "invalid", what, f"see why they ended; {MERGE}", len(gone), 0))
    if lost := sum(count_missing(worker) for worker in workers):
        what = f"{lost} rows that workers said they had are not here"
        do = MERGE if any(worker.get("client") for worker in workers) else "free the disk of --run-dir"
        found.append(make_finding("lost rows", "invalid", what, f"the totals are too low by them; {do}", lost, 0))
    if left := [str(name) for worker in workers for name in worker.get("left_models") or ()]:
        what = f"{len(left)} of the models that lifecycle users made could not be removed: {', '.join(left[:3])}"
        do = f"see /api/tags for names that begin as these do, and ollama rm {left[0]}"
        found.append(
            make_finding("left models", "remark", what + (", …" if left[3:] else ""), do, len(left), 0, "models")
        )
    if rebuilt:
        what = "the master was lost; the run was put together from what its workers had kept"
        found.append(make_finding("lost master", "remark", what, "see why it ended: the load ended with it"))
    elif back := [worker for worker in unended if worker.get("spool")]:
        cut = sum(worker.get("under_way") or 0 for worker in back)
        what = (
            f"{len(back)} of the workers were lost in the middle of the run; their rows are all here; of the requests "
            f"that were under way (by the gaps in their numbers {cut} or more) there are none: {_names(back)}"
        )
        found.append(make_finding("lost workers", "remark", what, "see why they ended", len(back), 0))
    return found


def count_missing(worker: Worker) -> int:
    """Rows that a worker said it had and that are not here."""
    return max(0, int(worker.get("made") or 0) - int(worker.get("requests") or 0))


def worker_name(worker: Worker) -> str:
    """A worker as it is called wherever it is named: by its number, as in the rows, and by Locust's id of it."""
    client = worker.get("client")
    return f"worker {worker.get('worker')}" + (f" ({client})" if client else "")


def _names(workers: Iterable[Worker]) -> str:
    return ", ".join(worker_name(worker) for worker in sorted(workers, key=lambda worker: int(worker["worker"])))
