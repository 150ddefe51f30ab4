"""The README is true: its options, its glossary, its commands, its example."""

import re
import shlex

import pytest
from locust_process import ROOT

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.slo.language import parse
from tokenswarm.reports.glossary import glossary
from tokenswarm.settings import options
from tokenswarm.wire.reading import OUTCOMES

READMES = ("README.md", "README.zh-CN.md")

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")))

OF_ITS_OWN = ("README.zh-CN.md",)  # its report is in Chinese

LOCUSTS = {"--users", "--run-time"}


@pytest.mark.parametrize("readme", READMES)
def test_every_metric_outcome_and_class_is_there(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    glossary_page, results = (
        (ROOT / "docs" / readme.replace("README", page)).read_text(encoding="utf-8") for page in ("glossary", "results")
    )
    for metric in METRICS:
        assert f"`{metric.name}`" in glossary_page, metric.name
    for outcome in OUTCOMES:
        assert f"`{outcome}`" in results, outcome
    for name in classes():
        assert f"`{name}`" in text, name


def classes() -> list[str]:
    found = re.findall(r'^    "(\w+User)",$', (ROOT / "locustfile.py").read_text(), re.MULTILINE)
    assert len(found) > 5
    return found


@pytest.mark.parametrize("readme", READMES)
def test_what_the_questions_add_to_the_command_is_there_and_the_same_in_both(readme: str) -> None:
    known = {*(option.name for option in options.OPTIONS), *classes(), *LOCUSTS}
    tables = [
        re.findall(r"^\| [^|`]*[?？][^|`]*\| (`.*?`)[^|`]", (ROOT / name).read_text("utf-8"), re.M) for name in READMES
    ]
    assert len(tables[0]) > 10
    assert tables[0] == tables[1]
    for added in tables[READMES.index(readme)]:
        names = [word for word in shlex.split(added.strip("`")) if word.startswith("--") or word.endswith("User")]
        assert names
        assert set(names) <= known, added
        for slo in re.findall(r'--slo "(.*?)"', added):
            parse(slo)


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".zh-CN.md")])
def test_the_chinese_page_has_the_same_headings_commands_rows_and_measured_tables(page: str) -> None:
    english, chinese = (untranslated((ROOT / name).read_text("utf-8")) for name in (page.replace(".zh-CN", ""), page))
    assert english == chinese or page in OF_ITS_OWN


def untranslated(text: str) -> dict[str, list[str]]:
    """What a translation leaves as it is: the levels of headings, code but for its comments, what a bench wrote."""
    code = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    prose = code.sub("", text)
    return {
        "headings": re.findall(r"^#+ ", prose, re.MULTILINE),
        "code": [re.sub(r" +# .*", "", each) for each in code.findall(text)],
        "rows": re.findall(r"^\| ", prose, re.MULTILINE),
        "measured": re.findall(r"^(<!-- (?!glossary).*?^<!-- /.*?-->)", prose, re.MULTILINE | re.DOTALL),
    }


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        there = (ROOT / page).parent / path if path else ROOT / page
        assert there.is_file(), target
        if not anchor:
            continue
        headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
        assert anchor in anchors, target


def test_the_glossary_is_the_tables() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    found = re.search(r"<!-- glossary[^>]*-->\n(.*?)\n<!-- /glossary -->", text, re.DOTALL)
    assert found
    assert found[1].strip() == glossary().strip()


@pytest.mark.parametrize("readme", READMES)
def test_the_accuracy_is_what_was_measured(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    found = re.search(r"<!-- accuracy[^>]*-->\n(.*?)\n<!-- /accuracy -->", text, re.DOTALL)
    assert found
    goals = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8").partition("## Goals")[2].partition("\n## ")[0]
    rows = found[1].strip().splitlines()
    assert len(rows) > 5
    assert set(rows) <= set(goals.splitlines())


def test_every_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    rules = set(re.findall(r"^([a-z][a-z-]+):", makefile, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)
    pages = [*map(ROOT.joinpath, READMES), *(ROOT / "docs").glob("*.md")]
    asked = re.compile(r"(?:`|^)make ([a-z][a-z-]+)", re.MULTILINE)
    said = {target for page in pages for target in asked.findall(page.read_text("utf-8"))}
    assert said <= rules
    assert set(phony.split()) <= rules


@pytest.mark.parametrize("readme", READMES)
def test_two_minutes_are_enough_to_read_it(readme: str) -> None:
    assert len((ROOT / readme).read_text(encoding="utf-8").splitlines()) <= 120


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        name = page.removeprefix("docs/")
        assert f"({name})" in index or "README" in name, page
