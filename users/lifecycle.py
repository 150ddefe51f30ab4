"""OllamaLifecycleUser: the management endpoints under load; what it creates it removes again."""

import re
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from locust import User, constant, task

from tokenswarm.metrics.record import Identity, Record
from tokenswarm.settings.redaction import clean_record
from tokenswarm.transport.control import ControlClient, Unanswered, objects, question, text_in
from tokenswarm.transport.listing import full_name
from tokenswarm.users.context import RunContext
from tokenswarm.users.made_models import MadeModels
from tokenswarm.users.waiting import take_turn
from tokenswarm.wire.decoding import decode
from tokenswarm.wire.errors import text as error_text

OUTCOMES = {"refused": "refused", "tls": "refused", "timeout": "timeout", "closed": "truncated"} | {
    "protocol": "protocol_error"
}
# When a user stops, to remove what it made: for so long in all, for an answer, and between two looks at what is left.
CLEAR_S, CLEAR_ANSWER_S, FIRST_PAUSE_S, PAUSE_S = 10.0, 2.0, 0.1, 1.0
# Status codes of a copy or create that made nothing and will not; a gateway's 408, 429 or 5xx says nothing of it.
REFUSED = frozenset({400, 401, 403, 404, 405, 413, 415, 422, 501})


@dataclass(frozen=True, slots=True)
class ManagementAnswer:
    """How one call ended: outcome, error, status, and its JSON objects (one, or one a line of NDJSON)."""

    outcome: str
    error: str = ""
    status: int | None = None
    said: tuple[dict[str, Any], ...] = ()

    def models(self) -> list[str] | None:
        """The names that /api/tags listed; None where it has not said."""
        if self.outcome != "ok" or not self.said or not isinstance(self.said[0].get("models"), list):
            return None
        return [text_in(one, "name") or text_in(one, "model") or "" for one in objects(self.said[0], "models")]


