"""OllamaLifecycleUser: the management endpoints under load; what it creates it removes again."""

import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gevent
from locust import User, constant, task

from tokenswarm.metrics.record import Identity, Record
from tokenswarm.settings.redaction import cleaned
from tokenswarm.transport.control import ControlClient, Unanswered, objects, question, text_in
from tokenswarm.transport.listing import full_name
from tokenswarm.users.base import Work
from tokenswarm.wire import reading
from tokenswarm.wire.decoding import decoded

OUTCOMES = {"refused": "refused", "tls": "refused", "timeout": "timeout", "closed": "truncated"} | {
    "protocol": "protocol_error"
}
TRIES, PAUSE_S = 5, 1.0  # to remove what was created, at the end


@dataclass(frozen=True, slots=True)
class Answer:
    """How one call ended: outcome, error, status, and its JSON objects (one, or one a line of NDJSON)."""

    outcome: str
    error: str = ""
    status: int | None = None
    said: tuple[dict[str, Any], ...] = ()


class OllamaLifecycleUser(User):
    """Rounds of version, tags, ps, show, copy, create (streamed and not), delete; pull and push only of what is named.

    Each call is a row and a request in Locust's statistics. It copies `--model`, and creates from it, under names of
    its own; only these are ever deleted, in the round, at the end of the run, or when it is cut.
    """

    only_named = ollama_only = True
    wait_time = constant(1)

    def on_start(self) -> None:
        """A connection of its own."""
        self.work: Work = self.environment.tokenswarm
        options: Any = self.environment.parsed_options
        self._client = ControlClient(self.work.settings, self.work.settings.timeouts.total_s)
        self._pull, self._push = options.pull, options.push
        self._made: set[str] = set()

    def on_stop(self) -> None:
        """Remove what is left, in a greenlet of its own: this one may be killed while it waits."""
        gevent.spawn(self._clear).join()

    @task
    def round(self) -> None:
        """One round of all calls."""
        if self.work.trials:
            self.work.trials.enter(self)
        model = self.work.settings.ask.model
        self.call("GET", "/api/version")
        listed = self.call("GET", "/api/tags")
        self.call("GET", "/api/ps")
        self.call("POST", "/api/show", model, {"model": model})
        if listed.outcome == "ok" and listed.said:  # an empty 200 says nothing of what must not be touched
            there = {text_in(one, "name") for one in objects(listed.said[0], "models")}
            self._make(there, "/api/copy", lambda name: {"source": model, "destination": name})
            self._make(there, "/api/create", lambda name: {"model": name, "from": model})
            self._make(there, "/api/create", lambda name: {"model": name, "from": model, "stream": False})
        for path, name in (("/api/pull", self._pull), ("/api/push", self._push)):
            if name:
                self.call("POST", path, name, {"model": name})

    def delete(self, name: str) -> None:
        """Delete a model that this user has made. Raises ValueError, and asks nothing, for any other."""
        if name not in self._made:
            raise ValueError(f"{name} was not created by this user")
        answer = self.call("DELETE", "/api/delete", self.work.settings.ask.model, {"model": name})
        if answer.outcome == "ok" or answer.status == 404:
            self._forget(name)

    def call(self, method: str, path: str, model: str = "", body: dict[str, Any] | None = None) -> Answer:
        """One call, its row and its Locust request. `model` is what the row says of it."""
        work = self.work
        who = (work.worker, work.next_sequence(), type(self).__name__, path, model, "", None)
        identity = Identity(*who, method=method, stage=work.stage)
        record = Record(identity, "cancelled", streamed=False, sent_ns=time.time_ns(), phase=work.phase(self))
        answer, size = Answer("cancelled", "cut: its user was stopped"), 0
        work.health.in_flight += 1
        try:
            answer, size = self._ask(method, path, body)
        finally:
            work.health.in_flight -= 1
            phase = "drain" if work.ending and record.phase != "warm-up" else record.phase
            ended = replace(record, outcome=answer.outcome, error=answer.error, status=answer.status, phase=phase)
            self._tell(cleaned(replace(ended, ended_ns=time.time_ns())), size)
        return answer

    def _tell(self, record: Record, size: int) -> None:
        events: Any = self.environment.events
        events.generation.fire(record=record, response_bytes=size)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[Answer, int]:
        try:
            reply = self._client.send(question(method, path, body))
        except Unanswered as error:
            return Answer(OUTCOMES[error.reason], str(error), error.status), 0
        return read(reply.status, reply.content_type, reply.body), len(reply.body)

    def _make(self, there: set[str | None], path: str, body: Callable[[str], dict[str, Any]]) -> None:
        """Have a model made under a name that nobody has, and delete it."""
        run = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.work.settings.run_id)[:40]
        name = f"tokenswarm-{run}-{self.work.worker}-{self.work.next_sequence()}"
        if full_name(name) in there:
            return  # somebody else's: it would be overwritten
        # Before it is asked for: whatever cuts the call, its model may exist. The run waits until it is gone.
        self._made.add(name)
        self.work.health.in_flight += 1
        answer = self.call("POST", path, self.work.settings.ask.model, body(name))
        if answer.outcome == "http_error":
            self._forget(name)
        else:
            self.delete(name)

    def _forget(self, name: str) -> None:
        self._made.discard(name)
        self.work.health.in_flight -= 1

    def _clear(self) -> None:
        for left in reversed(range(TRIES)):
            for name in tuple(self._made):
                self.delete(name)
            if self._made and left:
                gevent.sleep(PAUSE_S)
        for name in tuple(self._made):
            print(f"tokenswarm: warning: {name} could not be removed: ollama rm {name}", file=sys.stderr)
            self._forget(name)
        self._client.close()


def read(status: int, content_type: str, body: bytes) -> Answer:
    """The verdict on a management answer: status 200 says nothing where lines are streamed, an error may be in any."""
    if status not in (200, 201):
        text = f"HTTP {status} {reading.error_text(body)}".strip()[:300]
        return Answer("http_error", text, status)
    try:
        said = tuple(decoded(line) for line in body.split(b"\n") if line.strip())
    except ValueError:
        return Answer("protocol_error", f"not JSON: {body[:60]!r}", status)
    if not all(isinstance(one, dict) for one in said):
        return Answer("protocol_error", f"not a JSON object: {body[:60]!r}", status)
    failed = next((one["error"] for one in said if one.get("error") is not None), None)
    if failed is not None:
        return Answer("server_error", str(failed)[:300], status, said)
    if "ndjson" in content_type and (not said or said[-1].get("status") != "success"):
        return Answer("truncated", 'the body ended without {"status":"success"}', status, said)
    return Answer("ok", "", status, said)
