"""`tokenswarm ab`: the plan of runs in turns, and what is no plan."""

import pytest

from tokenswarm.ab import main, plan

COMMON = ("--model", "sim", "--users", "4", "--spawn-rate", "4", "--run-time", "4s", "OllamaChatUser")

HOSTS = ("--a", "--host http://127.0.0.1:1", "--b", "--host http://127.0.0.1:2")


def test_sides_take_turns_so_that_what_drifts_meets_both() -> None:
    made = plan(["--rounds", "3", *HOSTS, *COMMON])
    assert "".join(side for _, side in made.turns) == "abbaab"
    assert made.sides["a"][-2:] == ["--host", "http://127.0.0.1:1"]
    assert made.sides["b"][-2:] == ["--host", "http://127.0.0.1:2"]


def test_sides_may_differ_in_any_option() -> None:
    sides = ("--a", "--options num_ctx=4096", "--b", "--options num_ctx=8192 --no-stream")
    made = plan([*sides, "--host", "http://127.0.0.1:1", *COMMON, "--fail-on", "tpot_ms mean +5%"])
    assert made.rounds == 5
    assert made.sides["b"][-3:] == ["--options", "num_ctx=8192", "--no-stream"]
    assert made.compare == ("--lang", "en", "--fail-on", "tpot_ms mean +5%")


BAD = {
    "give both sides": ["--a", "", *COMMON],
    "--run-time": [*HOSTS, "--model", "sim"],
    "B: which server?": ["--a", "--host http://127.0.0.1:1", "--b", "", *COMMON],
    "no option ▸--nonsense◂": [*HOSTS[:-1], "--nonsense --host http://127.0.0.1:2", *COMMON],
    "is too small or too large": ["--rounds", "1", *HOSTS, *COMMON],
    "No closing quotation": [*HOSTS[:-1], "--name 'x", *COMMON],
    "--find-capacity is nothing for runs in turns": [*HOSTS, *COMMON, "--find-capacity"],
    "compare runs of yours": [*HOSTS, *COMMON, "-f", "own.py"],
    "name it once": [*HOSTS[:-1], "--host http://127.0.0.1:2 --run-dir elsewhere", *COMMON],
    "--max-tokens": [*HOSTS, *COMMON, "--max-tokens", "many"],
    "no-such-file.jsonl": [*HOSTS, *COMMON, "--payloads", "no-such-file.jsonl"],
}


@pytest.mark.parametrize("said", BAD)
def test_a_mistake_is_one_line_before_any_load(
    said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    assert main(BAD[said]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tokenswarm: error: ")
    assert error.count("\n") == 1
    assert said in error