class OllamaLifecycleUser(User):
    """Rounds of version, tags, ps, show, copy, create (streamed and not), delete; pull and push only of what is named.

    Each call is a row and a request in Locust's statistics. It copies `--model`, and creates from it, under names of
    its own; only these are ever deleted: in the round, what is left of them in the next one, and when the user stops.
    """

    only_named = ollama_only = True
    wait_time = constant(1)
    _clearing = BoundedSemaphore()  # of users that stop together, one deletes at a time: deletes race with each other

    def __init__(self, environment: Any) -> None:
        """A connection of its own."""
        super().__init__(environment)
        self.run_context = RunContext.of(environment)
        options: Any = environment.parsed_options
        self._client = ControlClient(self.run_context.settings, self.run_context.settings.timeouts.total_s)
        self._pull, self._push = options.pull, options.push
        self._made = MadeModels()

    def run(self) -> None:
        """Locust's own; whatever ends it (Ctrl-C is raised wherever Python is just then), what it made is removed.

        In a greenlet of its own: this one may be killed while it waits. The end of the run waits for it.
        """
        try:
            super().run()
        finally:
            gevent.spawn(self._clear)

    @task
    def round(self) -> None:
        """One round of all calls."""
        take_turn(self, self.run_context.pacer, begins=False)
        model = self.run_context.settings.ask.model
        self.call("GET", "/api/version")
        listed = self.call("GET", "/api/tags")
        self.call("GET", "/api/ps")
        self.call("POST", "/api/show", model, {"model": model})
        there = listed.models()
        if there is not None:  # else it is not known what must not be touched
            self._delete_again(there)
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
        if self.call("DELETE", "/api/delete", self.run_context.settings.ask.model, {"model": name}).outcome == "ok":
            self._forget(name)

    def call(self, method: str, path: str, model: str = "", body: dict[str, Any] | None = None) -> ManagementAnswer:
        """One call, its row and its Locust request. `model` is what the row says of it."""
        run_context = self.run_context
        who = (run_context.worker, run_context.next_sequence(), type(self).__name__, path, model, "", None)
        identity = Identity(*who, method=method, stage=run_context.stage)
        record = Record(identity, "cancelled", streamed=False, sent_ns=time.time_ns(), phase=run_context.phase(self))
        answer, size = ManagementAnswer("cancelled", "cut: its user was stopped"), 0
        run_context.health.in_flight += 1
        try:
            answer, size = self._ask(method, path, body)
        finally:
            run_context.health.in_flight -= 1
            phase = "drain" if run_context.ending and record.phase != "warm-up" else record.phase
            ended = replace(record, outcome=answer.outcome, error=answer.error, status=answer.status, phase=phase)
            self._tell(clean_record(replace(ended, ended_ns=time.time_ns())), size)
        return answer

    def _tell(self, record: Record, size: int) -> None:
        events: Any = self.environment.events
        events.generation.fire(record=record, response_bytes=size)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[ManagementAnswer, int]:
        try:
            reply = self._client.send(question(method, path, body))
        except Unanswered as error:
            return ManagementAnswer(OUTCOMES[error.reason], str(error), error.status), 0
        return read(reply.status, reply.content_type, reply.body), len(reply.body)

    def _make(self, there: Collection[str], path: str, body: Callable[[str], dict[str, Any]]) -> None:
        """Have a model made under a name that nobody has, and delete it."""
        run = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.run_context.settings.run_id)[:40]
        name = f"tokenswarm-{run}-{self.run_context.worker}-{self.run_context.next_sequence()}"
        if full_name(name) in there:
            return  # somebody else's: it would be overwritten
        # Before it is asked for: whatever cuts the call, its model may exist. The run waits until it is gone.
        self._made.may_be(name, time.monotonic())
        self.run_context.health.in_flight += 1
        try:
            answer = self.call("POST", path, self.run_context.settings.ask.model, body(name))
        finally:
            self._made.may_be(name, time.monotonic())
        if answer.outcome == "http_error" and answer.status in REFUSED:
            self._forget(name)
        else:
            self.delete(name)

    def _delete_again(self, listed: Collection[str]) -> None:
        """By a list of the models there are: what is still there, though a delete or a create has failed."""
        there, gone = self._made.look(listed, time.monotonic())
        for name in gone:
            self._forget(name)
        for name in there:
            self.delete(name)

    def _forget(self, name: str) -> None:
        self._made.forget(name)
        self.run_context.health.in_flight -= 1

    def _clear(self) -> None:
        """Delete what may be left, look, and delete again, until all is gone or there is no more time."""
        self._client.close()  # it may be in the middle of an answer
        self._client = ControlClient(self.run_context.settings, CLEAR_ANSWER_S)
        until_s, pause_s, listed = time.monotonic() + CLEAR_S, FIRST_PAUSE_S, None
        while len(self._made):
            with self._clearing:
                if listed is not None:
                    self._delete_again(listed)
                else:
                    for name in self._made.names():
                        self.delete(name)
            if not len(self._made) or time.monotonic() + pause_s > until_s:
                break
            gevent.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S)
            listed = self.call("GET", "/api/tags").models()
        for name in self._made.names():
            print(f"tokenswarm: warning: {name} could not be removed: ollama rm {name}", file=sys.stderr)
            self.run_context.left_models.append(name)
            self._forget(name)
        self._client.close()


def read(status: int, content_type: str, body: bytes) -> ManagementAnswer:
    """The verdict on a management answer: status 200 says nothing where lines are streamed, an error may be in any."""
    if status not in (200, 201):
        text = f"HTTP {status} {error_text(body)}".strip()[:300]
        return ManagementAnswer("http_error", text, status)
    try:
        said = tuple(decode(line) for line in body.split(b"\n") if line.strip())
    except ValueError:
        return ManagementAnswer("protocol_error", f"not JSON: {body[:60]!r}", status)
    if not all(isinstance(one, dict) for one in said):
        return ManagementAnswer("protocol_error", f"not a JSON object: {body[:60]!r}", status)
    failed = next((one["error"] for one in said if one.get("error") is not None), None)
    if failed is not None:
        return ManagementAnswer("server_error", str(failed)[:300], status, said)
    if "ndjson" in content_type and (not said or said[-1].get("status") != "success"):
        return ManagementAnswer("truncated", 'the body ended without {"status":"success"}', status, said)
    return ManagementAnswer("ok", "", status, said)
