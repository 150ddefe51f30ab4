"""Before the load, whoever waits is told what for."""

import time

import gevent
import pytest

from tokenswarm.preflight import waiting
from tokenswarm.preflight.waiting import describe_step, step


def test_what_takes_long_is_said_with_its_seconds_and_what_does_not_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s, slept_s = [100.0], []

    def sleep(seconds: float) -> None:
        slept_s.append(seconds)
        now_s[0] += seconds
        if len(slept_s) == 4:
            raise gevent.GreenletExit

    with step("asking http://box:11434"):
        pass
    assert (describe_step(), capsys.readouterr().err) == ("", "")
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(waiting.gevent, "sleep", sleep)
    with step("warming up qwen3:8b", "loading"):
        gevent.idle()
        assert describe_step() == "warming up qwen3:8b (loading, 31 s)"
        with step("asking http://box"):
            assert describe_step() == "asking http://box (0 s)"
        assert describe_step().startswith("warming up")
    said = capsys.readouterr().err.splitlines()
    assert said == [f"tokenswarm: warming up qwen3:8b (loading, {s} s) …" for s in (1, 11, 21)]
    assert describe_step() == ""
