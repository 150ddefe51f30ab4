"""A user of ours, and a server that answers what it is told to: what the user asked, and the records it made."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import gevent
from locust.env import Environment
from locust.event import EventHook
from scripted import request, serving

from tokenswarm.metrics.record import Record
from tokenswarm.settings import options
from tokenswarm.settings.settings import settings
from tokenswarm.transport.health import Health
from tokenswarm.users.base import LLMUser
from tokenswarm.users.context import RunContext

MESSAGE = {"role": "assistant", "content": ""}
DONE = {"done": True, "done_reason": "stop", "eval_count": 2, "prompt_eval_count": 9}


@dataclass
class Talk:
    """One user of a server that says what it is told to; the bodies it was sent, the records it made."""

    user: LLMUser
    bodies: list[dict[str, Any]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    def messages(self, turn: int) -> list[tuple[str, str]]:
        """(role, content) of the messages of a turn's body."""
        return [(message["role"], message["content"]) for message in self.bodies[turn]["messages"]]


def as_ours(listener: Callable[..., None]) -> Callable[..., None]:
    """A listener that is taken for one of tokenswarm's, which neither end a user nor look at its answer."""
    listener.__module__ = "tokenswarm.tests"
    return listener


@contextmanager
def talking(kind: type[LLMUser], *answers: dict[str, Any] | None, **chosen: Any) -> Iterator[Talk]:
    """Answers in turn, whole JSON bodies; None is a 500, and after the last one comes silence."""
    left = iter(answers)
    talk: Talk

    def handle(sock: socket.socket) -> None:
        while data := request(sock):
            talk.bodies.append(json.loads(data.partition(b"\r\n\r\n")[2]))
            answer = next(left, {})
            if answer == {}:
                gevent.sleep(60)
            body = json.dumps(answer or {"error": "no"}).encode()
            status = b"200 OK" if answer else b"500 Internal Server Error"
            head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            sock.sendall(head % (status, len(body)) + body)

    with serving(handle) as port:
        defaults = {option.dest: option.initial for option in options.OPTIONS} | {"run_time": None}
        given = {"host": f"http://127.0.0.1:{port}", "model": "m", "run_id": "r", "no_stream": True}
        environment = Environment(user_classes=[kind])
        environment.events.generation = EventHook()
        health = Health()
        environment.tokenswarm = RunContext(settings(SimpleNamespace(**defaults | given | chosen)), 0, health)
        talk = Talk(kind(environment))
        environment.events.generation.add_listener(as_ours(lambda record, **_: talk.records.append(record)))
        talk.user.on_start()
        try:
            yield talk
        finally:
            talk.user.on_stop()
            health.stop()


def chat(text: str = "", **more: Any) -> dict[str, Any]:
    return {"message": {**MESSAGE, "content": text, **more}, **DONE}
