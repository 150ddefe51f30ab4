"""`python -m bench.large_payloads`: what large payload files cost: a corpus of 200 MB, and a wide CSV, with 2 workers.

A ShareGPT file of that size and a CSV of 20,000 rows with ten columns that nobody asks for are made up, and each is
asked by `locust --processes 2` of the simulator, after the built-in corpus as a measure. Of each: CPU seconds for
reading it (in a process of its own, as the master does, and as a worker, who is told what was learnt), seconds until
the first request, the largest memory of a process above that with the built-in corpus, heartbeats that were missed.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.measure import clean_environment, free_port
from bench.simulated import serving
from bench.truth import ROOT

WORDS = tuple(f"word{n}" for n in range(97))
USELESS = tuple(f"meta_{n}" for n in range(10))
READ = """
import json, resource, sys
from tokenswarm.payloads.corpus import learnt, load
cpu = lambda: sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
began = cpu(); prompts = load(sys.argv[1]); read = cpu(); known = json.loads(json.dumps(learnt(prompts)))
told = cpu(); load(sys.argv[1], known=known); print(len(prompts), read - began, cpu() - told)
"""


def text(words: int, of: int) -> str:
    """Made-up words, other ones each time."""
    return " ".join(WORDS[(of * 7 + n * (of % 13 + 1)) % len(WORDS)] for n in range(words))


def share_gpt(path: Path, size_mb: int) -> None:
    """Conversations of six turns in one JSON array."""
    with path.open("w") as file:
        file.write("[")
        number = 0
        while file.tell() < size_mb * 10**6:
            turns = [{"from": ("human", "gpt")[n % 2], "value": text(120 + n * 40, number + n)} for n in range(6)]
            file.write(",\n" * bool(number) + json.dumps({"id": f"c{number}", "conversations": turns}))
            number += 1
        file.write("]")


def wide_csv(path: Path, rows: int) -> None:
    """A prompt a row, beside ten columns."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["prompt", *USELESS])
        out.writerows([text(60, n), *(text(20, n + at) for at in range(len(USELESS)))] for n in range(rows))


def sampled(process: "subprocess.Popen[str]", peaks: dict[int, float]) -> Iterator[None]:
    """Until a process ends, now and then; the largest unshared memory of it and its children, MB."""
    while process.poll() is None:
        try:
            for one in (root := psutil.Process(process.pid), *root.children(recursive=True)):
                mb = one.memory_full_info().uss / 2**20
                peaks[one.pid] = max(mb, peaks.get(one.pid, 0))
        except psutil.Error:
            pass
        time.sleep(0.2)
        yield


def run(url: str, payloads: str, folder: Path) -> tuple[float | None, list[float], int, int]:
    """Seconds to the first request, each process's largest memory, requests, heartbeats that were missed."""
    command = [
        sys.executable,
        "-m",
        "locust",
        "-f",
        "locustfile.py",
        "--headless",
        "--only-summary",
        "--processes",
        "2",
    ]
    command += ["--host", url, "--model", "sim", "OllamaChatUser", "--payloads", payloads, "--max-tokens", "8"]
    command += ["-u", "8", "-r", "8", "--run-time", "10s", "--no-report", "--run-dir", str(folder)]
    port = str(free_port())
    command += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]
    log, peaks, began_ns = folder.with_suffix(".log"), dict[int, float](), time.time_ns()
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=ROOT, env=clean_environment(), text=True, stdout=out, stderr=out) as process,
    ):
        for _ in sampled(process, peaks):
            pass
    said = log.read_text()
    missed = said.count("failed to send heartbeat") + said.count("get heartbeat from master")
    rows = [row for path in folder.glob("*/requests.csv") for row in csv.DictReader(path.open(newline=""))]
    if not rows:
        print(said)
    first_ns = min((int(row["sent_unix_ns"]) for row in rows if row["sent_unix_ns"]), default=None)
    largest = sorted(peaks.values(), reverse=True)[:3]  # of the master and its two workers
    return (first_ns - began_ns) / 1e9 if first_ns else None, largest, len(rows), missed


def main() -> None:
    """Make the files, read them, ask them, print what it took."""
    parser = argparse.ArgumentParser(prog="bench.large_payloads", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mb", type=int, default=200)
    parser.add_argument("--rows", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, serving("--load-ms", "1", "--decode-tps", "2000") as sim:
        folder = Path(name)
        share_gpt(folder / "sharegpt.json", given.mb)
        wide_csv(folder / "wide.csv", given.rows)
        base: list[float] = []
        for payloads in ("chat", str(folder / "sharegpt.json"), str(folder / "wide.csv")):
            done = subprocess.run(
                [sys.executable, "-c", READ, payloads], cwd=ROOT, capture_output=True, text=True, check=True
            )
            prompts, read_s, told_s = done.stdout.split()
            first_s, memory_mb, requests, missed = run(sim.url, payloads, folder / f"runs-{Path(payloads).stem}")
            base = base or memory_mb
            more = ", ".join(f"{mb - of:+.0f}" for mb, of in zip(memory_mb, base, strict=False))
            size_mb = Path(payloads).stat().st_size / 1e6 if payloads != "chat" else 0
            print(
                f"{Path(payloads).name}: {size_mb:.0f} MB, {int(prompts):,} prompts; read in {float(read_s):.2f} "
                f"CPU-s, by a worker {float(told_s):.2f}; first request after {first_s or float('nan'):.1f} s; "
                f"{', '.join(f'{mb:.0f}' for mb in memory_mb)} MB a process ({more}); {requests} requests, "
                f"{missed} heartbeats missed",
                flush=True,
            )


if __name__ == "__main__":
    main()
