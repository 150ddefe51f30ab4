"""`python -m bench.curve`: how far our user's figures are from the truth, over streams, tempo, workers and TLS.

Every point is one run of `bench.measure`; a point's name is like `100x20-1w-tls` (streams, ms a token, workers). Users
begin spread over time but for a few points named `…-in-step`: there answers end together by the hundred. Rows go to a
file of JSON lines as they come: {"name", "asked", …figures as in `bench.measure.Point`}.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from fnmatch import fnmatch
from itertools import product
from pathlib import Path

from bench import certificate, report_curve, results
from bench.markdown import number
from bench.measure import Asked, Point, measure
from bench.noise import Stalls

STREAMS = (1, 16, 64, 100, 256, 600, 1000)
STEPS_MS = (10, 20, 50)
WORKERS = (1, 2)
IN_STEP = ((100, 256, 600, 1000), (20, 50))
ANSWER_MS = 2000
COLUMNS = ("name", *report_curve.HEADS[1:], "stall p99", "verdict")


def points(seconds: float) -> dict[str, Asked]:
    """All points by name; an answer lasts 2 s, whatever its tempo. TLS ones lack their certificate yet."""
    plan = [*product(("plain", "tls"), WORKERS, STEPS_MS, STREAMS)]
    plan += [("plain-in-step", 1, step_ms, streams) for streams, step_ms in product(*IN_STEP)]
    found = {}
    for way, workers, step_ms, streams in plan:
        tokens, stagger_s = ANSWER_MS // step_ms, 0.0 if way == "plain-in-step" else 1.0
        asked = Asked("OursUser", streams, step_ms, tokens, workers, seconds, stagger_s=stagger_s)
        found[f"{streams}x{step_ms}-{workers}w-{way}"] = asked
    return found


def chosen(names: list[str], patterns: list[str]) -> list[str]:
    """Those names that begin as one of the patterns says; all without patterns."""
    return [name for name in names if not patterns or any(fnmatch(name, f"{pattern}*") for pattern in patterns)]


def cells(name: str, point: Point) -> list[str]:
    """A point as it is shown when it has been measured, in the order of COLUMNS."""
    return [name, *report_curve.figures(point.row()), number(point.stall_ms.p99, 1), point.verdict or "–"]


def line(cells: Sequence[str]) -> str:
    """Cells in columns."""
    return f"{cells[0]:<25}" + "".join(f"{cell:>10}" for cell in cells[1:])


def main() -> None:
    """Measure what was chosen."""
    parser = argparse.ArgumentParser(prog="bench.curve", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=7.0, help="of load after the ramp-up, a point")
    parser.add_argument("--only", default="", help="points to measure, patterns of their names: 100x20,*-1w-tls")
    parser.add_argument("--out", type=Path, default=results.CURVE)
    parser.add_argument("--resume", action="store_true", help="leave out the points that the file holds already")
    given = parser.parse_args()
    wanted = points(given.seconds)
    names = chosen(list(wanted), [pattern for pattern in given.only.split(",") if pattern])
    if not names:
        sys.exit(f"bench: no point is named like {given.only!r}; they are named like {next(iter(wanted))}")
    known = {row.get("name") for row in results.begin(given.out, resume=given.resume)}
    stalls = Stalls()
    print(line(COLUMNS))
    with tempfile.TemporaryDirectory() as folder:
        folder_made = certificate.make(Path(folder)) if any(name.endswith("tls") for name in names) else ""
        for name in names:
            if name in known:
                continue
            asked = replace(wanted[name], certificate=folder_made) if name.endswith("tls") else wanted[name]
            point = measure(asked, stalls)
            about = {**asdict(wanted[name]), "tls": asked.tls}
            results.append(given.out, {"name": name, "asked": about, **point.row()})
            print(line(cells(name, point)), flush=True)


if __name__ == "__main__":
    main()
