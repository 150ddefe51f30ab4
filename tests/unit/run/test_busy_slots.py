"""llama.cpp's /slots: what is counted, and answers that are none."""

import json

import pytest
from doors import Door
from options import parsed
from scripted import serving, whole

from tokenswarm.run import server_side
from tokenswarm.run.busy_slots import BusySlots
from tokenswarm.run.scraper import NoReading, Sample
from tokenswarm.run.server_side import at_rest
from tokenswarm.settings.settings import settings


def slot(busy: object) -> dict[str, object]:
    return {"id": 0, "n_ctx": 2048, "is_processing": busy, "params": {"stream": True}}


def look(body: bytes) -> list[Sample]:
    with serving(Door({"/slots": lambda _: whole(body)}).handle) as port:
        slots = BusySlots(settings(parsed("--host", f"http://127.0.0.1:{port}", "--model", "m")))
        try:
            assert slots.name == f"http://127.0.0.1:{port}/slots"
            return slots.look()
        finally:
            slots.close()


def test_those_at_work_are_counted() -> None:
    body = json.dumps([slot(True), slot(False), slot(True), slot(True)]).encode()
    assert look(body) == [Sample("llamacpp_slots_processing", "of=4", 3.0)]


@pytest.mark.parametrize("said", [[], {}, "no", [1], [slot("yes")], [slot(None)], {"error": {"code": 501}}])
def test_what_lists_no_slots_tells_nothing(said: object) -> None:
    with pytest.raises(NoReading):
        look(json.dumps(said).encode())


@pytest.mark.parametrize(
    ("engine", "answer", "watched"),
    [("llama.cpp", json.dumps([slot(False)]), 1), ("llama.cpp", "no", 0), ("vLLM", json.dumps([slot(False)]), 0)],
)
def test_only_a_llama_cpp_that_tells_them_is_watched(
    engine: str, answer: str, watched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_side.power, "local", list)
    with serving(Door({"/slots": lambda _: whole(answer.encode())}).handle) as port:
        rest = at_rest(parsed("--host", f"http://127.0.0.1:{port}", "--model", "m"), engine)
    assert (len(rest.watched), len(rest.lines)) == (watched, watched)
