"""J per output token and what a million cost, against what a hand computes; and the server's own side in a report."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from capacity_rows import SLO, trial
from golden.make import RUN, ZERO_NS, folder, golden_records, identity, ollama, summary_of

from tokenswarm.capacity.answer import result
from tokenswarm.capacity.search import SearchRange, SearchResult
from tokenswarm.folder.server_csv import append, sample
from tokenswarm.reports.load import load
from tokenswarm.reports.readings import readings
from tokenswarm.reports.render import console
from tokenswarm.reports.render.chinese import zh
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "summary.schema.json").read_text(encoding="utf-8"))
ZERO_S = ZERO_NS / 1e9
GPU, RAPL, DCGM = "nvidia-smi", "RAPL", "http://box:9400/metrics"
IDLE = {"sources": [GPU, RAPL], "idle_from_unix_s": ZERO_S - 10, "idle_to_unix_s": ZERO_S - 5}
# One request after the other, 11 tokens in 0.25 s each: 44 tokens/s from the first to the last end.
REQUESTS = [ollama(n, at_ms=250 * n, ended_ns=ZERO_NS + 250_000_000 * (n + 1)) for n in range(40)]


ENGLISH = (" look", "of the window", "J per output token", "own client", "mean, W", "million")


def line(at_s: float, source: str, metric: str, value: float, labels: str = "") -> tuple[Any, ...]:
    """A sample so many seconds after the first request."""
    return sample(ZERO_S + at_s, 1.0, source, metric, labels, value)


def power(w_idle: float, w_load: float) -> list[tuple[Any, ...]]:
    """A GPU that takes so much before the load and during it, looked at every half second."""
    return [
        line(at / 2, GPU, "nvidia_smi_power_watts", w_idle if at < -9 else w_load, "gpu=0") for at in range(-20, 22)
    ]


def rapl(w_idle: float, w_load: float) -> list[tuple[Any, ...]]:
    """A CPU that counts its joules: until 5 s before the load w_idle a second, then w_load."""
    joules = {at: w_idle * (at + 10) if at < -5 else w_idle * 5 + w_load * (at + 5) for at in range(-10, 12)}
    return [line(at, RAPL, "rapl_energy_joules_total", value, "domain=package-0") for at, value in joules.items()]


def summary(path: Path, lines: list[tuple[Any, ...]], **changes: Any) -> dict[str, Any]:
    folder(path, REQUESTS, {**RUN, "server_side": IDLE, **changes})
    append(path, lines)
    return summarise(load(path))


def test_joules_per_token_are_the_hands(tmp_path: Path) -> None:
    """A GPU of 200 W (30 idle) and a CPU of 64 (10 idle) for 10 s: 2,640 J for 440 tokens, 6 J each, 2,240 J of them
    the load's."""
    found = summary(tmp_path, [*power(30, 200), *rapl(10, 64)])["energy"]
    assert found["window_s"] == 10
    assert (found["mean_w"], found["idle_w"]) == (pytest.approx(264), pytest.approx(40, rel=1e-3))
    assert found["energy_j"] == pytest.approx(2640)
    tokens = 44 * 10
    assert found["j_per_output_token_gross"] == pytest.approx(2640 / tokens, rel=0.02)
    assert found["j_per_output_token_net"] == pytest.approx(2240 / tokens, rel=0.02)
    assert found["j_per_output_token_net"] / found["j_per_output_token_gross"] == pytest.approx(2240 / 2640, rel=1e-3)
    assert found["output_tokens_per_wh"] == pytest.approx(3600 / found["j_per_output_token_gross"])


