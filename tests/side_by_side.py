"""All test files, in two processes at a time: most of a test's time it waits for a server or a run.

pytest-xdist cannot do it: its workers wait by threads' events, which gevent's patches (see conftest.py) make its own.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parent
AT_A_TIME, PARTS = 2, 12  # parts enough that both processes end at about the same time
NO_TESTS = 5  # pytest's exit code where there are none


def run(files: list[Path], *options: str) -> int:
    """One pytest over some files; its output comes whole, when it has ended."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *map(str, files)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(ended.stdout, end="", flush=True)
    return ended.returncode


def main(options: list[str]) -> int:
    """The worst exit code of all parts; 0 if all passed."""
    files = sorted(TESTS.glob("test_*.py"))
    parts = [files[number::PARTS] for number in range(PARTS)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        codes = list(pool.map(lambda part: run(part, *options), filter(None, parts)))
    failed = [code for code in codes if code not in (0, NO_TESTS)]
    print(f"{len(codes)} parts, {len(failed)} of them with failures")
    return max(failed, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
