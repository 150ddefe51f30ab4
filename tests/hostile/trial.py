"""`make test-hostile`: each behaviour against a load, a preflight and a probe; what came of it, how long, what memory.

A trial has held if its process ended in time by itself, without a traceback, in no more than 300 MB.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))


from locust_process import environment  # noqa: E402

USERS, RUN_S, MOST_MB = 20, 6, 300
LIMITS = ("--request-timeout", "5", "--connect-timeout", "3")
# In s, with the start: before a run comes its preflight, whose slowest answers take their time-outs.
WITHIN_S = {"load": 130 + RUN_S + 5, "preflight": 130, "probe": 130}


HEAD = ("| behaviour | against | ended as | s | MB | exit | |", "|---|---|---|---:|---:|---:|---|")


@dataclass
class Trial:
    """How one process fared; seconds from the start of the run, else of the process, to its end."""

    name: str
    against: str
    code: int | None
    seconds: float
    peak_mb: float
    outcome: str
    held: bool
    said: str = ""


@contextmanager
def hostile() -> Iterator[dict[str, str]]:
    """The server, and the address of each behaviour."""
    command = [sys.executable, str(Path(__file__).with_name("server.py"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield json.loads(server.stdout.readline())
        finally:
            server.kill()


def try_one(name: str, against: str, url: str, folder: Path, *options: str, ca: str = "") -> Trial:
    """Start the process, watch its memory, and wait for its end."""
    if against == "preflight" and url.count("/") > 2:
        host, _, rest = url.removeprefix("http://").partition("/")
        url = f"http://{host}/all/{rest}"
    trusted = ("--ca-cert", ca) if name == "TLS: broken after it was shaken" else ()
    if against == "probe":
        command = ["-m", "tokenswarm.probe", "--host", url, "--model", "m", *LIMITS, *trusted]
    else:
        users = ("--headless", "--only-summary", "--no-report", "-u", str(USERS), "-r", str(USERS), "-t")
        users += (f"{RUN_S if against == 'load' else 1}s",)
        command = ["-m", "locust", "-f", "locustfile.py", "--run-dir", str(folder), "--host", url, "OllamaChatUser"]
        command += [*users, *LIMITS, *trusted, *options]
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said: list[bytes] = []
    reader = threading.Thread(target=lambda: said.append(process.stdout.read() if process.stdout else b""))
    reader.start()
    peak = 0
    while process.poll() is None and time.monotonic() - began_s < WITHIN_S[against]:
        try:
            peak = max(peak, psutil.Process(process.pid).memory_info().rss)
        except psutil.Error:
            break
        time.sleep(0.05)
    code = process.poll() if process.poll() is not None else _at_most(process, 5)
    ended_unix_s, seconds = time.time(), time.monotonic() - began_s
    if code is None:
        process.kill()
        process.wait()
    reader.join()
    if process.stdout:
        process.stdout.close()
    text = b"".join(said).decode(errors="replace")
    outcome = outcomes(folder) if against == "load" else ""
    has_run = False
    for path in folder.glob("*/run.json"):
        has_run = True
        seconds = ended_unix_s - json.loads(path.read_text())["started_unix_s"]
    held = (
        code is not None
        and (against != "load" or not has_run or seconds <= RUN_S + 5)
        and "Traceback" not in text
        and peak < MOST_MB * 2**20
        and code in (0, 1, 2, 3)
    )
    told = " ".join(line for line in text.splitlines() if "error:" in line or "Traceback" in line)[:300]
    return Trial(name, against, code, round(seconds, 1), round(peak / 2**20), outcome or told[:90], held, text)


def _at_most(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def outcomes(folder: Path) -> str:
    """How a run's requests ended, and an error of each kind."""
    found: Counter[str] = Counter()
    errors: dict[str, str] = {}
    for path in folder.glob("*/requests.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found[row["outcome"]] += 1
                errors.setdefault(row["outcome"], row["error"])
    return "; ".join(
        f"{count} {name}" + (f" ({errors[name][:60]})" if errors[name] else "") for name, count in found.most_common()
    )


def row(t: Trial) -> str:
    """A line of the table."""
    cells = (t.name, t.against, t.outcome.replace("|", "\\|"), t.seconds, f"{t.peak_mb:.0f}", t.code)
    return f"| {' | '.join(map(str, cells))} | {'' if t.held else '**no**'} |"


def main() -> int:
    """Exit code 0 if all have held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="behaviours whose name holds this")
    parser.add_argument("--against", default="load,preflight,probe")
    parser.add_argument("--part", default="1/1", help="1/4: the first quarter of them")
    parser.add_argument("--at-once", type=int, default=max(1, (os.cpu_count() or 2) // 2))
    parser.add_argument("--into", type=Path, default=None, help="where to write the table")
    parser.add_argument("--show", action="store_true", help="what each process said")
    given = parser.parse_args()
    with hostile() as urls, tempfile.TemporaryDirectory() as parent:
        ca = urls.pop("ca", "")
        asked = [(n, a, u) for n, u in urls.items() for a in given.against.split(",") if given.only in n]
        part, parts = map(int, given.part.split("/"))
        asked = asked[len(asked) * (part - 1) // parts : len(asked) * part // parts]

        def one(number: int) -> Trial:
            name, against, url = asked[number]
            trial = try_one(name, against, url, Path(parent) / str(number), ca=ca)
            print(row(trial), flush=True)
            if given.show or not trial.held:
                print(trial.said[-3000:])
            return trial

        with ThreadPool(given.at_once) as pool:
            trials = pool.map(one, range(len(asked)), chunksize=1)
    bad = [trial for trial in trials if not trial.held]
    text = "\n".join([*HEAD, *map(row, trials)])
    if given.into:
        given.into.write_text(text + "\n", encoding="utf-8")
    print(text if given.show else "\n".join(map(row, bad)))
    print(f"\n{len(trials)} trials of {len({t.name for t in trials})} behaviours: {len(bad)} have not held")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
