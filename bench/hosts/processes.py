"""The processes of one distributed run: the target, the master, and workers that come and go; each on its own host."""

import os
import secrets
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from bench.hosts.network import ROOT, Network

PORT = 11434
TARGET = ("--models", "sim", "--parallel", "64", "--load-ms", "0", "--decode-tps", "100", "--prefill-tps", "20000")
SITE = Path(__file__).parent / "worker_site"


@dataclass
class Worker:
    """One worker's process. `killed_ns`: wall clock, None if it ended by itself; `thrown`: its folder is gone."""

    host: str
    process: subprocess.Popen[bytes]
    run_dir: Path
    witness: Path
    began_ns: int
    killed_ns: int | None = None
    thrown: bool = False


@dataclass
class Cast:
    """All processes of a run. `folder` holds what they leave: a run directory a host, logs, truth, witnesses."""

    network: Network
    folder: Path
    master_timeout_s: float
    workers: list[Worker] = field(default_factory=list)
    master: subprocess.Popen[bytes] | None = None
    target: subprocess.Popen[bytes] | None = None
    _logs: list[IO[bytes]] = field(default_factory=list)
    _token: str = field(default_factory=partial(secrets.token_hex, 32))

    @property
    def truth(self) -> Path:
        """The server's own log."""
        return self.folder / "truth.jsonl"

    @property
    def url(self) -> str:
        """The target's address."""
        return f"http://{self.network.addresses['target']}:{PORT}"

    def start_target(self) -> None:
        """The simulator; it is there when this returns. Raises RuntimeError if it does not come."""
        words = (
            "-m",
            "tokenswarm.simulator",
            "--host",
            "0.0.0.0",
            "--port",
            str(PORT),
            "--truth",
            str(self.truth),
            *TARGET,
        )
        self.target = self._start("target", "target", words, {})
        log = self.folder / "target.log"
        for _ in range(200):
            if "listening" in log.read_text():
                return
            time.sleep(0.05)
        raise RuntimeError(f"the target did not start: {log.read_text()}")

    def start_master(self, workers: int, options: Sequence[str]) -> None:
        """Locust's master of a headless run."""
        words = ["-m", "locust", "-f", "locustfile.py", "OllamaChatUser", "--model", "sim", "--master", "--headless"]
        words += [
            "--only-summary",
            "--host",
            self.url,
            "--expect-workers",
            str(workers),
            "--run-dir",
            str(self.folder / "master"),
        ]
        self.master = self._start("master", "master", [*words, *options], {})

    def start_worker(self, host: str, run_dir: str = "") -> Worker:
        """One more worker, in its host's run directory or in another one."""
        number = len(self.workers)
        witness, into = self.folder / f"witness-{number}", self.folder / (run_dir or host)
        words = ("-m", "locust", "-f", "locustfile.py", "--worker", "--master-host", self.network.addresses["master"])
        more = {
            "PYTHONPATH": f"{SITE}{os.pathsep}{ROOT}",
            "HOSTS_CLOCK": str(self._clock(host)),
            "HOSTS_WITNESS": str(witness),
            "HOSTS_MASTER_TIMEOUT_S": str(self.master_timeout_s),
        }
        process = self._start(host, f"worker-{number}", [*words, "--run-dir", str(into)], more)
        worker = Worker(host, process, into, witness, time.time_ns())
        self.workers.append(worker)
        return worker

    def at(self, host: str) -> Worker | None:
        """The worker that lives on a host now."""
        alive = [w for w in self.workers if w.host == host and w.process.poll() is None]
        return alive[-1] if alive else None

    def kill(self, worker: Worker) -> None:
        """kill -9."""
        worker.process.send_signal(signal.SIGKILL)
        worker.killed_ns = time.time_ns()
        worker.process.wait()

    def set_clock(self, host: str, ahead_s: float) -> None:
        """From now on a host's wall clock is that much ahead of the truth."""
        with self._clock(host).open("r+b") as file:
            file.write(struct.pack("=q", round(ahead_s * 1e9)))

    def run(self) -> str:
        """The run's name, empty while it has not begun."""
        folders = [path.name for path in (self.folder / "master").glob("*") if (path / "run.json").exists()]
        return folders[0] if folders else ""

    def stop_target(self) -> None:
        """The server goes, and its log is complete."""
        if self.target and self.target.poll() is None:
            self.target.send_signal(signal.SIGINT)
            self.target.wait(10)

    def end(self, workers: Sequence[Worker]) -> None:
        """Those that still run need not go on."""
        for worker in workers:
            worker.process.kill()
            worker.process.wait()

    def close(self) -> None:
        """End whatever still runs."""
        self.end(self.workers)
        for process in (self.target, self.master):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        for log in self._logs:
            log.close()

    def _clock(self, host: str) -> Path:
        path = self.folder / f"clock-{host}"
        if not path.exists():
            path.write_bytes(bytes(8))
        return path

    def _start(self, host: str, log: str, words: Sequence[str], more: dict[str, str]) -> subprocess.Popen[bytes]:
        foreign = ("TOKENSWARM_", "LOCUST_", "OLLAMA_", "OPENAI_", "HOSTS_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self._logs.append((self.folder / f"{log}.log").open("wb"))
        return subprocess.Popen(
            self.network.command(host, sys.executable, *words),
            cwd=ROOT,
            env={**kept, "PYTHONPATH": str(ROOT), "TOKENSWARM_WORKER_TOKEN": self._token, **more},
            stdin=subprocess.DEVNULL,
            stdout=self._logs[-1],
            stderr=subprocess.STDOUT,
        )
