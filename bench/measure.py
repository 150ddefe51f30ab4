"""One run of one client against the truth server, and how far what it believed is from what was.

An error is |client - truth| of one duration: TTFT (first token's write less the request's departure), gap (between
the writes of two tokens), E2E (last write less the departure). The departure is the kernel's stamp of the request's
arrival, which on loopback is the same moment.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench import cores
from bench.believed import errors, of_stamps
from bench.noise import Stalls
from bench.percentiles import Spread, spread
from bench.truth import ROOT, Truth, serving, take
from bench.truth_log import Answered

# Locust's workers write their beliefs after its master has gone.
WAIT_FOR_BELIEFS_S = 90.0
RAMP_S = 2.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a point is: `client` a class of bench/clients.py; with `requests` each user asks so many (see
    `bench.locusts`), else for `seconds` after the ramp-up; `certificate` is a folder with cert.pem and key.pem, for
    TLS; users that Locust starts together begin spread over `stagger_s`, or with 0 in step, so that their answers end
    in step too; `options` are further ones of Locust, with --autostart in a web UI.
    """

    client: str = "OursUser"
    streams: int = 100
    step_ms: float = 20.0
    tokens: int = 100
    workers: int = 1
    seconds: float = 8.0
    requests: int = 0
    certificate: str = ""
    stagger_s: float = 1.0
    ramp_s: float = RAMP_S
    options: tuple[str, ...] = ()

    @property
    def tls(self) -> bool:
        """Over TLS?"""
        return bool(self.certificate)


