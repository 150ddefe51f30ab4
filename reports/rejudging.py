"""A run whose rows are not all there: what is missing, and its verdict and SLOs by those that are."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tokenswarm.folder import verdict
from tokenswarm.folder.damage import batches, header
from tokenswarm.metrics.slo.judge import as_json
from tokenswarm.metrics.slo.language import SloError
from tokenswarm.metrics.validity.rules import RULES, make_finding
from tokenswarm.reports.render.numbers import many

RULE = "missing rows"
DO = "take the run folder anew from where the run wrote it, or complete it by `python -m reports merge`"
Info = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lost:
    """What is missing of the rows that a run wrote, or too much, in a sentence without its end."""

    what: str
    level: Literal["invalid", "remark"] = "invalid"


def lost_rows(info: Info, here: int, left_out: int) -> Lost | None:
    """None where all rows are there that the run wrote, and no more."""
    written = info.get("rows")
    unreadable = f"{many(left_out, 'row')} of requests.csv cannot be read" if left_out else ""
    if not isinstance(written, int) or isinstance(written, bool) or written < 0:
        return Lost(unreadable) if left_out else None
    if here < written:
        gone = f"{written - here} of the {written} rows that the run wrote are not here"
        return Lost(", ".join(filter(None, (gone, unreadable))))
    if here > written:
        more = f"requests.csv holds {here - written} rows more than the {written} that the run wrote"
        return Lost(", ".join(filter(None, (more, unreadable))), "remark")
    return Lost(unreadable) if left_out else None


def judged_again(path: Path, info: Info, rows: Any, lost: Lost) -> dict[str, Any]:
    """run.json with the verdict and the SLOs of those rows of its requests.csv; as it is, where it had no verdict."""
    had = info.get("validity")
    if not isinstance(had, dict):
        return dict(info)
    known = [*known_findings(had.get("findings")), make_finding(RULE, lost.level, lost.what, DO)]
    run = {**info, "workers": dicts(info.get("workers")), "options": as_mapping(info.get("options"))}
    with only(path, rows) as folder:
        validity = verdict.validity(folder, run, known)
        try:
            slos = as_json(verdict.slos(folder, run))
        except (SloError, TypeError, ValueError):
            slos = []
    return {**info, "validity": validity, **({"slos": slos} if "slos" in info else {})}


def known_findings(findings: Any, others: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Those findings that the rows do not tell, and so are not made again; nor those of `others`' rules."""
    again = {*(rule.name for rule in RULES), *others, RULE, "judged"}
    return [found for found in dicts(findings) if found.get("rule") not in again]


@contextmanager
def only(path: Path, rows: Any) -> Iterator[Path]:
    """A folder with a requests.csv of those rows of another, by their numbers in the file."""
    numbers = np.asarray(rows, dtype=np.int64)
    wanted = np.zeros(numbers.max(initial=0) + 2, dtype=bool)  # the last one is for those beyond
    wanted[numbers] = True
    with tempfile.TemporaryDirectory() as name, path.open("rb") as file:
        columns = len(header(path))
        with (Path(name) / path.name).open("wb") as kept:
            kept.write(file.readline())
            file.seek(0)
            for batch in batches(file, columns):
                here = wanted.take(np.array(batch.rows, dtype=np.int64), mode="clip")
                kept.writelines(compress(batch.lines, here.tolist()))
        yield Path(name)


def dicts(found: Any) -> list[dict[str, Any]]:
    """The objects of what should be a list of them."""
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def as_mapping(found: Any) -> dict[str, Any]:
    """What should be an object."""
    return found if isinstance(found, dict) else {}
