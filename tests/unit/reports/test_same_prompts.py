"""The same prompts through several APIs: what each costs beside the first, by prompts that both answered."""

from typing import Any

import pandas as pd
import pytest

from tokenswarm.reports.parts.same_prompts import PART, same_prompts
from tokenswarm.reports.render.chinese import zh
from tokenswarm.reports.rows import Rows

NATIVE, CHAT, MESSAGES = "/api/chat", "/v1/chat/completions", "/v1/messages"
COSTS_MS = {NATIVE: 0.0, CHAT: 4.0, MESSAGES: 7.0}


def row(number: int, path: str, **changes: Any) -> dict[str, Any]:
    """A prompt of whatever length, to whose TTFT an API adds its own."""
    waits_ms = 100.0 + 37 * (number % 7)
    more = {"prompt_tokens": 20 + number + (3 if path == MESSAGES else 0), "output_tokens": 9}
    times = {"ttft_ms": waits_ms + COSTS_MS[path], "tpot_ms": 10.0, "e2e_ms": 400.0}
    who = {"worker": 0, "round": number, "turn": 1, "endpoint": path, "outcome": "ok"}
    return {**who, **more, **times, **changes}


def frame(rows: list[dict[str, Any]]) -> Any:
    return pd.DataFrame(rows).astype({"round": "Int64", "endpoint": "category"})


def found(rows: list[dict[str, Any]]) -> Any:
    return same_prompts(Rows.of(frame(rows)))


def test_the_difference_is_of_the_same_prompt_whatever_its_length() -> None:
    said = found([row(number, path) for number in range(40) for path in (MESSAGES, NATIVE, CHAT)])
    assert (said["base"], list(said["apis"])) == (NATIVE, [NATIVE, CHAT, MESSAGES])
    assert said["apis"][NATIVE]["against"] is None
    for path, tokens in ((CHAT, 0), (MESSAGES, 3)):
        against = said["apis"][path]["against"]
        assert against["ttft_ms"] == {"mean": COSTS_MS[path], "n": 40, "interval": [COSTS_MS[path]] * 2}
        assert (against["prompt_tokens"]["mean"], against["tpot_ms"]["mean"]) == (tokens, 0)
    assert said["apis"][CHAT]["n"] == 40


def test_only_what_both_answered_is_compared() -> None:
    """Later turns hold what each answered, failures have no time, and workers count their prompts apart."""
    rows = [row(number, path) for number in range(30) for path in (NATIVE, CHAT)]
    rows += [row(number, CHAT, turn=2, ttft_ms=9000.0) for number in range(30)]
    rows += [row(number, NATIVE, worker=1, ttft_ms=5000.0) for number in range(30)]
    rows += [row(30, NATIVE), row(30, CHAT, outcome="timeout", ttft_ms=8000.0)]
    assert found(rows)["apis"][CHAT]["against"]["ttft_ms"] == {"mean": 4.0, "n": 30, "interval": [4.0, 4.0]}


def test_of_few_prompts_nobody_knows_how_sure_it_is() -> None:
    rows = [row(number, path) for number in range(5) for path in (NATIVE, CHAT)]
    assert found(rows)["apis"][CHAT]["against"]["ttft_ms"] == {"mean": 4.0, "n": 5, "interval": None}


@pytest.mark.parametrize("rounds", [None, 1])
def test_without_it_there_is_nothing(rounds: int | None) -> None:
    rows = [row(number, NATIVE, round=rounds) for number in range(5)]
    assert found(rows) is None
    assert PART.section is not None
    made = PART.section({})
    assert (made.lines, made.tables) == ((), ())


def test_it_is_read_as_a_table() -> None:
    assert PART.section is not None
    rows = [row(number, path, ttft_ms=100.0 + number % 3) for number in range(40) for path in (NATIVE, MESSAGES)]
    made = PART.section({"same_prompts": found(rows)})
    assert "40 prompts" in str(made.lines)
    assert not any(str(line[0]) == zh(str(line[0])) for line in made.lines)
    (table,) = made.tables
    first, second = table.rows
    assert (first[0], second[0], first[-2:], second[-3]) == (NATIVE, MESSAGES, ("", ""), "3.00 ± 0")
