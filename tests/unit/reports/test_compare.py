"""`python -m reports compare`: what it says of two runs, and its exit codes."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared_runs import VALID, records, run
from golden.make import folder

from tokenswarm.reports.__main__ import main
from tokenswarm.reports.compare.comparison import compare
from tokenswarm.reports.compare.plots import plots
from tokenswarm.reports.compare.words import EN
from tokenswarm.reports.load import load


def compared(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    """The exit code, and what the JSON beside B says."""
    code = main(["compare", *map(str, arguments), "--quiet"])
    folders = [Path(word) for word in map(str, arguments) if Path(word).is_dir()]
    (path,) = folders[-1].glob("compare-with-*.json")
    return code, json.loads(path.read_text("utf-8"))


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {f"{each['metric']} {each['aggregate'] or ''}".strip(): each["verdict"] for each in found["figures"]}


@pytest.fixture(scope="module")
def a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("runs") / "a", 1)


def test_the_same_server_again_is_no_difference(a: Path, tmp_path: Path) -> None:
    code, found = compared(a, run(tmp_path / "b", 2))
    assert (code, found["comparable"], found["matched_by"]) == (0, True, "prompt")
    assert found["differences"] == []
    said = verdicts(found)
    assert said["tpot_ms mean"] == said["tpot_ms p50"] == said["e2e_ms mean"] == "no difference"
    assert not {"better", "worse"} & set(said.values())
    for suffix in ("md", "html"):
        text = (tmp_path / "b" / f"compare-with-a.{suffix}").read_text("utf-8")
        assert "No difference: TPOT mean (over " in text
        assert "one run a side" in text.lower()


def test_a_server_that_is_slower_by_a_tenth_is_slower_by_about_that(a: Path, tmp_path: Path) -> None:
    code, found = compared(a, run(tmp_path / "b", 2, slower=0.1))
    assert code == 0
    said = verdicts(found)
    assert said["tpot_ms mean"] == said["tpot_ms p95"] == said["e2e_ms mean"] == "worse"
    assert said["output_tokens_per_s"] == "worse"
    assert said["ttft_ms mean"] == "no difference"
    tpot = found["figures"][0]
    assert tpot["low_percent"] < 10 < tpot["high_percent"]
    assert tpot["change_percent"] == pytest.approx(10, abs=1)
    assert found["sentence"].startswith("B is slower: TPOT mean +")


def test_the_page_says_first_whether_they_are_comparable(a: Path, tmp_path: Path) -> None:
    b = run(tmp_path / "b", 2, {"seed": 4}, slower=0.1)
    compared(a, b, "--fail-on", "tpot_ms mean +5%")
    page = (b / "compare-with-a.html").read_text("utf-8")
    assert page.index('id="gates"') < page.index('id="comparable"') < page.index('id="figures"')


def test_an_end_that_nobody_knows_does_not_widen_the_figure(a: Path, tmp_path: Path) -> None:
    made = compare([load(a)], [load(run(tmp_path / "b", 2, n=120, slower=0.1))])
    assert any(not math.isfinite(each.high) for each in made.judged)  # p95 of 120 requests
    (forest,) = (plot.figures[0] for plot in plots(made) if plot.name == "forest")
    low, high = forest.layout.xaxis.range
    assert -high == low
    assert 12 < high < 30


def test_the_other_way_round_it_is_faster(tmp_path: Path, a: Path) -> None:
    _, found = compared(run(tmp_path / "b", 2, slower=0.1), run(tmp_path / "c", 1))
    assert verdicts(found)["tpot_ms mean"] == "better"
    assert found["sentence"].startswith("B is faster: TPOT mean −")


def test_a_gate_is_crossed_only_by_what_was_found_and_is_as_large(a: Path, tmp_path: Path) -> None:
    b = run(tmp_path / "b", 2, slower=0.1)
    assert compared(a, b, "--fail-on", "tpot_ms mean +5%")[0] == 99
    assert compared(a, b, "--fail-on", "output_tokens_per_s -5 %", "--fail-on", "ttft_ms mean +5%")[0] == 99
    assert compared(a, b, "--fail-on", "tpot_ms mean +20%")[0] == 0
    code, found = compared(a, run(tmp_path / "same", 3), "--fail-on", "tpot_ms p95 +5%")
    assert (code, found["fail_on"][0]["crossed"]) == (0, False)


def test_answers_of_other_lengths_leave_their_times_without_a_verdict(a: Path, tmp_path: Path) -> None:
    b = run(tmp_path / "b", 2, stretch=1.2)
    code, found = compared(a, b)
    said = verdicts(found)
    assert code == 0
    assert {said[f"{metric} {how}"] for metric in ("ttft_ms", "e2e_ms") for how in ("mean", "p50", "p95")} == {
        "no verdict"
    }
    assert said["tpot_ms mean"] == "no difference"
    (lengths,) = [each for each in found["differences"] if each["effect"] == "no verdict"]
    assert "differ in length by 20" in lengths["why"]
    assert "No verdict on TTFT mean, E2E mean, since answers differ in length" in found["sentence"]
    assert compared(a, b, "--fail-on", "e2e_ms mean +5%")[0] == 3


OTHERS: dict[str, dict[str, Any]] = {
    "users": {"options": {**VALID["options"], "num_users": 8}},
    "arrivals": {"options": {**VALID["options"], "arrivals": "poisson 5/s"}},
    "stages": {"options": {**VALID["options"], "stages": "4x60s"}},
    "payloads (digest)": {"workers": [{**VALID["workers"][0], "payloads": "0123456789ab"}]},
    "INVALID (loop lag)": {
        "validity": {"verdict": "INVALID", "findings": [{"rule": "loop lag", "level": "invalid", "what": "late"}]}
    },
    "INVALID (not known)": {"validity": None},
    "capacity search": {"capacity": {"answer": 12}},
}


@pytest.mark.parametrize("what", OTHERS)
def test_what_had_another_load_or_cannot_be_trusted_is_not_compared(what: str, a: Path, tmp_path: Path) -> None:
    code, found = compared(a, run(tmp_path / "b", 2, OTHERS[what], slower=0.5))
    assert (code, found["comparable"]) == (3, False)
    assert what in found["sentence"]
    assert set(verdicts(found).values()) == {"no verdict"}
    assert found["differences"][0]["effect"] == "not comparable"


def test_what_is_compared_is_listed_and_compared(a: Path, tmp_path: Path) -> None:
    digests = {"sim:latest": "9f" * 32}
    target = {**VALID["target"], "host": "http://other:11434", "version": "0.40.2", "gpu": "other", "digests": digests}
    changes = {"target": target, "options": {**VALID["options"], "options": '{"num_ctx": 8192}'}, "seed": 4}
    code, found = compared(a, run(tmp_path / "b", 2, changes))
    listed = {each["what"]: (each["a"], each["b"], each["effect"]) for each in found["differences"]}
    assert code == 0
    assert listed["host"] == ("http://box:11434", "http://other:11434", "compared")
    assert listed["server version"] == ("0.32.15", "0.40.2", "compared")
    assert listed["seed"] == ("3", "4", "noted")
    assert listed["model digest"] == ("", "9f9f9f9f9f9f", "compared")
    assert verdicts(found)["tpot_ms mean"] == "no difference"


def test_of_several_runs_a_side_the_run_is_the_unit(tmp_path: Path) -> None:
    turns = zip("abbaab", (1, 2, 3, 4, 5, 6), strict=True)
    paths: dict[str, list[Path]] = {"a": [], "b": []}
    for name, server in turns:
        info = {"started_unix_s": 1795433493.0 + 60 * server}
        slower = 0.1 if name == "b" else 0.0
        paths[name].append(run(tmp_path / f"{name}{server}", server, info, n=120, slower=slower))
    code, found = compared(*paths["a"], "--", *paths["b"])
    assert code == 0
    assert verdicts(found)["tpot_ms mean"] == "worse"
    tpot = found["figures"][0]
    assert (tpot["unit"], tpot["n_a"], tpot["n_b"]) == ("runs", 3, 3)
    assert tpot["low_percent"] < 10 < tpot["high_percent"]
    assert found["remarks"] == [EN["trend"]]
    _, found = compared(
        *paths["a"], "--", *(run(tmp_path / f"later{n}", n, {"started_unix_s": 1.9e9 + n}) for n in (7, 8, 9))
    )
    assert found["remarks"] == [EN["not in turns"]]


def test_help_shows_how_a_limit_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["compare", "--help"])
    assert ended.value.code == 0
    assert '"tpot_ms mean +5%"' in capsys.readouterr().out


def test_stages_are_compared_one_by_one(tmp_path: Path) -> None:
    stages = [{"text": f"{users}x9s", "from_users": users, "users": users} for users in (4, 4)]
    for name, server, slower in (("a", 1, 0.0), ("b", 2, 0.2)):
        rows = records(server, n=800, slower=slower)
        parted = [
            replace(row, identity=replace(row.identity, stage=1 + (number >= 400))) for number, row in enumerate(rows)
        ]
        folder(tmp_path / name, parted, {**VALID, "stages": stages})
    _, found = compared(tmp_path / "a", tmp_path / "b")
    said = {(each["stage"], each["metric"]): each["verdict"] for each in found["figures"] if each["aggregate"] != "p95"}
    assert said[1, "tpot_ms"] == said[2, "tpot_ms"] == "worse"
    assert {stage for stage, _ in said} == {1, 2}


def test_a_run_without_a_single_answer_is_said_so(a: Path, tmp_path: Path) -> None:
    code, found = compared(a, run(tmp_path / "b", 2, outcome="refused", n=30))
    assert code == 3
    assert "B has no steady request that ended ok" in found["sentence"]


def test_a_handful_of_requests_cannot_tell(a: Path, tmp_path: Path) -> None:
    _, found = compared(run(tmp_path / "few", 2, n=9), run(tmp_path / "b", 3, n=9, slower=0.1))
    assert set(verdicts(found).values()) == {"cannot tell"}


BAD = {
    "compare: 1 folders": ["A"],
    "compare: 3 folders": ["A", "A", "A"],
    "compare: 1 against 2 folders": ["A", "--", "B", "C"],
    "compare: 0 against 1 folders": ["--", "A"],
    "compare: -- is there more than once": ["A", "--", "B", "--", "C"],
    "is named twice": ["A", "A", "--", "B", "C"],
    "no such folder": ["A", "nowhere"],
    "did you mean tpot_ms?": ["A", "B", "--fail-on", "tpot mean +5%"],
    "says not of which figure": ["A", "B", "--fail-on", "tpot_ms +5%"],
    "is no change in per cent": ["A", "B", "--fail-on", "tpot_ms mean < 5"],
    "would be better, not worse": ["A", "B", "--fail-on", "tpot_ms mean -5%"],
    "counts as no difference": ["A", "B", "--fail-on", "tpot_ms mean +0.5%"],
    "is no share": ["A", "B", "--edge", "much"],
    "unrecognized arguments": ["A", "B", "--nonsense"],
    "must be more than --edge": ["A", "B", "--edge", "6%"],
}


@pytest.mark.parametrize("said", BAD)
def test_a_mistake_is_one_line_and_exit_code_2(
    said: str, a: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = {"A": str(a), **{name: str(run(tmp_path / name, 2, n=5)) for name in ("B", "C")}}
    assert main(["compare", *(folders.get(word, word) for word in BAD[said])]) == 2
    error = capsys.readouterr().err
    assert error.startswith("tokenswarm: error: ")
    assert error.count("\n") == 1
    assert said in error
