"""`make test`: all test files, each by whichever of a few processes is free next: most of a test's time it waits.

A process imports what tests want once, whatever it runs; and what is run last is short, so that all end together.
pytest-xdist cannot do it: its workers wait by threads' events, which gevent's patches (see conftest.py) make its own.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
AT_A_TIME = 6  # with eight, a search for the server's limit found the client's on two cores
# The files that take longest, first: one of them that began late would be what all others wait for.
LONGEST = (
    *("test_capacity_run", "test_run_ends", "test_survive", "test_stages", "test_exit_codes", "test_requests"),
    *("test_webui_tokens", "test_scraping", "test_webui_form", "test_planted_key", "test_run_options"),
    *("test_bad_input", "test_netns", "test_models", "test_addresses", "test_accuracy", "test_lifecycle_run"),
    "test_own_locustfiles",
)
UNIT_FILES = 4  # at once: most take a second or two, and what is run last should be short
OPTIONS = ("-q", "-p", "no:cacheprovider")
NO_TESTS = 5  # pytest's exit code where there are none
SHOWN_EVERY, SLOWEST = 20, 5
Part = tuple[str, ...]


class Done(NamedTuple):
    """What came of some files: pytest's exit code, or that of the process if it died, and what was printed."""

    code: int
    printed: str
    seconds: float


def parts() -> list[Part]:
    """All test files but those that want more than Python (see `norecursedirs`), in the order to begin them."""
    places = {stem: place for place, stem in enumerate(LONGEST)}
    units = sorted(ROOT.glob("tests/unit/**/test_*.py"))
    quick = [path for path in units if path.stem not in places]
    slow = [path for where in ("tests/run", "tests/browser", "bench/tests") for path in ROOT.glob(f"{where}/test_*.py")]
    slow += [path for path in units if path.stem in places]
    slow.sort(key=lambda path: (places.get(path.stem, len(places)), path))
    found = [[path] for path in slow] + [quick[at : at + UNIT_FILES] for at in range(0, len(quick), UNIT_FILES)]
    return [tuple(str(path.relative_to(ROOT)) for path in some) for some in found]


class Process:
    """A process that runs one part after the other."""

    def __init__(self, options: list[str]) -> None:
        command = [sys.executable, __file__, "--part-by-part", *options]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, part: Part) -> Done:
        """Have a part run. One that kills the process has all that it said lost, but its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        began_s = time.monotonic()
        print(json.dumps(part), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        code, printed = json.loads(line) if line else (self.end() or 1, f"FAILED {' '.join(part)}: its process died")
        return Done(code, printed, time.monotonic() - began_s)

    def alive(self) -> bool:
        """Can it run another one?"""
        return self._process.poll() is None

    def end(self) -> int:
        """Its exit code, when it has ended."""
        self._process.communicate()
        return self._process.returncode


def part_by_part(options: list[str]) -> None:
    """What such a process does: a line of JSON in, one out, until there are no more; its own input and output aside."""
    import pytest

    with os.fdopen(os.dup(0)) as asked, os.fdopen(os.dup(1), "w") as answers, open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
        for line in asked:
            with tempfile.TemporaryFile("w+", errors="replace") as output:
                for number in (1, 2):
                    os.dup2(output.fileno(), number)
                try:
                    code = int(pytest.main([*OPTIONS, *options, *json.loads(line)]))
                except BaseException:  # noqa: BLE001 # such as what is found left open when all has ended
                    traceback.print_exc()
                    code = 1
                sys.stdout.flush()
                output.seek(0)
                print(json.dumps([code, output.read()]), file=answers, flush=True)


def main(options: list[str]) -> int:
    """The worst exit code of all parts; 0 if all passed. What a part with failures printed is shown whole, last."""
    asked, begun_s, counts = parts(), time.monotonic(), Counter[str]()
    free, done = SimpleQueue[Process](), dict[Part, Done]()
    for _ in range(AT_A_TIME):
        free.put(Process(options))

    def run(part: Part) -> tuple[Part, Done]:
        process = free.get()
        found = process.run(part)
        free.put(process if process.alive() else Process(options))
        return part, found

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for future in as_completed([pool.submit(run, part) for part in asked]):
            part, found = future.result()
            done[part] = found
            for number, what in re.findall(
                r"(\d+) (passed|failed|error|skipped)", found.printed.rstrip().rpartition("\n")[2]
            ):
                counts[what] += int(number)
            if os.environ.get("CI") and "SKIPPED" in found.printed:  # what was skipped in CI, and why
                print("\n".join(line for line in found.printed.splitlines() if line.startswith("SKIPPED")), flush=True)
            if len(done) % SHOWN_EVERY == 0 or len(done) == len(asked):
                told = ", ".join(f"{number} {what}" for what, number in counts.items())
                print(f"[{len(done)}/{len(asked)}, {time.monotonic() - begun_s:.0f} s] {told}", flush=True)
    for _ in range(AT_A_TIME):
        free.get().end()
    longest = sorted(done, key=lambda part: -done[part].seconds)[:SLOWEST]
    print("the longest: " + ", ".join(f"{part[0]} {done[part].seconds:.0f} s" for part in longest))
    wrong = [found for found in done.values() if found.code not in (0, NO_TESTS)]
    for found in wrong:
        print(found.printed)
    print(f"{len(done)} parts, {len(wrong)} of them with failures")
    for found in wrong:  # once more, short: the end of a long log is what is seen of it
        print("\n".join(line for line in found.printed.splitlines() if line.startswith(("FAILED", "ERROR"))))
    return max((found.code for found in wrong), default=0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part-by-part"]:
        part_by_part(sys.argv[2:])
    else:
        sys.exit(main(sys.argv[1:]))
