"""--lang zh: what people read first is Chinese, what others wrote stays, summary.json is the same."""

import re
from pathlib import Path
from typing import Any

import pytest
from capacity_rows import SLO, trial
from golden import odd
from golden.make import RUN, folder, golden_records, identity, ollama, openai

from tokenswarm.capacity.answer import result
from tokenswarm.capacity.search import SearchRange, SearchResult
from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.validity.rules import RULES
from tokenswarm.reports.__main__ import main
from tokenswarm.reports.load import load
from tokenswarm.reports.parts import conclusions, throughput
from tokenswarm.reports.parts.capacity import sentences
from tokenswarm.reports.render import console
from tokenswarm.reports.render.chinese import pairs, zh
from tokenswarm.reports.summary import summarise
from tokenswarm.wire.values import Usage

# What stays Latin in a Chinese report: names, units, options, and words of the field.
LATIN = re.compile(r"`[^`]*`|--[a-z-]+|[A-Za-z_]*[A-Z_/0-9][\w/.:-]*|'[^']*'|tokens/s|ms|ok|chunk|slot|worker|goodput")
SCREEN = ("各并发数的性能指标", "关键指标", "SLO", "结论与性能建议", "平均请求的时间分解")


def written(path: Path, records: list[Any], **changes: Any) -> str:
    assert main([str(folder(path, records, {**RUN, **changes})), "--lang", "zh", "--quiet"]) == 0
    return (path / "report.md").read_text(encoding="utf-8")


def test_the_first_screen_is_chinese(tmp_path: Path) -> None:
    slos = [{"slo": "e2e_ms p50 < 300", "state": "met", "figure": 225.0, "n": 50}]
    what = "requests that the end of the run cut would move the median E2E by 27 %: long ones are cut more often"
    finding = {"rule": "censored tail", "level": "invalid", "what": what, "limit": 5, "unit": "% of p50"}
    validity = {
        "verdict": "INVALID",
        "findings": [{**finding, "do": "run longer, or let them end with --stop-timeout"}],
    }
    asked = {"slos": slos, "options": {"num_users": 8}, "validity": validity}
    text = written(tmp_path, [ollama(n, at_ms=100 * n) for n in range(50)], **asked)
    first = text[: text.index("## 请求的结局")]
    assert first.index("## 发现") < first.index("## 各并发数的性能指标") < first.index("## 关键指标")
    for title in SCREEN:
        assert f"## {title}" in first or title in first
    for line in first.splitlines():
        left = re.sub(r"e2e_ms p50|n|p\d\d", "", LATIN.sub("", line))
        assert not re.search(r"[a-z]{3,} [a-z]{2,} [a-z]{2,}", left), line
    assert text.startswith("# 无效: ")
    assert "闭环，8 个并发用户" in text


def test_the_page_says_so_and_marks_the_language(tmp_path: Path) -> None:
    written(tmp_path, golden_records())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in page
    assert '<span class="invalid">无效</span>' in page
    assert "吞吐随时间的变化" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page  # the error's text, as ever


def test_summary_json_does_not_change_with_the_language(tmp_path: Path) -> None:
    path = folder(tmp_path, golden_records())
    written(tmp_path, golden_records())
    chinese = (path / "summary.json").read_bytes()
    assert main([str(path), "--quiet"]) == 0
    assert (path / "summary.json").read_bytes() == chinese


def test_what_others_wrote_is_not_translated(tmp_path: Path) -> None:
    record = ollama(0, identity=identity(0, model="steady"))
    assert "`steady`" in written(tmp_path, [record])


def test_the_terminal_and_the_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path, [ollama(n, at_ms=100 * n) for n in range(50)])
    for command in ("show", "card"):
        assert main([command, str(path), "--lang", "zh"]) == 0
        said = capsys.readouterr().out
        assert "无效" in said
        assert "首 Token 延迟 (TTFT)" in said
        assert command == "card" or all(console.width(line) <= console.COLUMNS for line in said.splitlines())


