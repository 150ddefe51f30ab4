"""The probe's client: a request that the server loses is given up soon, and asked again."""

import json
import socket

import pytest
from doors import Door
from options import parsed
from scripted import request, serving, whole

from tokenswarm.probe import client, slots
from tokenswarm.probe.client import ProbeClient
from tokenswarm.settings.settings import settings
from tokenswarm.wire import ollama_generate, openai_chat
from tokenswarm.wire.values import Ask

SAID = {"response": "hi", "done": True, "done_reason": "length", "prompt_eval_count": 9, "eval_count": 1}


def answers(sock: socket.socket) -> None:
    while request(sock):
        sock.sendall(whole(json.dumps(SAID).encode()))


def answers_once(sock: socket.socket) -> None:
    request(sock)
    sock.sendall(whole(json.dumps(SAID).encode()))
    while request(sock):
        pass  # and never says a word again


def test_a_lost_request_is_asked_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(client, "LEAST_S", 0.05)
    monkeypatch.setattr(client, "TIMES", 0)
    with serving(answers_once, answers) as port:
        asker = ProbeClient(settings(parsed("--host", f"http://127.0.0.1:{port}")), ollama_generate, Ask("m"))
        found = [asker.one(asker.prompt(), 1).outcome for _ in range(3)]
        asker.close()
    assert (found, asker.lost, asker.requests) == (["ok"] * 3, 1, 4)
    assert "the server lost 1 of 1 requests" in capsys.readouterr().err


def silent(sock: socket.socket) -> None:
    while request(sock):
        pass


def test_a_burst_that_is_lost_again_and_again_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LEAST_S", 0.05)
    monkeypatch.setattr(client, "TIMES", 0)
    with serving(answers, silent) as port:
        asker = ProbeClient(settings(parsed("--host", f"http://127.0.0.1:{port}")), ollama_generate, Ask("m"))
        single = asker.one(asker.prompt(), 1)
        found, _ = slots.slots(asker, [single], 2)
        asker.close()
    assert found.value is None
    assert found.how == "of 2 sent together one failed: the server never answered it"
    assert asker.lost == 3


@pytest.mark.parametrize(
    ("looks", "others"),
    [
        ([[True, True, False], [True, True, True]], 2),
        ([[True, False, False], [False] * 3], 0),  # it was just ending
        ([[False] * 3], 0),
        (["no"], 0),
    ],
)
def test_slots_that_work_for_others_are_said(
    looks: list[list[bool]], others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "QUIET_S", 0.001)
    asked = iter(looks)
    props = whole(json.dumps({"total_slots": 3}).encode())

    def at_work(_: bytes) -> bytes:
        return whole(json.dumps([{"is_processing": busy} for busy in next(asked)]).encode())

    with serving(Door({"/props": lambda _: props, "/slots": at_work}).handle) as port:
        asker = ProbeClient(settings(parsed("--host", f"http://127.0.0.1:{port}")), openai_chat, Ask("m"))
        found = slots.read_slots(asker)
        asker.close()
    assert found is not None
    assert (found.value, found.how.partition(" of them")[0][-1:]) == (3, str(others) if others else "s")
    assert ("/slots" in found.how) == bool(others)
