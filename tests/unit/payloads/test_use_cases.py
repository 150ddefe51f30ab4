"""Files of others that were handed to us, where they lie beside this checkout: what is sent against what they say."""

import os
from pathlib import Path

import pytest

from tokenswarm.load.trace import TraceError, arrivals
from tokenswarm.payloads.corpus import read_corpus

CASES = Path(__file__).parents[4] / "shared" / "cases" / "use"
# Of each file: system, first question, output limit, further turns.
ASKED: dict[str, list[tuple[str | None, str, int | None, int]]] = {
    "dolly.jsonl": [(None, "X was in 1990.\n\nWhen did X?", None, 0)],
    "ft.jsonl": [("S", "U", None, 0)],
    "sharegpt_bing.json": [(None, "Q1", None, 0), (None, "Q2", None, 0)],
    "sharegpt_tools.json": [("S", "weather?", None, 2)],
    "wrapped.json": [(None, "a", None, 0), (None, "b", None, 0)],
    "excel_semicolon.csv": [(None, "Hallo, wie geht's?", 20, 0), (None, "Guten Tag", 10, 0)],
    "semi2.csv": [(None, "Hallo", 20, 0), (None, "Guten Tag", 10, 0)],
    "aiperf_text.jsonl": [(None, "hello there", 4, 0), (None, "second", 4, 0)],
}
TIMES = {"secs.jsonl": [0, 1.25, 2.5], "vllm_timed_trace.jsonl": [0, 1.25, 2.5], "aiperf_text.jsonl": [0, 0.5]}


def handed(name: str) -> Path:
    if not CASES.exists():
        assert os.environ.get("CI") != "true", f"{CASES} is not here"
        pytest.skip(f"{CASES} is not here")
    return CASES / name


@pytest.mark.parametrize("name", ASKED)
def test_what_is_sent_is_what_the_file_says(name: str) -> None:
    prompts = read_corpus(handed(name))
    assert [(one.system, one.text, one.max_tokens, len(one.then)) for one in prompts] == ASKED[name]


@pytest.mark.parametrize("name", TIMES)
def test_times_are_those_of_the_file(name: str) -> None:
    path = str(handed(name))
    if name != "aiperf_text.jsonl":  # fractions: s, or ms?
        with pytest.raises(TraceError, match="give --trace-time-unit"):
            list(arrivals(path))
    found = list(arrivals(path, unit="" if name == "aiperf_text.jsonl" else "s"))
    assert [one.at_s for one in found] == TIMES[name]


def test_no_handed_file_is_left_out() -> None:
    data = {path.name for path in handed("").iterdir() if path.suffix in (".json", ".jsonl", ".csv")}
    assert data == {*ASKED, *TIMES}
