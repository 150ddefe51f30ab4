"""The clients that are compared, as Locust users: ours, and what one would write with `requests`.

Both ask /api/chat for the same prompts. With BENCH_REQUESTS=N each user asks N times, and the run, of one process,
ends when all have; else `--run-time` ends it. With BENCH_STAGGER_S=0 they begin in step, as Locust starts them. Each
process leaves what it believed in a file `$BENCH_SEEN.<role or worker's number>`:

    cpu_test_s   CPU time from test_start to test_stop; cpu_s: all of the process and its children
    peak_mb      greatest resident size until test_stop (in it are the answers that OursUser keeps for the comparison)
    steady_ns    when the last of the users was up, wall-clock ns; null in a process without users
    seen         [[request id, sent, [arrivals of chunks with output], ended], …] of what ended ok, wall-clock ns
"""

import itertools
import json
import os
import resource
import time
import uuid
from pathlib import Path
from typing import Any

import gevent
import requests
from locust import User, events, task
from locust.runners import MasterRunner

import locustfile
from tokenswarm.metrics.record import Record
from tokenswarm.users.ollama import OllamaChatUser
from tokenswarm.wire import ollama_chat, reading
from tokenswarm.wire.values import Transcript

__all__ = ["OursUser", "PlainRequestsUser"]

FOREVER_S = 1e6
# Locust starts users once a second, many at a time; they begin spread over that second, as people would.
STAGGER_S = float(os.environ.get("BENCH_STAGGER_S", "1"))
# To hinder a client on purpose: its event loop is kept busy for so long, again and again.
BUSY_MS = float(os.environ.get("BENCH_BUSY_MS", "0"))
QUOTA = int(os.environ.get("BENCH_REQUESTS", "0"))

Seen = tuple[str, int, list[int], int]


class Process:
    """What this process notes down."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        # Ours are read a second time for their arrivals, after the CPU time has been taken.
        self.kept: list[tuple[str, Record, Transcript]] = []
        self.next_user = itertools.count().__next__
        self.ended_users = 0
        self.steady_ns: int | None = None
        self.began_cpu_s = self.cpu_test_s = self.peak_mb = 0.0


process = Process()


def _begin(user: Any) -> None:
    user.place, user.asked = process.next_user(), 0
    gevent.sleep(user.place * 0.618034 % 1 * STAGGER_S)


def _wait_s(user: Any) -> float:
    """Seconds until the user's next request. One that is done stays: Locust would start another in its place."""
    user.asked += 1
    if not QUOTA or user.asked < QUOTA:
        return 0.0
    process.ended_users += 1
    if process.ended_users >= user.environment.runner.target_user_count:
        gevent.spawn(user.environment.runner.quit)  # not here, in the greenlet of a user
    return FOREVER_S


class OursUser(OllamaChatUser):
    """The suite's own user."""

    wait_time = _wait_s if QUOTA else OllamaChatUser.wait_time

    def on_start(self) -> None:
        super().on_start()
        _begin(self)

    def _tell(self, record: Record, transcript: Transcript) -> None:
        super()._tell(record, transcript)
        if record.outcome == "ok":
            who = record.identity
            process.kept.append((f"{self.run_context.settings.run_id}-{who.worker}-{who.sequence}", record, transcript))


class PlainRequestsUser(User):
    """`requests` with `iter_lines`, JSON read as it comes, the clock asked at every line."""

    wait_time = _wait_s

    def on_start(self) -> None:
        self.session = requests.Session()
        self.session.trust_env, self.session.verify = False, not self.environment.parsed_options.insecure
        _begin(self)

    def note(self, path: str, request_id: str, sent_ns: int, arrivals_ns: list[int]) -> None:
        """What a request came to that has just ended ok."""
        ended_ns = time.time_ns()
        process.seen.append((request_id, sent_ns, arrivals_ns, ended_ns))
        about = {"request_type": "POST", "name": path, "response_length": 0, "exception": None, "context": {}}
        self.environment.events.request.fire(response_time=(ended_ns - sent_ns) / 1e6, **about)

    @task
    def ask(self) -> None:
        """One request."""
        settings = self.environment.tokenswarm.settings
        call = ollama_chat.build(settings.mix.pick(self.place, self.asked), settings.ask)
        headers = {**dict(call.headers), "X-Request-Id": (request_id := uuid.uuid4().hex)}
        arrivals, done = [], False
        sent_ns = time.time_ns()
        with self.session.post(settings.target.url + call.path, data=call.body, headers=headers, stream=True) as answer:
            for line in answer.iter_lines():
                said = json.loads(line)
                if said["message"].get("content"):
                    arrivals.append(time.time_ns())
                done = said["done"]
        if done:
            self.note(call.path, request_id, sent_ns, arrivals)


@events.init.add_listener
def _on_init(environment: Any, runner: Any, **_: Any) -> None:
    # Last of all: with half a million chunks to read again, a worker would miss its heartbeats.
    environment.events.quit.add_listener(lambda **_: _write(runner))


@events.test_start.add_listener
def _on_test_start(**_: Any) -> None:
    process.began_cpu_s = time.process_time()
    if BUSY_MS:
        gevent.spawn(_hinder)


def _hinder() -> None:
    while True:
        until_s = time.monotonic() + BUSY_MS / 1e3
        while time.monotonic() < until_s:
            pass
        gevent.sleep(0.02)


@events.spawning_complete.add_listener
def _on_spawning_complete(**_: Any) -> None:
    process.steady_ns = time.time_ns() + int(STAGGER_S * 1e9)


@events.test_stop.add_listener
def _on_test_stop(**_: Any) -> None:
    process.cpu_test_s = time.process_time() - process.began_cpu_s
    process.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _write(runner: Any) -> None:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    for request_id, record, transcript in process.kept:
        arrivals = [chunk.ns for chunk in reading.each_chunk(ollama_chat, transcript) if chunk.output]
        assert record.sent_ns is not None
        assert record.ended_ns is not None
        process.seen.append((request_id, record.sent_ns, arrivals, record.ended_ns))
    is_master = isinstance(runner, MasterRunner)
    said = {
        "cpu_test_s": process.cpu_test_s,
        "cpu_s": sum(usage.ru_utime + usage.ru_stime for usage in usages),
        "peak_mb": process.peak_mb,
        "steady_ns": None if is_master else process.steady_ns,
        "seen": process.seen,
    }
    path = Path(f"{os.environ['BENCH_SEEN']}.{'master' if is_master else max(0, runner.worker_index)}")
    new = path.with_name(f".{path.name}")
    new.write_text(json.dumps(said))
    new.rename(path)


assert locustfile  # its listeners are what makes our user run