@dataclass(frozen=True, slots=True)
class Point:
    """What came out. Errors in ms; of a run by `seconds`, those of requests sent after all users were up.

    `coalesced_percent`: of the gaps, those that the client saw as 0; `cpu_s_per_1000_tokens`: of all its processes,
    from start to end; `cpu_test_…`: only while the test ran, without the master's; `peak_mb`: sum over its processes;
    `late_ms_p99`, `pass_ms_p99`, `send_us_p99`: the server's lateness, the length of its passes, the truth's
    uncertainty; `blocked`: writes that had to wait for the client; `stall_ms`: the machine's noise; `mismatched`:
    answers whose chunks were not those that were sent; `verdict`, `findings`: what the run said of itself; `start_s`:
    from the start of the client's process to the departure of its first request.
    """

    ttft_ms: Spread
    gap_ms: Spread
    e2e_ms: Spread
    requests: int
    tokens: int
    mismatched: int
    coalesced_percent: float
    loop_lag_ms_p99: float | None
    cpu_s_per_1000_tokens: float
    cpu_test_s_per_1000_tokens: float
    peak_mb: float
    late_ms_p99: float
    pass_ms_p99: float
    send_us_p99: float
    blocked: int
    stall_ms: Spread
    verdict: str | None
    findings: tuple[dict[str, Any], ...]
    start_s: float | None = None
    lost_percent: float | None = None
    server_us: float | None = None

    def row(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def locust_command(asked: Asked, url: str, run_dir: Path, locustfile: str = "bench/clients.py") -> list[str]:
    """Locust's command line for a point."""
    command = [sys.executable, "-m", "locust", "-f", locustfile, asked.client, "--host", url, "--model", "sim"]
    command += ["--only-summary", *(() if "--autostart" in asked.options else ("--headless",)), *asked.options]
    command += ["--loglevel", "ERROR", "--no-report", "--run-dir", str(run_dir)]
    command += ["--users", str(asked.streams), "--spawn-rate", str(max(1.0, asked.streams / asked.ramp_s))]
    command += ["--max-tokens", str(asked.tokens)]
    if not asked.requests:
        command += ["--run-time", f"{round(asked.ramp_s + asked.seconds)}s"]
    if asked.tls:
        command += ["--insecure"]
    if asked.workers > 1:
        port = str(free_port())
        command += ["--processes", str(asked.workers), "--master-bind-host", "127.0.0.1"]
        command += ["--master-bind-port", port, "--master-port", port]
    return command


def clean_environment(**more: str) -> dict[str, str]:
    """The process's environment without what would reach the options of Locust or ours."""
    foreign = ("TOKENSWARM_", "LOCUST_", "OLLAMA_", "OPENAI_", "BENCH_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def truth_server(asked: Asked) -> AbstractContextManager[str]:
    """The truth server for a point; gives its URL."""
    options = ["--step-ms", str(asked.step_ms)]
    if asked.tls:
        options += ["--tls-cert", f"{asked.certificate}/cert.pem", "--tls-key", f"{asked.certificate}/key.pem"]
    return serving(*options, cores=cores.split(asked.workers)[0])


def measure(asked: Asked, stalls: Stalls) -> Point:
    """Run one point, server and client. SystemExit if the client fails."""
    with truth_server(asked) as url:
        return measure_at(url, asked, stalls)


def measure_at(url: str, asked: Asked, stalls: Stalls, hindrance: Mapping[str, str] = MappingProxyType({})) -> Point:
    """The same against a truth server that runs already; `hindrance` is environment for the client."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more = {"BENCH_SEEN": str(folder / "seen"), "BENCH_STAGGER_S": str(asked.stagger_s), **hindrance}
        take(url)
        stalls.take()
        began_ns = time.time_ns()
        done = subprocess.run(
            locust_command(asked, url, folder / "runs"),
            cwd=ROOT,
            env=clean_environment(**more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            preexec_fn=cores.pinned(cores.split(asked.workers)[1]),
        )
        noise = spread(stalls.take())
        roles = ["master", *map(str, range(asked.workers))] if asked.workers > 1 else ["0"]
        beliefs = [believed(folder / f"seen.{role}", done) for role in roles]
        (run_path,) = (folder / "runs").glob("*/run.json")
        truth = take(url)
        first_ns = min((answer.arrived_ns for answer in truth.answers if answer.request_id), default=began_ns)
        point = compare(beliefs, truth, json.loads(run_path.read_text()), noise)
        return replace(point, start_s=(first_ns - began_ns) / 1e9)


def believed(path: Path, done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """What one of a client's processes believed. SystemExit if it left nothing."""
    until_s = time.monotonic() + WAIT_FOR_BELIEFS_S
    while not path.exists():
        if time.monotonic() > until_s:
            sys.exit(f"bench: the client left no {path.name} (exit code {done.returncode}): {done.stderr[-2000:]}")
        time.sleep(0.05)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def compare(beliefs: list[dict[str, Any]], truth: Truth, run: dict[str, Any], stall_ms: Spread) -> Point:
    """Set what the client's processes believed against the truth."""
    steady_ns = max(belief["steady_ns"] or 0 for belief in beliefs)
    seen = [one for belief in beliefs for one in belief["seen"] if one[1] >= steady_ns]
    found = errors((of_stamps(*one) for one in seen), truth)
    workers, facts, validity = run.get("workers", []), truth.facts, run.get("validity") or {}
    tokens = max(1, truth.tokens)
    return Point(
        ttft_ms=spread(found.ttft_ms),
        gap_ms=spread(found.gap_ms),
        e2e_ms=spread(found.e2e_ms),
        requests=len(seen),
        tokens=truth.tokens,
        mismatched=len(found.mismatched),
        coalesced_percent=100 * found.coalesced / max(1, len(found.gap_ms)),
        loop_lag_ms_p99=max((worker.get("loop_lag_ms_p99", 0.0) for worker in workers), default=None),
        cpu_s_per_1000_tokens=1e3 * sum(belief["cpu_s"] for belief in beliefs) / tokens,
        cpu_test_s_per_1000_tokens=1e3 * sum(b["cpu_test_s"] for b in beliefs if b["steady_ns"]) / tokens,
        peak_mb=sum(belief["peak_mb"] for belief in beliefs),
        late_ms_p99=facts["late_p99_ms"],
        pass_ms_p99=facts["pass_p99_ms"],
        send_us_p99=facts["send_p99_us"],
        blocked=int(facts["blocked"]),
        stall_ms=stall_ms,
        verdict=validity.get("verdict"),
        findings=tuple(validity.get("findings", ())),
        server_us=1e6 * facts["cpu_s"] / tokens,
        lost_percent=lost_percent([answer for answer in truth.answers if answer.arrived_ns >= steady_ns]),
    )


def lost_percent(answers: list[Answered]) -> float | None:
    """What clients took between two requests on one connection, in % of the requests' E2E time; None of no such."""
    lost_ns = taken_ns = 0
    for before, after in pairwise(sorted(answers, key=lambda answer: (answer.peer_port, answer.arrived_ns))):
        if before.peer_port == after.peer_port and before.last_before_ns is not None:
            lost_ns += after.arrived_ns - before.last_before_ns
            taken_ns += before.last_before_ns - before.arrived_ns
    return 100 * lost_ns / taken_ns if taken_ns else None