@pytest.mark.parametrize("others", [0, 20])  # requests of a server that does not tell its durations
def test_the_parts_of_a_mean_request_on_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str], others: int) -> None:
    records = [*(ollama(n, 100 * n) for n in range(50)), *(openai(50 + n, 100 * n) for n in range(others))]
    assert main(["card", str(folder(tmp_path, records)), "--lang", "zh"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("平均请求"))
    of = "（70 个请求中的 50 个）" if others else ""
    assert line.startswith(f"平均请求 225 ms{of}：生成 (decode) 44.4 %，预填充 (prefill) 26.7 %，服务器排队 22.2 %，")
    assert line.endswith("，其余：网络与客户端 3.11 %")


def test_the_slos_of_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slos = [
        {"slo": "e2e_ms p50 < 300", "state": "met", "figure": 225.0, "n": 50},
        {"slo": "outcome ok > 99%", "state": "crossed", "figure": None, "n": 50},
    ]
    path = folder(tmp_path, [ollama(n, at_ms=100 * n) for n in range(50)], {**RUN, "slos": slos})
    assert main(["card", str(path), "--lang", "zh"]) == 0
    assert "SLO e2e_ms p50 < 300：达标（225）；outcome ok > 99%：未达标（–）\n" in capsys.readouterr().out


def test_no_closing_mark_begins_a_line() -> None:
    for size in range(40, 60):
        assert not any(
            line.strip()[:1] in "，。；：、）" for line in console.wrap("一" * size + "，" + "二。" * 40)[1:]
        )


@pytest.mark.parametrize("name", odd.RUNS)
def test_no_sentence_of_an_odd_runs_report_is_left_in_english(name: str) -> None:
    text = (odd.HERE / name / "report.zh.md").read_text(encoding="utf-8")
    assert re.findall(r"(?:[A-Za-z']+ ){3,}[A-Za-z']+", re.sub("`[^`]*`", "", text)) == []


def test_the_table_has_the_metrics_and_each_place_on_both_sides() -> None:
    table = dict(pairs())
    assert len(table) == len(pairs()), "a text stands twice"
    assert [metric.name for metric in METRICS if metric.definition not in table] == []
    for english, chinese in pairs():
        places = set(re.findall(r"\{(\w+)\}", chinese))
        assert places <= set(re.findall(r"\{(\w+)\}", english)), english
    assert all(zh(f"{about}: ") != f"{about}: " for about in conclusions.ABOUT)


def test_what_a_sentence_says_is_in_its_translation() -> None:
    words = {"requests", "chunks", "trials", "users", "more", "keep"}  # one or many: all the same in Chinese
    for english, chinese in pairs():
        places = set(re.findall(r"\{(\w+)\}", english)) - set(re.findall(r"\{(\w+)\}", chinese))
        assert places <= words, english


@pytest.mark.parametrize("open_loop", [False, True])
@pytest.mark.parametrize(
    ("found", "sure", "broken"),
    [
        (SearchResult(2.0, "crossed", 3.0), True, ""),
        (SearchResult(2.0, "crossed", 3.0), False, ""),
        (SearchResult(2.0, "crossed", 3.0, 0.04), True, ""),
        (SearchResult(2.0, "end"), True, ""),
        (SearchResult(None, "crossed", 3.0), True, ""),
    ],
)
def test_a_capacity_has_its_unit(found: SearchResult, sure: bool, broken: str, open_loop: bool) -> None:
    trials = [trial(2, 2.0, "met", 9) | {"sure": sure}, trial(3, 3.0, "crossed", 700)]
    for said in sentences(result(found, SearchRange(open_loop, 1, 1, 100), [SLO], trials, broken)):
        if "keeps" in said or "keep" in said or "knee" in said:
            assert ("请求/s" if open_loop else "并发") in zh(said)
            assert ("并发" in zh(said)) is not open_loop
            assert not re.search("users|do not|requests", zh(said))


def test_the_notes_of_the_throughput_figure_are_whole(tmp_path: Path) -> None:
    partial = {"usage": Usage(), "outcome": "cancelled"}
    records = [ollama(n, at_ms=100 * n) for n in range(20)]
    records += [ollama(20, 1900, **partial), ollama(21, 1900, output_chunks=0, **partial)]
    run = load(folder(tmp_path, records))
    made = throughput.plot(run.measured, summarise(run))
    assert made is not None
    said = zh(made.note)
    assert "1 个请求" in said
    assert not re.search("[a-z]{3,} [a-z]{2,}", said)


def test_every_rule_says_in_chinese_what_is_wrong_and_what_to_do() -> None:
    for rule in RULES:
        what = rule.what.format(figure="1.23", gap="4.5", reasons="abort", starved="b: 8 s without an answer")
        unit = [] if rule.unit in ("ms", "s") else [rule.unit]
        assert [text for text in (rule.name, what, rule.do, *unit) if zh(text) == text] == []


def test_of_patterns_a_number_takes_numbers_alone() -> None:
    assert zh("1,291 ms") == "1,291 ms"
    assert zh("81 to 1,437") == "81 至 1,437"
    assert zh("a model to watch") == "a model to watch"