def test_each_stage_has_its_own_joules(tmp_path: Path) -> None:
    """A GPU takes 200 W in the first stage and 400 in the second, of 44 tokens/s each; idle it takes 30. Nobody looked
    twice at a third of 250 ms."""
    stages = [{"text": f"{n}x5s", "from_users": n, "users": n} for n in (1, 2, 3)]
    rows = [
        replace(one, identity=replace(identity(n), stage=1 + (n >= 20) + (n >= 39)), phase="steady")
        for n, one in enumerate(REQUESTS)
    ]
    looked = [
        line(at / 2 + 0.01, GPU, "nvidia_smi_power_watts", 30 if at < -9 else 200 if at < 10 else 400, "gpu=0")
        for at in range(-20, 22)
    ]
    run = {"stages": stages, "server_side": IDLE}
    append(folder(tmp_path, rows, {**RUN, **run}), looked)
    found = summarise(load(tmp_path))
    first, second = found["energy"]["loads"]
    assert [(one["load"], one["number"], one["at"]) for one in (first, second)] == [
        ("stage", 1, "1 user"),
        ("stage", 2, "2 users"),
    ]
    per_s = found["stages"][0]["output_tokens_per_s"]
    assert per_s == pytest.approx(44, rel=0.05)
    assert first["mean_w"] == pytest.approx(200, rel=0.06)
    assert second["mean_w"] == pytest.approx(400, rel=0.05)
    assert first["j_per_output_token_gross"] == pytest.approx(first["mean_w"] / per_s, rel=1e-6)
    assert first["j_per_output_token_net"] == pytest.approx((first["mean_w"] - 30) / per_s, rel=0.01)
    report(tmp_path)
    assert "| stage | users | mean, W | output tokens/s | J per output token | net of idle, J |" in (
        tmp_path / "report.md"
    ).read_text().replace("  ", " ")


def test_each_trial_of_a_search_has_its_own_joules(tmp_path: Path) -> None:
    trials = [trial(1, 1.0, "met", 5), trial(2, 2.0, "crossed", 700)]
    for at, one in enumerate(trials):
        one |= {"from_unix_ns": ZERO_NS + at * 5 * 10**9, "to_unix_ns": ZERO_NS + (at + 1) * 5 * 10**9}
    told = result(SearchResult(1.0, "crossed", 2.0), SearchRange(False, 1, 1, 100), [SLO], trials, "")
    found = summary(tmp_path, power(30, 200), capacity=told)["energy"]["loads"]
    assert [(one["load"], one["at"], one["mean_w"]) for one in found] == [
        ("trial", "1 user", 200),
        ("trial", "2 users", 200),
    ]
    assert [one["j_per_output_token_gross"] for one in found] == [4, 2]  # at 50 and 100 tokens/s


def test_without_an_idle_server_there_is_no_net(tmp_path: Path) -> None:
    found = summary(tmp_path, power(30, 200), server_side={"sources": [GPU]})["energy"]
    assert (found["mean_w"], found["idle_w"], found["j_per_output_token_net"]) == (200, None, None)


def test_looks_that_cover_too_little_are_no_mean(tmp_path: Path) -> None:
    early = [one for one in power(30, 200) if one[0] < ZERO_S + 4]
    made = summary(tmp_path, early)
    assert made["energy"]["j_per_output_token_gross"] is None
    assert made["energy"]["parts"][0]["covered_percent"] == pytest.approx(40, rel=1e-3)
    report(tmp_path)
    assert "less than half of the run's window" in (tmp_path / "report.md").read_text()


def test_what_several_say_of_the_same_gpu_counts_once(tmp_path: Path) -> None:
    """DCGM's counter in mJ (one GPU in two parts, and a second one) before its power, and that before nvidia-smi."""
    mig = ("GPU_I_ID=3,UUID=GPU-a", "GPU_I_ID=5,UUID=GPU-a", "UUID=GPU-b")
    name = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
    lines = [line(at, DCGM, name, 1e9 + at * 150_000, labels) for at in range(-6, 12) for labels in mig]
    lines += [line(at, DCGM, "DCGM_FI_DEV_POWER_USAGE", 149, labels) for at in range(-6, 12) for labels in mig]
    found = summary(tmp_path, [*power(30, 400), *lines])["energy"]
    assert found["mean_w"] == pytest.approx(300)
    assert [part["source"] for part in found["parts"]] == [DCGM]


