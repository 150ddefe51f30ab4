"""`make bench-quick`: error and cost of our transport beside a plain `requests` user, against the simulator's truth.

100 streams at 20 ms a token, one Locust process each, in turns. The truth: when each chunk was handed to the kernel
(the simulator's log) and when each request left (a packet socket; without the right to one, when it was read).
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.tap import Tap
from demo import server

ROOT = Path(__file__).parent.parent
STREAMS, SECONDS, ROUNDS = 100, 15, 3
CLIENTS = ("OursUser", "PlainRequestsUser")


@dataclass(frozen=True, slots=True)
class Errors:
    """One run of one client: what it believed less what was, ms, absolute values, sorted; CPU in µs a token."""

    client: str
    ttft_ms: list[float]
    gap_ms: list[float]
    cpu_us_per_token: float
    tokens: int


class Stalls:
    """How late a sleeping thread of its own process wakes up: the machine's noise, which no client can help."""

    def __init__(self) -> None:
        self._late_ms: list[float] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            due_s = time.monotonic() + 0.005
            time.sleep(0.005)
            self._late_ms.append((time.monotonic() - due_s) * 1e3)

    def take(self) -> list[float]:
        """What was seen since the last time, sorted."""
        late, self._late_ms = sorted(self._late_ms), []
        return late


def percentile(ordered: list[float], percent: float) -> float:
    """Nearest rank of a sorted list; nan of an empty one."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else float("nan")


class Truth:
    """The simulator's log, read on from where it was read before."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0

    def more(self) -> dict[str, dict[str, Any]]:
        """New answers by request id."""
        time.sleep(1.5)  # the simulator flushes once a second
        with self._path.open() as file:
            file.seek(self._at)
            rows = [json.loads(line) for line in file]
            self._at = file.tell()
        return {row["request_id"]: row for row in rows if row["request_id"]}


def run(client: str, url: str, folder: Path, truth: Truth, tap: Tap | None) -> Errors:
    """One client for SECONDS; afterwards its beliefs are set against the truth."""
    seen = folder / "seen.json"
    command = [sys.executable, "-m", "locust", "-f", "bench/clients.py", client, "--host", url, "--model", "sim"]
    command += ["--headless", "--only-summary", "--loglevel", "ERROR", "--users", str(STREAMS), "--spawn-rate", "50"]
    command += ["--run-time", f"{SECONDS}s", "--max-tokens", "200", "--no-report", "--run-dir", str(folder / "runs")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BENCH_SEEN": str(seen)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    believed, answers = json.loads(seen.read_text()), truth.more()
    ttft, gaps = [], []
    for request_id, sent_ns, arrivals in believed["seen"]:
        row = answers[request_id]
        left = [before for before, _, _, _, kind in row["chunks"] if kind in ("text", "thinking")]
        if len(left) != len(arrivals):
            sys.exit(f"bench: {client} saw {len(arrivals)} chunks of the {len(left)} of {request_id}")
        asked_ns = tap.left_ns[request_id] if tap else row["read_ns"]
        ttft.append(abs((arrivals[0] - sent_ns) - (left[0] - asked_ns)) / 1e6)
        steps = zip(arrivals, arrivals[1:], left, left[1:], strict=False)
        gaps += [abs((b - a) - (d - c)) / 1e6 for a, b, c, d in steps]
    # Requests that the end of the run cut cost CPU too, so their tokens count for the cost.
    tokens = sum(row["output_tokens"] or 0 for row in answers.values())
    return Errors(client, sorted(ttft), sorted(gaps), believed["cpu_s"] * 1e6 / tokens, tokens)


def show(row: Errors, stalls_ms: list[float]) -> None:
    """One line of the table."""
    figures = [percentile(row.gap_ms, 50), percentile(row.gap_ms, 99), percentile(row.gap_ms, 100)]
    figures += [percentile(row.ttft_ms, 50), percentile(row.ttft_ms, 99), row.cpu_us_per_token]
    shown = "".join(f"{figure:>10.3f}" for figure in figures)
    noise = f"{percentile(stalls_ms, 99):10.2f}{percentile(stalls_ms, 100):10.2f}"
    print(f"{row.client:18}{len(row.ttft_ms):>6}{row.tokens:>8}{shown}{noise}", flush=True)


def main() -> None:
    """Run all in turns, print a row a run and the medians' ratios."""
    stalls = Stalls()
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), Path(name) / "truth.jsonl"
        options = ["--parallel", str(STREAMS), "--slowdown", "0", "--output-tokens", "190", "--truth", str(path)]
        with server("simulator", options) as url:
            try:
                tap = Tap(int(url.rpartition(":")[2]))
            except PermissionError:
                tap = None
                print("no right to a packet socket: TTFT holds the time until the simulator read the request")
            print(
                f"{STREAMS} streams x 50 tokens/s, {SECONDS} s a run; error = |client - truth|, ms; CPU in µs a token"
            )
            columns = ("gap p50", "gap p99", "gap max", "TTFT p50", "TTFT p99", "CPU/token", "stall p99", "stall max")
            print(f"{'client':18}{'n':>6}{'tokens':>8}" + "".join(f"{column:>10}" for column in columns))
            truth, rows = Truth(path), []
            for _ in range(ROUNDS):
                for client in CLIENTS:
                    stalls.take()
                    rows.append(run(client, url, folder, truth, tap))
                    show(rows[-1], stalls.take())
    ours, plain = ([row for row in rows if row.client == client] for client in CLIENTS)
    for what, of in (
        ("gap error p99, ms", lambda row: percentile(row.gap_ms, 99)),
        ("TTFT error p99, ms", lambda row: percentile(row.ttft_ms, 99)),
        ("CPU a token, µs", lambda row: row.cpu_us_per_token),
    ):
        mine, theirs = (sorted(map(of, side))[ROUNDS // 2] for side in (ours, plain))
        print(f"{what}: ours {mine:.3f}, requests {theirs:.3f}, ratio {mine / theirs:.3f} (medians of {ROUNDS} runs)")


if __name__ == "__main__":
    main()
