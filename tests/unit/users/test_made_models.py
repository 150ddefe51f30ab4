"""What a lifecycle user made is gone when the server says so twice over, and not before."""

import contextlib
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from locust.exception import StopUser

from tokenswarm.load.pacer import ClosedLoop
from tokenswarm.transport.health import Health
from tokenswarm.users import lifecycle
from tokenswarm.users.lifecycle import ManagementAnswer, OllamaLifecycleUser, read
from tokenswarm.users.made_models import SETTLE_S, MadeModels

S = SETTLE_S


def test_a_model_that_is_listed_is_there_whatever_its_delete_said() -> None:
    made = MadeModels()
    made.may_be("mine", 0.0)
    assert made.look(["other:latest", "mine:latest"], 100.0) == (["mine"], [])
    assert made.names() == ("mine",)


def test_a_model_is_gone_when_it_has_not_been_listed_for_a_while() -> None:
    made = MadeModels()
    made.may_be("mine", 0.0)
    assert made.look([], S - 0.1) == ([], [])  # a create that was cut may still make it
    assert made.look(["mine:latest"], S) == (["mine"], [])
    assert made.look([], 2 * S - 0.1) == ([], [])  # one look may have missed it
    assert made.look([], 2 * S) == ([], ["mine"])


def test_the_letters_in_which_a_name_is_listed_do_not_matter() -> None:
    made = MadeModels()
    made.may_be("tokenswarm-20261127T120000Z-run-0-1", 0.0)
    assert made.look(["tokenswarm-20261127t120000z-run-0-1:latest"], 1.0)[0]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"models": [{"name": "a:latest"}, {"model": "b:latest"}, 5, None]}, ["a:latest", "b:latest"]),
        ({"models": []}, []),
        ({"models": None}, None),
        ({"models": 5}, None),
        ({"models": {"name": "a"}}, None),
        ({}, None),
    ],
)
def test_the_list_of_models_may_be_anything(body: Any, names: list[str] | None) -> None:
    assert read(200, "application/json", json.dumps(body).encode()).models() == names
    assert ManagementAnswer("http_error", "HTTP 500", 500, (body,)).models() is None


class Racing(OllamaLifecycleUser):
    """Its server is a set of names: every delete but each third fails, and the model is still there."""

    abstract = True

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.there, self.deletes, self.says = {"a:latest"}, 0, ""

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[ManagementAnswer, int]:
        if path == "/api/tags":
            return ManagementAnswer("ok", said=({"models": [{"name": name} for name in sorted(self.there)]},)), 0
        if path in ("/api/copy", "/api/create"):
            assert body
            self.there.add(f"{body.get('destination') or body['model']}:latest")
            if self.says:
                return ManagementAnswer("http_error", self.says, int(self.says)), 0
        if path == "/api/delete":
            assert body
            self.deletes += 1
            if self.deletes % 3:
                return ManagementAnswer("http_error", "HTTP 404 model not found", 404), 0
            self.there.discard(f"{body['model']}:latest")
        return ManagementAnswer("ok"), 0


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(lifecycle, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(lifecycle, "PAUSE_S", 0.0)
    timeouts = SimpleNamespace(connect_s=1.0, total_s=1.0)
    ask = SimpleNamespace(model="a")
    settings = SimpleNamespace(timeouts=timeouts, ask=ask, run_id="run")
    health = Health()
    numbers = iter(range(10_000))
    run_context = SimpleNamespace(
        settings=settings,
        health=health,
        worker=0,
        next_sequence=numbers.__next__,
        stage=None,
        pacer=ClosedLoop(),
        ending=False,
        left_models=[],
        phase=lambda _: "steady",
    )
    options = SimpleNamespace(pull="", push="")
    events = SimpleNamespace(generation=SimpleNamespace(fire=lambda **_: None))
    monkeypatch.setattr(lifecycle, "ControlClient", lambda *_: SimpleNamespace(close=lambda: None))
    yield SimpleNamespace(tokenswarm=run_context, parsed_options=options, events=events)
    health.stop()


def wait_until_nothing_is_in_flight(environment: Any) -> None:
    with gevent.Timeout(15):
        while environment.tokenswarm.health.in_flight:
            gevent.sleep(0.01)


def test_what_a_round_could_not_delete_goes_in_the_next_ones(environment: Any) -> None:
    user = Racing(environment)
    for _ in range(4):
        user.round()
    assert len(user.there) < 1 + 3 * 4
    assert user.deletes > 3 * 4
    user._clear()
    assert user.there == {"a:latest"}
    wait_until_nothing_is_in_flight(environment)


@pytest.mark.parametrize("end", [KeyboardInterrupt, gevent.GreenletExit, StopUser])
def test_whatever_ends_the_user_what_it_made_is_removed(
    end: type[BaseException], environment: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = Racing(environment)

    def ending() -> float:
        raise end

    monkeypatch.setattr(user, "wait_time", ending)  # after its first round

    def run() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            user.run()

    gevent.spawn(run).join()
    wait_until_nothing_is_in_flight(environment)
    assert user.there == {"a:latest"}
    assert user.deletes > 3


@pytest.mark.parametrize(("status", "kept"), [("502", True), ("504", True), ("429", True), ("404", False)])
def test_only_a_server_that_refuses_has_certainly_made_nothing(status: str, kept: bool, environment: Any) -> None:
    user = Racing(environment)
    user.says = status
    user.round()
    assert (user.deletes > 0) is kept
    user._clear()
    assert (user.there == {"a:latest"}) is kept