def test_a_counter_that_begins_anew_loses_one_look_at_most(tmp_path: Path) -> None:
    values = [100.0, 110.0, 120.0, 5.0, 15.0]
    append(tmp_path, [line(at, "a", "llamacpp:tokens_predicted_total", value) for at, value in enumerate(values)])
    (track,) = readings(tmp_path).tracks
    assert track.values.tolist() == [0, 10, 20, 25, 35]


def test_what_a_million_tokens_cost(tmp_path: Path) -> None:
    """At 44 tokens/s a server of 3.168 an hour makes 158,400 tokens an hour: 20 a million. Each request has 20 prompt
    tokens for 11 of output."""
    options = {**RUN["options"], "price_per_hour": 3.168, "price_in": 0.11, "price_out": 0.4}
    found = summary(tmp_path, [], options=options)["cost"]
    (this,) = found["loads"]
    assert this["by_hour"] == pytest.approx(20, rel=0.02)
    assert this["by_tokens"] == pytest.approx(0.4 + 0.11 * 20 / 11)
    assert "cost" not in summary(tmp_path / "free", [])
    assert "energy" not in summary(tmp_path / "dark", [])


def test_at_the_knee_of_stages(tmp_path: Path) -> None:
    """Twice the users bring nothing more: the knee is at one user, of whose requests the prompts were twice as long."""
    stages = [{"text": "1x5s", "from_users": 1, "users": 1}, {"text": "2x5s", "from_users": 2, "users": 2}]
    rows = [
        replace(one, identity=replace(identity(n), stage=1 if n < 20 else 2), phase="steady")
        for n, one in enumerate(REQUESTS)
    ]
    rows = [replace(one, usage=one.usage._replace(prompt_tokens=20 if n < 20 else 60)) for n, one in enumerate(rows)]
    options = {**RUN["options"], "price_in": 1.1, "price_out": 0.0, "price_per_hour": 1.0}
    made = summary_of(tmp_path, rows, stages=stages, options=options)
    run, knee = made["cost"]["loads"]
    assert (run["load"], knee["load"], knee["at"]) == ("this run", "the knee", "1 user")
    assert knee["by_tokens"] == pytest.approx(1.1 * 20 / 11)
    assert run["by_tokens"] == pytest.approx(1.1 * 40 / 11)
    report(folder(tmp_path, rows, {**RUN, "stages": stages, "options": options}))
    assert "the knee at 1 user" in (tmp_path / "report.md").read_text()


