"""Do all processes of a run have the same code and the same prompts? Each worker tells the master a digest of both."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenswarm.folder.row import COLUMNS
from tokenswarm.metrics.validity.rules import make_finding
from tokenswarm.metrics.validity.workers import worker_name
from tokenswarm.payloads.large import Corpus

PACKAGE = Path(__file__).parents[1]
ROOMS = ("payloads", "wire", "metrics", "folder", "transport", "settings", "load", "users", "run", "capacity")


@lru_cache
def code() -> str:
    """Of the rooms that workers use, and of the locustfile."""
    rooms = (PACKAGE / room for room in ROOMS)
    own = [PACKAGE / "locustfile.py", PACKAGE / "features.py"]
    files = [*own, *(path for room in rooms for path in sorted(room.rglob("*.py")))]
    return _digest(path.read_bytes() for path in files)


def prompts_digest(prompts: Sequence[Any], trace: str, system: str = "") -> str:
    """Of the prompts that a process chooses from, of the trace that it replays, and of what stands before them."""
    files = [Path(trace).read_bytes()] if trace and Path(trace).is_file() else []
    files += [system.encode("utf-8", "replace")] if system else []
    told = prompts.digests if isinstance(prompts, Corpus) else map(repr, prompts)
    return _digest([*(one.encode("utf-8", "replace") for one in told), *files])


def columns() -> str:
    """Of the columns of a row: who has others cannot take part, for its rows would be read as something else."""
    return _digest(name.encode() for name in COLUMNS)


def unlike(workers: Iterable[Mapping[str, Any]], payloads: str) -> list[dict[str, Any]]:
    """Findings: workers whose code or prompts are not the master's."""
    found, known = [], list(workers)
    for key, own, what, do in (
        ("code", code(), "other code than", "bring all machines to one commit"),
        ("payloads", payloads, "other prompts than", "bring the same payload files to all machines"),
    ):
        others = {worker_name(one): int(one["worker"]) for one in known if one.get(key, own) != own}
        if others:
            said = f"these workers have {what} the master: {', '.join(sorted(others, key=others.__getitem__))}"
            found.append(make_finding(f"other {key}", "remark", said, do, len(others), 0, "workers"))
    return found


def _digest(parts: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:12]
