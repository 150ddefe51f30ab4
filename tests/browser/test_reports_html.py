"""report.html: nothing from elsewhere becomes HTML, nothing is loaded, and a browser draws it without an error."""

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from browser import browser
from golden.make import failed, folder, golden_records, identity, ollama

from tokenswarm.reports.render.document import Document, Section
from tokenswarm.reports.render.html import render
from tokenswarm.reports.render.plots import Plot, figure
from tokenswarm.reports.write import report

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
FIGURES = ("throughput-0", "requests-0", "distributions-0", "distributions-1", "distributions-2", "ledger-0")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reported run whose model, error, options and finding are all hostile."""
    path = tmp_path_factory.mktemp("run")
    hostile = ollama(100, identity=replace(identity(100), model=HOSTILE, endpoint="=1+1|$x$"))
    records = [*golden_records(), hostile, failed(101, "server_error", "=cmd|' /C calc'!A1\n" + HOSTILE)]
    findings = [{"rule": HOSTILE, "level": HOSTILE, "what": HOSTILE, "do": HOSTILE, "unit": HOSTILE, "limit": 1}]
    validity = {"verdict": HOSTILE, "findings": findings}
    report(folder(path, records, {"format": 1, "run": HOSTILE, "options": {HOSTILE: HOSTILE}, "validity": validity}))
    return path


def own(page: str) -> str:
    """The page without plotly.js, which is its one great script."""
    return re.sub(r"<script>.{1000000,}?</script>", "", page, flags=re.S)


def test_what_others_wrote_stays_text(run: Path) -> None:
    page = own((run / "report.html").read_text(encoding="utf-8"))
    assert "<img" not in page
    assert "document.title='taken'</script>" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert "=cmd|&#39; /C calc&#39;!A1" in page
    assert "通义千问" in page


def test_markdown_has_no_tag_no_formula_and_no_broken_table_either(run: Path) -> None:
    text = (run / "report.md").read_text(encoding="utf-8")
    outside_code = re.sub(r"(`+).*?\1", "", text)
    assert "<script" not in outside_code.replace(r"\<", "")
    assert "$x$" not in outside_code
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_an_option_stays_on_one_line_and_what_looks_like_one_is_text_all_the_same() -> None:
    line = ("use --processes, or <b>--x</b>",)
    page = render(Document("t", "", (), "", (), (Section("s", "S", (line,)),)))
    assert (
        '<p>use <span class="option">--processes</span>, or &lt;b&gt;<span class="option">--x</span>&lt;/b&gt;' in page
    )


def test_the_page_loads_nothing(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count("<script>") - own(page).count("<script>") == 1  # plotly.js, once
    assert not re.search(r"""<(script|link|img|iframe)[^>]*\b(src|href)\s*=""", own(page))
    assert "http-equiv" in own(page)
    assert "url(" not in own(page)
    assert "@import" not in own(page)


def test_a_browser_draws_all_figures_without_an_error(run: Path, tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        if os.environ.get("CI") == "true":
            pytest.fail("there is no Chromium to draw the report in")
        pytest.skip("there is no Chromium to draw the report in")
    watch = (
        "<head><script>const failed = what => document.documentElement.dataset.failed = what;"
        "addEventListener('error', event => failed(event.message));"
        "addEventListener('securitypolicyviolation', event => failed(event.violatedDirective + event.blockedURI));"
        "</script>"
    )
    page = tmp_path / "watched.html"
    page.write_text((run / "report.html").read_text(encoding="utf-8").replace("<head>", watch, 1), encoding="utf-8")
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic")
    command = (chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", *quiet)
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = subprocess.run(
        [*command, profile, "--virtual-time-budget=10000", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=180,
        check=True,
    ).stdout
    found = re.search(r'data-failed="[^"]*"', own(shown))
    assert found is None, found
    assert "<title>taken" not in shown
    for name in FIGURES:
        drawn = shown.partition(f'id="figure-{name}"')[2].partition("application/json")[0]
        assert 'class="main-svg"' in drawn, f"{name} was not drawn"
        assert "NaN" not in drawn


def test_figures_are_whole_on_paper_and_as_before_on_the_screen(run: Path) -> None:
    """A page that was drawn for a wide screen; printing waits for nothing that a timer does."""
    reach = "return [...document.querySelectorAll('.main-svg')].map(svg => svg.getBoundingClientRect().right)"
    ends = "return [...document.querySelectorAll('.js-plotly-plot')].map(plot => plot._fullLayout.width)"
    with browser() as window:
        window.open((run / "report.html").as_uri())
        on_screen = window.script(ends)
        assert max(window.script("dispatchEvent(new Event('beforeprint'));" + ends)) < 800  # at once
        window.devtools("Emulation.setEmulatedMedia", media="print")
        window.devtools("Emulation.setDeviceMetricsOverride", width=690, height=1000, deviceScaleFactor=1, mobile=False)
        printed = window.script(reach)
        window.devtools("Emulation.clearDeviceMetricsOverride")
        window.devtools("Emulation.setEmulatedMedia", media="")
        window.script("dispatchEvent(new Event('afterprint'))")
        assert window.script(ends) == on_screen
    assert max(on_screen) > 1000
    assert len(printed) >= 2 * len(FIGURES)
    assert 600 < max(printed) <= 690


def test_a_figure_cannot_end_the_script_it_is_in() -> None:
    plot = Plot("x", "x", HOSTILE, HOSTILE, (figure().add_scatter(x=[1], y=[1], name=HOSTILE),), (("red", HOSTILE),))
    page = own(render(Document("title", "VALID", (), "verdict", (), ()), [plot]))
    assert HOSTILE not in page
    assert page.count("</script>") == page.count("<script")