def test_a_search_has_the_cost_of_the_load_that_was_found_and_of_the_knee(tmp_path: Path) -> None:
    """By each trial's own tokens/s: 100 of two users, 50 of one."""
    trials = [trial(1, 1.0, "met", 5), trial(2, 2.0, "met", 9), trial(3, 3.0, "crossed", 700)]
    told = result(SearchResult(2.0, "crossed", 3.0), SearchRange(False, 1, 1, 100), [SLO], trials, "")
    rows = [replace(one, identity=replace(identity(n), stage=1 + n // 14)) for n, one in enumerate(REQUESTS)]
    options = {**RUN["options"], "price_per_hour": 3.6, "price_out": 0.5}
    for at_knee, per_s in ((2.0, 100), (1.0, 50)):
        searched = {**told, "knee": {"load": at_knee, "sentence": ""}}
        found, knee = summary_of(tmp_path, rows, capacity=searched, options=options)["cost"]["loads"]
        assert (found["load"], found["at"], found["by_hour"]) == ("the load that was found", "2 users", 10)
        assert (knee["load"], knee["by_hour"]) == ("the knee", 1e6 * 3.6 / 3600 / per_s)
        assert knee["by_tokens"] == 0.5


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        (
            "en",
            ("J per output token (264 W), 5.09 net of the idle server.", "A million output tokens cost 12.6 by"),
        ),
        ("zh", ("（264 W），扣除空闲功率后为 5.09 J。", "每百万输出 token 的成本：按小时计 12.6")),
    ],
)
def test_the_terminal_says_it_in_two_lines(tmp_path: Path, lang: str, said: tuple[str, ...]) -> None:
    options = {**RUN["options"], "price_per_hour": 2.0}
    shown = console.render(summary(tmp_path, [*power(30, 200), *rapl(10, 64)], options=options), lang)
    for line in said:
        assert line in shown


def queue(source: str = "http://box:8000/metrics") -> list[tuple[Any, ...]]:
    lines = []
    for at in range(-1, 12):
        lines.append(line(at, source, "vllm:num_requests_running", 4, "engine=0"))
        lines.append(line(at, source, "vllm:num_requests_running", 4, "engine=1"))
        lines.append(line(at, source, "vllm:num_requests_waiting", max(0, at), "engine=0"))
        lines.append(line(at, source, "vllm:kv_cache_usage_perc", 0.5, "engine=0"))
        lines.append(line(at, source, "vllm:kv_cache_usage_perc", 0.7, "engine=1"))
        lines.append(line(at, source, "vllm:generation_tokens_total", 1000 + max(0, 44 * at), "engine=0"))
    return [*lines, sample(ZERO_S + 12, 5000, source, error="no whole answer within 5 s")]


def test_the_servers_own_side_in_figures(tmp_path: Path) -> None:
    found = summary(tmp_path, queue())["server"]
    series = {one["name"]: one for one in found["series"]}
    assert (series["running"]["mean"], series["waiting"]["max"]) == (8, 10)
    assert series["kv_cache_percent"]["mean"] == pytest.approx(60)
    assert series["waiting"]["points"][3] == pytest.approx([4, 4], abs=1e-3)
    (tokens,) = found["counters"]
    assert (tokens["name"], tokens["grown"], tokens["ours"]) == ("output_tokens", 44 * 11, 440)
    assert (found["sources"][0]["looks"], found["sources"][0]["unanswered"]) == (14, 1)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_report_of_it_all_is_whole_and_keeps_to_the_schema(tmp_path: Path, lang: str) -> None:
    options = {**RUN["options"], "price_per_hour": 2.0, "price_in": 0.1, "price_out": 0.4}
    stages = [{"text": "1x9s", "from_users": 1, "users": 1}]
    rows = [replace(one, identity=replace(one.identity, stage=1), phase="steady") for one in REQUESTS]
    folder(tmp_path, rows, {**RUN, "server_side": IDLE, "options": options, "stages": stages})
    append(tmp_path, [*power(30, 200), *rapl(10, 64), *queue()])
    report(tmp_path, lang)
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads((tmp_path / "summary.json").read_text("utf-8")))
    text, page = ((tmp_path / f"report.{kind}").read_text("utf-8") for kind in ("md", "html"))
    titles = {"en": ("The server's own side", "Energy and cost"), "zh": ("服务器自身", "能耗与成本")}[lang]
    for title in titles:
        assert f"## {title}" in text
    for name in ("requests waiting", "KV cache in use", "GPU power", "CPU and DRAM power"):
        assert (name if lang == "en" else zh(name)) in page
        assert lang == "en" or zh(name) != name
    for said in text.splitlines() if lang == "zh" else ():
        assert not any(
            word in said for word in (" look", "of the window", "J per output token", "own client", "mean, W")
        )


def test_a_server_csv_of_samples_alone_has_no_memory_section(tmp_path: Path) -> None:
    made = summary(tmp_path, queue())
    assert made["memory"] is None
    folder(tmp_path, golden_records())
    (tmp_path / "server.csv").write_text("unix_s,source,value\n1,\0,x\n")
    assert load(tmp_path).readings.sources == ()


def test_lines_of_both_kinds_are_told_apart(tmp_path: Path) -> None:
    append(tmp_path, [(ZERO_S, 1.5, "0.40", "sim", 5, 5, 4096, "soon", "")])
    append(tmp_path, queue())
    folder(tmp_path, REQUESTS)
    run = load(tmp_path)
    assert [look.models for look in run.looks] == [(("sim", 5.0, 5.0, 4096),)]
    assert len(run.readings.sources) == 1
    with (tmp_path / "server.csv").open() as file:
        assert {len(row) for row in csv.reader(file)} == {13}
