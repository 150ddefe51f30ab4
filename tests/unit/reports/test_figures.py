"""The figures of a report: colours that everybody tells apart, and nothing that matters left out of them."""

import csv
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compared_runs import VALID
from compared_runs import records as of_a_loop
from golden.make import MS, failed, folder, ollama, openai
from plotly.offline import get_plotlyjs_version

from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.record import Record
from tokenswarm.reports.load import load
from tokenswarm.reports.parts import requests as requests_part
from tokenswarm.reports.parts import slots, tails
from tokenswarm.reports.parts.requests import COLOURS, SYMBOLS
from tokenswarm.reports.render.html import PLOTLY
from tokenswarm.reports.summary import OUTCOMES, summarise
from tokenswarm.reports.write import figures

# Machado, Oliveira and Fernandes (2009), severity 1.0, of linear RGB.
EYES = {
    "any": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.9505, 1.0, 1.089)


def lab(colour: str, eyes: Any) -> Any:
    """CIELAB of a colour as such eyes see it."""
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    of_white = np.array(XYZ) @ np.clip(np.array(eyes) @ linear, 0, 1) / np.array(WHITE)
    f = np.where(of_white > 0.008856, np.cbrt(of_white), 7.787 * of_white + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", EYES)
def test_any_two_outcomes_are_told_apart_by_all_eyes(eyes: str) -> None:
    for one, other in itertools.combinations(COLOURS.values(), 2):
        assert np.linalg.norm(lab(one, EYES[eyes]) - lab(other, EYES[eyes])) >= 20, (one, other)


def test_each_outcome_has_a_colour_and_a_symbol_of_its_own() -> None:
    assert list(COLOURS) == list(SYMBOLS) == list(OUTCOMES)
    assert len(set(SYMBOLS.values())) == len(set(COLOURS.values())) == len(OUTCOMES)


def plots(path: Path) -> dict[str, Any]:
    run = load(path)
    summary = summarise(run)
    return {plot.name: plot for plot in figures(run, summary)}


def test_the_slowest_and_all_failed_requests_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests_part, "MOST", 20)
    monkeypatch.setattr(requests_part, "SLOWEST", 5)
    records = [ollama(n, at_ms=10 * n) for n in range(200)]
    records[137] = ollama(137, at_ms=1370, tokens=400)
    records += [failed(200 + n, "timeout", "no byte", at_ms=7 * n) for n in range(90)]
    traces = plots(folder(tmp_path, records))["requests"].figures[0].data
    ok, timed_out = (next(trace for trace in traces if trace.name.startswith(name)) for name in ("ok", "timeout"))
    assert 20 <= len(ok.x) <= 25
    assert max(ok.y) == pytest.approx(120 + 399 * 10 + 5)
    assert len(timed_out.x) == 90


def test_a_request_has_a_lane_of_its_own_while_it_lasts() -> None:
    assert slots.in_lanes([0, 1, 2, 5, 6], [4, 3, 9, 7, 8]).tolist() == [0, 1, 2, 0, 1]


def test_a_tail_is_the_share_that_took_longer() -> None:
    x, longer = tails.survival(np.arange(1.0, 1001.0))
    assert all(round(1000 - at) == round(share * 10) for at, share in zip(x, longer, strict=True))
    assert (x[-1], longer[-1]) == (999, 0.1)


def test_a_tails_label_counts_the_requests_that_are_in_it(tmp_path: Path) -> None:
    unseen: dict[str, Any] = {"first_output_ns": None, "first_answer_ns": None, "gaps": {}}
    records = [ollama(n, 100 * n, **(unseen if n % 3 == 0 else {})) for n in range(300)]
    ttft, *_, e2e = plots(folder(tmp_path, records))["tails"].figures
    assert (ttft.data[0].name, e2e.data[0].name) == ("/api/chat sim:latest (200)", "/api/chat sim:latest (300)")


