"""Who may take part in a distributed run: only workers and masters that know the token."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import locust
import pytest
import zmq
from locust.rpc.protocol import Message
from locust_process import ROOT, command, environment, folder, forked, free_port
from simulator_process import Simulator, running

from tokenswarm.run.curve import Keys, keys
from tokenswarm.settings import fingerprint as likeness

TOKEN, OTHER = "the run's own token, 0123456789", "some other token, 0123456789"
KEY = "sk-the-key-of-this-run"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--load-ms", "0") as started:
        yield started


@contextmanager
def locust_process(*options: str, log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Locust in the background, what it says in `log`; ended at the end."""
    with log.open("wb") as said:
        process = subprocess.Popen(list(options), cwd=ROOT, env=environment(**env), stdout=said, stderr=said)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def worker(port: int, run_dir: Path) -> list[str]:
    return forked(command("", run_dir, "--worker", "--master-host", "127.0.0.1", "--master-port", str(port)))


class Stranger:
    """One who speaks the workers' protocol, with a token or without."""

    def __init__(self, port: int, name: str, sealed: Keys | None = None) -> None:
        self.name = name
        self.sock = zmq.Context.instance().socket(zmq.DEALER)
        self.sock.identity, self.sock.linger = name.encode(), 0
        if sealed:
            self.sock.curve_serverkey, self.sock.curve_secretkey = sealed.master_public, sealed.worker
            self.sock.curve_publickey = sealed.worker_public
        self.sock.connect(f"tcp://127.0.0.1:{port}")

    def close(self) -> None:
        self.sock.close()

    def say(self, kind: str, data: Any) -> None:
        self.sock.send(Message(kind, data, self.name).serialize())

    def hears(self, wait_ms: int = 0) -> list[str]:
        """The types of all messages that came."""
        heard = []
        while self.sock.poll(wait_ms):
            heard.append(str(Message.unserialize(self.sock.recv()).type))
        return heard


def _peak_bytes(process: subprocess.Popen[bytes]) -> int:
    """The most memory that a process had until it ended."""
    peak = 0
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                peak = int(line.split()[1]) << 10
        time.sleep(0.1)
    return peak


def lie(stranger: Stranger) -> None:
    """Say all that a worker can say."""
    stranger.say("client_ready", locust.__version__)
    stranger.say("spawning_complete", {"user_classes_count": {"OllamaChatUser": 9}, "user_count": 9})
    stranger.say("exception", {"msg": "a stranger's exception", "traceback": "none"})
    report = {"run": "x", "first": 0, "rows": [["a stranger's row"]], "made": 1, "health": {"worker": 7}, "final": True}
    stranger.say("stats", {"user_classes_count": {}, "user_count": 9, "tokenswarm": report})


def test_strangers_have_no_part_in_a_run(simulator: Simulator, tmp_path: Path) -> None:
    port, runs = free_port(), tmp_path / "runs"
    load = ("OllamaChatUser", "--model", "sim", "--users", "2", "--run-time", "3s", "--headless", "--no-report")
    master = command(simulator.url, runs, "--master", "--master-bind-port", str(port), *load)
    with ExitStack() as open_until_the_end:

        def begin(name: str, *options: str, **env: str) -> subprocess.Popen[bytes]:
            started = locust_process(*options, log=tmp_path / name, **env)
            return open_until_the_end.enter_context(started)

        mastering = begin("master", *master, TOKENSWARM_WORKER_TOKEN=TOKEN, OPENAI_API_KEY=KEY)
        begin("without a token", *worker(port, tmp_path / "w1"))
        begin("with another", *worker(port, tmp_path / "w2"), TOKENSWARM_WORKER_TOKEN=OTHER)
        wrong = keys(OTHER)
        # Also one who has learnt the master's public key, which nobody hears on the wire.
        half = Keys(keys(TOKEN).master, wrong.worker)
        strangers = [Stranger(port, "plain"), Stranger(port, "wrong", wrong), Stranger(port, "half", half)]
        for stranger in strangers:
            lie(stranger)
        huge = [Stranger(port, "huge"), Stranger(port, "huge and known", keys(TOKEN))]
        for stranger in huge:
            stranger.sock.send(bytes(100 << 20))
        time.sleep(1)  # the strangers come first
        token = tmp_path / "token"
        token.write_text(f"{TOKEN}\n")
        begin("worker", *worker(port, tmp_path / "w3"), TOKENSWARM_WORKER_TOKEN_FILE=str(token))
        peak_bytes = _peak_bytes(mastering)
        assert mastering.returncode == 0, (tmp_path / "master").read_text()
        assert peak_bytes < 250 << 20  # a 100 MB message and its copy would be more
        assert not any(stranger.hears() for stranger in strangers)
        for stranger in (*strangers, *huge):
            stranger.close()
    run = folder(runs)
    assert {row["worker"] for row in run.rows} == {"0"}
    assert set(run.outcomes) <= {"ok", "cancelled"}
    (known,) = run.run["workers"]
    assert known["code"] == likeness.code()
    assert known["payloads"]
    assert not {rule for rule in run.rules() if rule.startswith("other")}
    assert known["requests"] == len(run.rows)
    (found,) = (f for f in run.run["validity"]["findings"] if f["rule"] == "strangers")
    assert "127.0.0.1 (" in found["what"]
    said = (tmp_path / "master").read_text()
    assert "stranger's" not in said
    assert said.count("Refused a connection to the workers' port from 127.0.0.1") == 1
    assert "has it the same worker token?" in (tmp_path / "with another").read_text()
    # Whether it can be certain, and so ends, is chance: either end may see first that the other speaks otherwise.
    assert "the same worker token" in (tmp_path / "without a token").read_text()
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != token)
    assert KEY.encode() not in everything
    assert TOKEN.encode() not in everything


def test_a_worker_takes_no_orders_from_a_strangers_master(tmp_path: Path) -> None:
    for at, sealed in enumerate((None, keys(OTHER))):
        with zmq.Context.instance().socket(zmq.ROUTER) as sock:
            sock.linger = 0
            if sealed:
                sock.curve_server, sock.curve_secretkey = True, sealed.master
            port = sock.bind_to_random_port("tcp://127.0.0.1")
            log = tmp_path / f"worker {at}"
            begun = locust_process(*worker(port, tmp_path / "w"), log=log, TOKENSWARM_WORKER_TOKEN=TOKEN)
            with begun as process:
                for _ in range(100):
                    if "worker token" in log.read_text():
                        break
                    time.sleep(0.1)
                assert "the same worker token" in log.read_text()
                assert sealed or process.wait(180) == 2
                assert not sock.poll(200)  # not even its name
