"""The clients that are compared, as Locust users: ours, and what one would write with `requests`.

Both ask /api/chat for the same prompts, keep the arrival of every chunk with output, and leave them with the CPU time
of their process in the file that BENCH_SEEN names.
"""

import json
import os
import time
import uuid
from typing import Any

import requests
from locust import User, constant, events, task

import locustfile
from metrics.record import Record
from users.ollama import OllamaChatUser
from wire import ollama_chat, reading
from wire.values import Transcript

__all__ = ["OursUser", "PlainRequestsUser"]

# (request id, sent, arrivals), wall-clock ns
_seen: list[tuple[str, int, list[int]]] = []
# Ours are read a second time for their arrivals, after the CPU time has been taken.
_kept: list[tuple[str, int, Transcript]] = []
_began_cpu_s = 0.0


class OursUser(OllamaChatUser):
    """The suite's own user."""

    def _tell(self, record: Record, transcript: Transcript) -> None:
        super()._tell(record, transcript)
        if record.outcome == "ok" and record.sent_ns is not None:
            work, who = self.work, record.identity
            _kept.append((f"{work.settings.run_id}-{who.worker}-{who.sequence}", record.sent_ns, transcript))


class PlainRequestsUser(User):
    """`requests` with `iter_lines`, JSON read as it comes, the clock asked at every line."""

    wait_time = constant(0)

    def on_start(self) -> None:
        self.session = requests.Session()
        self.count = 0

    @task
    def ask(self) -> None:
        settings = self.environment.tokenswarm.settings
        call = ollama_chat.build(settings.mix.pick(id(self) % 1000, self.count), settings.ask)
        self.count += 1
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
            _seen.append((request_id, sent_ns, arrivals))
        self.environment.events.request.fire(
            request_type="POST",
            name=call.path,
            response_time=(time.time_ns() - sent_ns) / 1e6,
            response_length=0,
            exception=None,
            context={},
        )


@events.test_start.add_listener
def _begin(**_: Any) -> None:
    global _began_cpu_s
    _began_cpu_s = time.process_time()


@events.test_stop.add_listener
def _end(**_: Any) -> None:
    cpu_s = time.process_time() - _began_cpu_s
    for request_id, sent_ns, transcript in _kept:
        arrivals = [chunk.ns for chunk in reading.chunks(ollama_chat, transcript) if chunk.output]
        _seen.append((request_id, sent_ns, arrivals))
    with open(os.environ["BENCH_SEEN"], "w") as file:
        json.dump({"cpu_s": cpu_s, "seen": _seen}, file)


assert locustfile  # its listeners are what makes our user run
