"""`python -m bench.memory`: does the client's memory grow with the number of requests?

A million short requests by OllamaChatUser in one Locust process, as a user would run it (locustfile.py, its run folder,
its CSVs), against the truth server answering at once. The client's resident size is read from outside every so many
requests; the curve goes to a file of JSON lines: {"requests", "rss_mb", "wall_s"}, at last {"requests", "grown_mb", …}.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench import results
from bench.measure import Asked, clean_environment, locust_command
from bench.results import Row
from bench.truth import ROOT, serving, take

USERS, TOKENS, EVERY, WARM = 64, 2, 50_000, 100_000
POLL_S = 0.1


def growth(samples: list[Row], warm: int) -> float | None:
    """MB from the first sample of `warm` requests or more to the last; None if there are no two."""
    after = [sample["rss_mb"] for sample in samples if sample["requests"] >= warm]
    return after[-1] - after[0] if len(after) > 1 else None


def samples(url: str, client: "subprocess.Popen[bytes]", total: int, every: int) -> Iterator[Row]:
    """One whenever `every` more requests have been answered, until `total` have. SystemExit if the client ends."""
    watched, began_s, answered, due = psutil.Process(client.pid), time.monotonic(), 0, every
    while answered < total:
        time.sleep(POLL_S)
        if client.poll() is not None:
            sys.exit(f"bench: the client ended (exit code {client.returncode}) after {answered} requests")
        answered += int(take(url).facts["ended"])
        if answered >= due:
            rss_mb, wall_s = watched.memory_info().rss / 2**20, time.monotonic() - began_s
            yield {"requests": answered, "rss_mb": rss_mb, "wall_s": wall_s}
            due = (answered // every + 1) * every


def main() -> None:
    """Load, sample, print the curve and what it grew by."""
    parser = argparse.ArgumentParser(prog="bench.memory", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--every", type=int, default=EVERY)
    parser.add_argument("--out", type=Path, default=results.MEMORY)
    given = parser.parse_args()
    if any("grown_mb" in row for row in results.read(given.out)):
        print(f"{given.out} holds the curve already; move it away to measure again")
        return
    results.begin(given.out, resume=False)
    taken: list[Row] = []
    with serving("--step-ms", "0", "--keep-no-truth") as url, tempfile.TemporaryDirectory() as name:
        asked = Asked("OllamaChatUser", USERS, tokens=TOKENS, seconds=1e6)
        command = locust_command(asked, url, Path(name), locustfile="locustfile.py")
        with (
            (Path(name) / "said").open("w") as said,
            subprocess.Popen(command, cwd=ROOT, env=clean_environment(), stdout=said, stderr=said) as client,
        ):
            try:
                for sample in samples(url, client, given.requests, given.every):
                    taken.append(sample)
                    results.append(given.out, sample)
                    print("{requests:>10} requests, {rss_mb:.1f} MB, {wall_s:.1f} s".format(**sample), flush=True)
            finally:
                client.terminate()
                client.wait()
    last, grown = taken[-1], growth(taken, WARM)
    per_s = last["requests"] / last["wall_s"]
    results.append(given.out, {"requests": last["requests"], "grown_mb": grown, "after": WARM, "requests_per_s": per_s})
    told = "too few samples to say" if grown is None else f"{grown:+.1f} MB after the first {WARM}"
    print(f"{last['requests']} requests at {per_s:.0f}/s: {told}")


if __name__ == "__main__":
    main()
