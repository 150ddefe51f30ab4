"""The forms a run is handed on in: summary.json and its schema, summary.csv, ls, show, card, --slo."""

import csv
import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from golden.make import RUN, failed, folder, golden_records, identity, ollama, openai

from tokenswarm.reports.__main__ import main
from tokenswarm.reports.again import NOT_SAID, USUAL, command
from tokenswarm.reports.card import card
from tokenswarm.reports.listing import find_run, runs
from tokenswarm.reports.load import load
from tokenswarm.reports.render.chinese import zh
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report
from tokenswarm.settings.options import OPTIONS

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "summary.schema.json").read_text(encoding="utf-8"))
STAGES = [{"text": "1x5s", "from_users": 1, "users": 1}, {"text": "2x5s", "from_users": 2, "users": 2}]


def staged(number: int, stage: int) -> Any:
    """A request of a stage."""
    return ollama(number, at_ms=50 * number, identity=replace(identity(number), stage=stage))


RUNS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "golden": (golden_records(), RUN),
    "empty": ([], RUN),
    "nothing ok": ([failed(n, "http_error", "busy") for n in range(3)], RUN),
    "not streamed": ([openai(n, streamed=False, first_output_ns=None, gaps={}) for n in range(3)], RUN),
    "open loop": ([ollama(n, at_ms=9 * n, scheduled_ns=ollama(n, at_ms=9 * n).sent_ns) for n in range(99)], RUN),
    "no run.json": ([ollama(0)], None),  # type: ignore[dict-item]
    "stages": ([staged(n, 1 + n // 20) for n in range(40)], {**RUN, "stages": STAGES}),
    "depths": (
        [ollama(n, at_ms=9 * n, identity=replace(identity(n), prompt_id="d20 context")) for n in range(9)],
        {**RUN, "options": {"depths": "20", "prompt_tokens": "512", "max_tokens": 128}},
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_summary_json_keeps_to_its_schema(tmp_path: Path, name: str) -> None:
    report(folder(tmp_path, *RUNS[name]))
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads((tmp_path / "summary.json").read_text("utf-8")))


def test_the_schema_names_every_key(tmp_path: Path) -> None:
    summary = report(folder(tmp_path, golden_records()))
    assert set(summary) <= set(SCHEMA["properties"])
    assert set(SCHEMA["required"]) <= set(summary)


def test_summary_csv_is_one_row_of_the_steady_figures_and_no_formula(tmp_path: Path) -> None:
    named = {**RUN, "name": "=1+1", "run": "20261123T111733Z-x"}
    summary = report(folder(tmp_path, [ollama(n, at_ms=100 * n) for n in range(30)], named))
    (row,) = csv.DictReader((tmp_path / "summary.csv").read_text(encoding="utf-8").splitlines())
    assert row["name"] == "'=1+1"
    assert float(row["e2e_ms_p50"]) == summary["steady"]["figures"]["e2e_ms_p50"]["steady"]["value"] == 225.0
    assert row["e2e_ms_p95"] == row["goodput_per_s"] == ""
    assert (row["ok"], row["verdict"], row["shape"]) == ("30", "INVALID", "closed loop")


def test_ls_has_the_newest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(folder(tmp_path / "20261123T111733Z-a", [ollama(0)], {**RUN, "options": {"num_users": 3}}))
    folder(tmp_path / "20261124T111733Z-b", [ollama(0)], {**RUN, "state": "running", "validity": None})
    (tmp_path / "20261125T111733Z-c").mkdir()  # no run
    assert main(["ls", str(tmp_path), "--json"]) == 0
    late, early = json.loads(capsys.readouterr().out)
    assert (late["run"], late["verdict"]) == ("20261124T111733Z-b", "running")
    assert (early["verdict"], early["ok"], early["ttft_ms_p50"]) == ("INVALID", 1, 120.0)
    assert main(["ls", str(tmp_path)]) == 0
    assert "closed loop, 3 users" in capsys.readouterr().out.splitlines()[2]
    assert find_run("latest", tmp_path) == runs(tmp_path)[0]
    assert main(["ls", str(tmp_path / "nowhere")]) == 2


def test_show_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path, golden_records())
    before = sorted(tmp_path.iterdir())
    assert main(["show", str(path)]) == 0
    assert "INVALID: 20261123T111733Z-demo" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == before


def test_a_card_has_what_others_ask_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slos = [{"slo": "e2e_ms p50 < 300", "state": "met", "figure": 225.0, "n": 50}]
    records = [ollama(n, at_ms=100 * n) for n in range(50)]
    target = {**RUN["target"], "digests": {"sim:latest": "500a1f067a9f782620b40bee6f7b0c89e17ae61f686b92c2"}}
    path = folder(tmp_path, records, {**RUN, "slos": slos, "options": {"num_users": 8}, "target": target})
    assert main(["card", str(path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("INVALID: 20261123T111733Z-demo (locust 2.47.0, python 3.11.9, sim:latest 500a1f067a9f)\n")
    for part in (
        "8 users",
        "50 of 50 ok",
        "TTFT 120 / –",
        "pp20 333 t/s, tg11 100 t/s",
        "SLO e2e_ms p50 < 300: met",
    ):
        assert part in said
    assert len(said.splitlines()) <= 10


@pytest.mark.parametrize(
    ("first_ms", "second_ms", "users"), [(100, 100, 2), (100, 400, 1), (400, 100, 0), (100, None, 1), (None, 100, None)]
)
def test_a_card_says_how_many_users_the_slos_allow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first_ms: int | None, second_ms: int | None, users: int | None
) -> None:
    """As many as the last stage had before one crosses them, or has too few requests (None) to say it of."""
    records = []
    for n in range(40):
        later_ms = (first_ms if n < 20 else second_ms) or 0
        made = staged(n, 1 + n // 20)
        if later_ms or n % 20 < 5:
            records.append(replace(made, ended_ns=made.sent_ns + (225 + later_ms) * 1_000_000))
    slos = [
        {"slo": text, "state": "crossed", "figure": 1.0, "n": 40} for text in ("e2e_ms p50 < 500", "outcome ok > 9%")
    ]
    assert main(["card", str(folder(tmp_path, records, {**RUN, "stages": STAGES, "slos": slos}))]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "at SLO" in line] == ([] if users is None else [f"users at SLO: {users}"])


def test_a_card_has_the_energy_of_a_token_where_it_is_known(tmp_path: Path) -> None:
    run = load(folder(tmp_path, [ollama(n, at_ms=100 * n) for n in range(50)]))
    plain = card(run, summarise(run))
    power = {"j_per_output_token_gross": 0.5, "j_per_output_token_net": 0.25}
    said = card(run, summarise(run) | {"energy": power})
    assert said.replace(", 0.500 J/output token (0.250 above idle)", "") == plain != said
    assert "0.500 J/output token\n" in card(run, summarise(run) | {"energy": power | {"j_per_output_token_net": None}})
    chinese = zh("100 output tokens/s, 9 requests/s, 0.500 J/output token (0.250 above idle)")
    assert chinese == "输出吞吐 100 tokens/s，QPS 9，每输出 Token 0.500 J（高于空闲 0.250 J）"


def test_the_command_that_repeats_a_run() -> None:
    options = {"num_users": 8, "run_time": 90, "slo": "ttft_ms p95 < 500", "max_tokens": 128, "header": ["a: b"]}
    info = {
        "target": {"host": "http://box:1"},
        "options": {**options, "probe": True},
        "user_classes": ["OllamaChatUser"],
    }
    said = shlex.split(command(info))
    assert said[:4] == ["locust", "--host", "http://box:1", "--headless"]
    assert said[4:] == shlex.split(
        "--users 8 --run-time 90s --slo 'ttft_ms p95 < 500' --header 'a: b' --probe OllamaChatUser"
    )
    assert command({}) == ""


def test_a_zero_that_was_chosen_is_said_again() -> None:
    zeros = {name: 0 for name, usual in USUAL.items() if not isinstance(usual, str)}
    said = command({"target": {"host": "http://box:1"}, "options": {**zeros, "cache_prompt": False, "scrape": 0}})
    assert shlex.split(said)[4:] == [f for name in zeros for f in (f"--{name.replace('_', '-')}", "0")]


def test_what_is_usual_is_what_the_options_say() -> None:
    usual = {option.dest: option.default for option in OPTIONS if option.default and option.kept}
    unsaid = {name: value for name, value in usual.items() if name not in NOT_SAID}
    assert {name: USUAL.get(name) for name in unsaid} == unsaid


@pytest.mark.parametrize(("more", "code"), [([], 3), (["--invalid-ok"], 0)])
def test_slos_of_an_invalid_run_are_not_believed(tmp_path: Path, more: list[str], code: int) -> None:
    path = folder(tmp_path, [ollama(n, at_ms=100 * n) for n in range(30)])
    assert main([str(path), "--slo", "e2e_ms p50 < 300", *more]) == code
    suite = ElementTree.parse(path / "slo-junit.xml").getroot()
    assert suite.attrib["failures"] == str(int(code == 3))
    assert ("the loop was late by 12.5 ms" in ElementTree.tostring(suite, encoding="unicode")) == (code == 3)
