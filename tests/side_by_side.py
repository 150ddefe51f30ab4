"""`make test`: all test files, in a few processes at a time: most of a test's time it waits for a server or a run.

pytest-xdist cannot do it: its workers wait by threads' events, which gevent's patches (see conftest.py) make its own.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
AT_A_TIME = 6  # on two cores they are busy for a third of their time; and none of them minds a busy machine
PARTS = 16  # many, so that all processes end at about the same time and the line of progress moves
# The files that take longest, first: so they begin first, each in a part of its own.
LONGEST = (
    *("test_capacity_run", "test_run_ends", "test_survive", "test_stages", "test_exit_codes", "test_requests"),
    *(
        "test_webui_tokens",
        "test_scraping",
        "test_webui_form",
        "test_planted_key",
        "test_run_options",
        "test_bad_input",
    ),
)
NO_TESTS = 5  # pytest's exit code where there are none


def run(files: list[Path], *options: str) -> tuple[int, str]:
    """One pytest over some files: its exit code and its output."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *map(str, files)]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return ended.returncode, ended.stdout


def parts() -> list[list[Path]]:
    """The files of each part: those that start processes first, since they take longest; then the unit tests."""
    slow = [path for path in files() if "unit" not in path.parts]
    slow.sort(key=lambda path: LONGEST.index(path.stem) if path.stem in LONGEST else len(LONGEST))
    quick = [path for path in files() if "unit" in path.parts]
    most = PARTS * 3 // 4
    return [*(slow[number::most] for number in range(most)), *(quick[n :: PARTS - most] for n in range(PARTS - most))]


def files() -> list[Path]:
    """All test files but those that want more than Python (see `norecursedirs`)."""
    found = [*ROOT.glob("tests/unit/**/test_*.py"), *ROOT.glob("tests/run/test_*.py")]
    return sorted([*found, *ROOT.glob("tests/browser/test_*.py"), *ROOT.glob("bench/tests/test_*.py")])


def main(options: list[str]) -> int:
    """The worst exit code of all parts; 0 if all passed. What a part with failures printed is shown whole, last."""
    asked, begun = list(filter(None, parts())), time.monotonic()
    wrong: list[tuple[int, str]] = []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for number, (code, printed) in enumerate(pool.map(lambda part: run(part, *options), asked), 1):
            counted = printed.strip().rpartition("\n")[2]
            print(f"[{number}/{len(asked)}, {time.monotonic() - begun:.0f} s] {counted}", flush=True)
            if code not in (0, NO_TESTS):
                wrong.append((code, printed))
            elif os.environ.get("CI") and "SKIPPED" in printed:  # what was skipped in CI, and why
                print("\n".join(line for line in printed.splitlines() if line.startswith("SKIPPED")), flush=True)
    for _, printed in wrong:
        print(printed)
    print(f"{len(asked)} parts, {len(wrong)} of them with failures")
    for _, printed in wrong:  # once more, short: the end of a long log is what is seen of it
        print("\n".join(line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))))
    return max((code for code, _ in wrong), default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
