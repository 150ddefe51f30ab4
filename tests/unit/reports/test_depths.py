"""By depth of the context: rates of what is such a test, all else left out and said."""

from typing import Any

import pandas as pd
import pytest

from tokenswarm.reports.parts.depths import PART, bench_lines, depths


def row(prompt_id: str, **changes: Any) -> dict[str, Any]:
    """A request of a server with durations; behind 4,096 tokens, of which it has kept all but a block."""
    second = prompt_id.endswith("prefill")
    tokens = {"prompt_tokens": 4608 if second else 4096, "cached_tokens": 4080 if second else 0, "output_tokens": 128}
    times = {"ttft_ms": 300.0, "tpot_ms": 10.0, "prompt_tokens_per_s": 2000.0, "decode_tokens_per_s": 100.0}
    return {"prompt_id": prompt_id, "outcome": "ok", **tokens, **times, **changes}


def found(*rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    frame = pd.DataFrame(rows).astype(dict.fromkeys(("prompt_tokens", "cached_tokens", "output_tokens"), "Int64"))
    return {entry["test"]: entry for entry in depths(frame, 512, 128)}


def section(entries: dict[str, dict[str, Any]]) -> Any:
    assert PART.section is not None
    return PART.section({"depths": [*entries.values()]})


def test_each_depth_has_its_rows_as_llama_bench_names_them() -> None:
    first = [row("d0 context", prompt_tokens=25), row("d0 prefill", prompt_tokens=512, cached_tokens=3)]
    behind = [row("d4096 context"), row("d4096 prefill", prompt_tokens_per_s=1800.0)]
    entries = found(*first, *behind, row("d4096 prefill", prompt_tokens_per_s=1600.0), row("made-up"))
    assert [*entries] == ["pp512", "tg128", "pp512 @ d4096", "tg128 @ d4096", "pp4096"]
    behind_4096 = entries["pp512 @ d4096"]
    assert (behind_4096["per_s"]["mean"], behind_4096["per_s"]["n"]) == (1700.0, 2)
    assert behind_4096["per_s"]["sd"] == pytest.approx(141.42, abs=0.01)
    assert behind_4096["cached_tokens"] == 4080
    assert {entry["timed_by"] for entry in entries.values()} == {"server"}
    assert bench_lines({"depths": [*entries.values()]}) == [
        "pp512 2,000 t/s, tg128 100 t/s",
        "pp512 @ d4096 1,700 ± 141 t/s, tg128 @ d4096 100 t/s, pp4096 2,000 t/s",
    ]


def test_a_server_without_durations_is_timed_by_the_client() -> None:
    none = {"prompt_tokens_per_s": None, "decode_tokens_per_s": None}
    entries = found(row("d4096 context", ttft_ms=2048.0, **none), row("d4096 prefill", ttft_ms=264.0, **none))
    assert {test: (entry["per_s"]["mean"], entry["timed_by"]) for test, entry in entries.items()} == {
        "pp512 @ d4096": (2000.0, "client"),  # of what was not cached
        "tg128 @ d4096": (100.0, "client"),
        "pp4096": (2000.0, "client"),
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cached_tokens": 0}, "pp512 @ d4096: 1 request left out: prompts of 4,608 tokens, of which 0 were cached."),
        ({"cached_tokens": 4600}, "of which 4,600 were cached"),
        ({"cached_tokens": None}, "the server does not say how many tokens it had cached"),
        ({"prompt_tokens": 2048, "cached_tokens": 1536}, "prompts of 2,048 tokens, of which 1,536 were cached"),
        ({"prompt_tokens": None}, "prompts of – tokens"),
    ],
)
def test_a_prefill_of_more_or_less_than_the_new_text_has_no_rate(changes: dict[str, Any], said: str) -> None:
    """The context was evaluated anew, or the new text was known, or was cut, or nobody knows."""
    entries = found(row("d4096 prefill", **changes))
    assert (entries["pp512 @ d4096"]["per_s"]["n"], entries["pp512 @ d4096"]["left_out"]) == (0, 1)
    assert said in str(section(entries).lines)
    assert bench_lines({"depths": [*entries.values()]}) == ["pp512 @ d4096 –"]


def test_a_context_that_was_cut_or_cached_is_none() -> None:
    """Ollama's window is 4,096 tokens where nobody asks for more: what it decodes then is behind these."""
    cut = found(row("d16384 context", prompt_tokens=4096))
    assert {test: entry["per_s"]["n"] for test, entry in cut.items()} == {"tg128 @ d16384": 0, "pp16384": 0}
    known = found(row("d4096 context", cached_tokens=4000))
    assert {test: entry["per_s"]["n"] for test, entry in known.items()} == {"tg128 @ d4096": 1, "pp4096": 0}


def test_failures_have_no_rate_and_a_run_without_depths_no_section() -> None:
    assert found(row("d4096 prefill", outcome="timeout")) == {}
    made = section({})
    assert (made.lines, made.tables) == ((), ())