def test_the_gaps_between_chunks_by_their_length(tmp_path: Path) -> None:
    """Of 1,000 gaps 10 are of chunks in one read, 890 of 10 ms, 100 of 300 ms; those of lumps are of no line."""
    each = {0: 1, bucket(10 * MS): 89, bucket(300 * MS): 10}
    records = [ollama(n, 100 * n, gaps=each) for n in range(10)]
    records += [ollama(10 + n, 100 * n, gaps={bucket(MS): 500}, phase="warm-up") for n in range(3)]
    records += [openai(20 + n, 100 * n, buffered=True, gaps={bucket(MS): 500}) for n in range(3)]
    plot = plots(folder(tmp_path, records))["itl"]
    assert "gaps of 0, of chunks that came in one read, 1.00 % of all" in plot.note
    (shares,), (tail,) = (one.data for one in plot.figures)
    assert shares.name == tail.name == "/api/chat sim:latest (1,000)"
    steps = {(at, below): share for at, below, share in zip(shares.x, shares.x[1:], shares.y, strict=False) if share}
    assert list(steps.values()) == [89, 10]
    for (at, below), ms in zip(steps, (10, 300), strict=True):
        assert at <= ms < below <= 1.11 * at
    assert list(tail.y) == [10]  # longer than 10 ms; than 300 none
    assert tail.x[0] == pytest.approx(10, rel=0.006)


def test_slots_are_of_requests_whose_output_was_seen_to_begin(tmp_path: Path) -> None:
    """Of a server that gives no durations nobody knows how long the answers that were not streamed had to wait."""
    unseen: dict[str, Any] = {"first_output_ns": None, "first_answer_ns": None, "gaps": {}, "streamed": False}
    records = [openai(n, 50 * n, **(unseen if n % 2 else {})) for n in range(60)]
    plot = plots(folder(tmp_path / "a", records))["slots"]
    assert {trace.name: len(trace.x) // 3 for trace in plot.figures[0].data} == {
        "waiting: sent, until its output begins": 30,
        "its output": 30,
    }
    assert "30 requests of which nobody saw" in plot.note
    assert "at least so many slots" in plot.note
    assert "slots" not in plots(folder(tmp_path / "b", [openai(n, 50 * n, **unseen) for n in range(60)]))
    timed = [ollama(n, 50 * n, **unseen) for n in range(60)]
    assert "slots" in plots(folder(tmp_path / "c", timed))


def test_stages_have_a_load_curve_with_the_numbers_of_the_table(tmp_path: Path) -> None:
    records: list[Record] = [ollama(n, at_ms=100 * n) for n in range(40)]
    path = folder(tmp_path, records, {**VALID, "stages": [_stage(1), _stage(4)]})
    _set_stages(path, 20)
    stages = summarise(load(path))["stages"]
    drawn = plots(path)["load-curve"].figures[0].data[0]
    assert list(drawn.x) == [1, 4]
    assert list(drawn.y) == [stage["output_tokens_per_s"] for stage in stages]


def _stage(users: int) -> dict[str, Any]:
    return {"text": f"{users} users", "from_users": users, "users": users}


def _set_stages(path: Path, first: int) -> None:
    with (path / "requests.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for at, row in enumerate(rows):
        row["stage"] = "1" if at < first else "2"
    with (path / "requests.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_the_bundle_of_plotly_is_of_the_packages_version_and_can_draw_all_that_there_is(tmp_path: Path) -> None:
    text = PLOTLY.read_text(encoding="utf-8")
    version = re.search(r"plotly\.js \(basic - minified\) v(\S+)", text[:400])
    assert version
    assert version[1] == get_plotlyjs_version()
    drawn = plots(folder(tmp_path, of_a_loop(1, n=300), VALID))
    assert {"slots", "tails", "throughput"} <= set(drawn)
    types = {trace.type for plot in drawn.values() for figure in plot.figures for trace in figure.data}
    assert types <= {"scatter", "bar", "pie"}


def test_prefill_stands_apart_from_what_was_cached(tmp_path: Path) -> None:
    records = []
    for n in range(60):
        made = ollama(n, at_ms=100 * n)
        usage = made.usage.__class__(prompt_tokens=100 + n, cached_tokens=[None, 0, 90][n % 3], output_tokens=11)
        records.append(ollama(n, at_ms=100 * n, usage=usage, first_output_ns=(made.sent_ns or 0) + n * MS))
    traces = plots(folder(tmp_path, records))["prefill"].figures[0].data
    assert [(trace.name.partition(" (")[0], len(trace.x)) for trace in traces] == [
        ("more than half of the prompt cached", 20),
        ("less of it, or none", 20),
        ("the server does not say", 20),
    ]
