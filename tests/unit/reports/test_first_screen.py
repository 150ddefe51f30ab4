"""The first screen: figures of the steady phase as plain pandas has them, and a sentence for each rule."""

import statistics
from pathlib import Path
from typing import Any

import pytest
from golden.make import MS, ZERO_NS, failed, folder, golden_records, ollama, openai, summary_of

from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.reports.card import card
from tokenswarm.reports.load import load
from tokenswarm.reports.parts import PARTS, conclusions, findings, open_loop, time_spent
from tokenswarm.reports.parts.load_shape import load_line
from tokenswarm.reports.parts.steady import rows
from tokenswarm.reports.render import console
from tokenswarm.reports.render.html import FIRST
from tokenswarm.reports.summary import summarise


def phased(tmp_path: Path) -> dict[str, Any]:
    """10 requests while users come, 50 with all of them (a token each 20 ms then), 2 cut at the stop."""
    ramp = [ollama(n, at_ms=100 * n, phase="ramp-up") for n in range(10)]
    held = [ollama(10 + n, at_ms=1000 + 100 * n, tokens=11 + n % 3) for n in range(50)]
    cut = [ollama(60 + n, at_ms=5900, phase="drain", outcome="cancelled", ended_ns=ZERO_NS + 6100 * MS) for n in (0, 1)]
    return summary_of(tmp_path, [*ramp, *held, *cut])


def test_the_steady_figures_stand_beside_those_of_the_whole_run(tmp_path: Path) -> None:
    summary = phased(tmp_path)
    found = summary["steady"]
    e2e_ms = sorted(225 + 10 * (n % 3) for n in range(50))
    assert found["requests"] == 50
    assert found["from_unix_ns"] == ZERO_NS + 1000 * MS
    assert found["figures"]["e2e_ms_p50"]["steady"]["value"] == statistics.median_low(e2e_ms)
    assert found["figures"]["e2e_ms_p50"]["whole"]["n"] == 60
    assert found["figures"]["e2e_ms_p95"]["steady"]["value"] is None  # of 50
    # 50 ms under way of every 100, longer ones longer: by Little's law.
    window_ms = (found["to_unix_ns"] - found["from_unix_ns"]) / MS
    begun = [(1000 + 100 * n, 225 + 10 * (n % 3)) for n in range(50)]
    inside = sum(min(at + e2e, 1000 + window_ms) - at for at, e2e in begun)
    late = [(100 * n, 225) for n in range(10)]
    inside += sum(max(0, at + e2e - 1000) for at, e2e in late) + 2 * 200
    assert found["in_flight"] == pytest.approx(inside / window_ms, rel=1e-6)


def test_the_page_has_the_same_first_screen_as_the_rest_has(tmp_path: Path) -> None:
    """Above all figures that belong to no section of it."""
    summary = summary_of(tmp_path, golden_records())
    first = PARTS[: PARTS.index(findings.PART) + 1]
    assert {part.section(summary).key for part in first if part.section} <= FIRST


def test_goodput_needs_every_slo_of_a_request(tmp_path: Path) -> None:
    said = ("e2e_ms p95 < 230", "check cut_by_limit < 1%", "outcome ok > 99%")
    slos = [{"slo": slo, "state": "crossed"} for slo in said]
    records = [
        ollama(n, at_ms=100 * n, tokens=11 + n % 2, judged=CheckResults({"cut_by_limit": int(n % 4 == 0)}))
        for n in range(40)
    ]
    figures = summary_of(tmp_path, records, slos=slos)["steady"]["figures"]
    # Half of them are longer; of the others every second one reached its limit.
    good, ok = (figures[name]["steady"]["value"] for name in ("goodput_per_s", "ok_per_s"))
    assert good == pytest.approx(ok / 4, rel=0.03)


def test_the_load_in_words(tmp_path: Path) -> None:
    began = {"started_unix_s": 1795433493.0, "options": {"num_users": 8}}
    said = load_line(summary_of(tmp_path, [ollama(n, at_ms=100 * n) for n in range(5)], **began))
    assert said == "closed loop, 8 users, 0.625 s, 23 November 2026 11:31 UTC, sim:latest on Ollama 0.32.15"
    said = load_line(summary_of(tmp_path, [ollama(0)], options={"num_users": 8, "arrivals": "5/s", "stages": ""}))
    assert said.startswith("open loop 5/s, 0.225 s")


def test_the_report_finds_what_spoils_the_whole_runs_figures(tmp_path: Path) -> None:
    records = [ollama(n, at_ms=100 * n, phase="ramp-up" if n < 3 else "steady") for n in range(20)]
    found = summary_of(tmp_path, records)["validity"]["findings"]
    assert [(one["level"], one["figure"]) for one in found if one["rule"] == "ramp-up"] == [("remark", 15.0)]
    calm = summary_of(tmp_path / "b", records[2:])["validity"]["findings"]
    assert "ramp-up" not in {one["rule"] for one in calm}


def test_the_terminal_ends_with_the_first_screen(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, golden_records())
    lines = console.render(summary).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("INVALID: "))
    assert any(line.startswith("  ") or "remark" in line for line in lines[:at])
    shown = "\n".join(lines[at:])
    for label, steady, *_ in rows(summary):
        assert label in shown
        assert steady in shown
    assert all(said.split()[0] in shown for said in summary["conclusions"].values())
    assert all(console.width(line) <= console.COLUMNS for line in lines)


def test_a_bars_parts_are_the_ledgers(tmp_path: Path) -> None:
    summary = summary_of(tmp_path, [ollama(n, at_ms=100 * n) for n in range(9)])
    (bar,) = time_spent.bars(summary).bars
    assert sum(value for *_, value in bar.parts) == pytest.approx(225)
    assert sum(bar.shares()) == pytest.approx(100)


def stage(users: int, tokens_per_s: float, ttft_ms: float = 10) -> dict[str, Any]:
    return {"users": str(users), "held": 9, "output_tokens_per_s": tokens_per_s, "ttft_ms": {"p50": ttft_ms}}


def some(**changes: Any) -> dict[str, Any]:
    """A summary of which only what the rules read is there."""
    figure = {"steady": {"value": 900, "n": 200, "worth": 150}}
    counts = {"total": 200, "by_outcome": {"ok": 200}}
    ledger = [{"n": 200, "sum_mean_ms": 1000, "parts_mean_ms": {"queue": 600, "eval": 390, "rest": 10}}]
    base: dict[str, Any] = {
        "validity": {"findings": []},
        "overall": {"requests": counts, "ledger": [], "metrics": {}},
        "steady": {"ledger": ledger, "in_flight": 10.0, "figures": {"e2e_ms_p95": figure}},
        "load": {"seconds": 60.0},
        **{"stages": [], "slos": [], "open_loop": None, "loading": None, "circumstances": {"options": {}}},
    }
    return base | changes


LOOP = {"due": 500, "dropped": 0, "failed": 0, "offered_per_s": 9.0, "answered_per_s": 6.0}
LOOP |= {"unanswered_early": 12.0, "unanswered_late": 40.0}
CALM = {**LOOP, "queue_grew": False, "answered_per_s": 8.8}
LOST = {**CALM, "answered_per_s": 0.9, "dropped": 440, "failed": 10}
INVALID = {"findings": [{"level": "invalid", "rule": "late reads", "do": "use more workers"}]}
FREE = {
    "ledger": [{"n": 200, "sum_mean_ms": 1000, "parts_mean_ms": {"queue": 4, "eval": 996}}],
    "in_flight": 3.0,
    "figures": {},
}
CLIENT = {
    "ledger": [{"n": 200, "sum_mean_ms": 9, "parts_mean_ms": {"first output": 9}}],
    "in_flight": 3.0,
    "figures": {},
}
FEW = {"e2e_ms_p95": {"steady": {"value": None, "n": 45, "worth": 40}}}
COLD = [{"state": "cold", "n": 9}, {"state": "warm", "n": 81}]  # of 200; the others tell nothing of loads
DEPENDENT = {"e2e_ms_p95": {"steady": {"value": 9, "n": 500, "worth": 5}}}


@pytest.mark.parametrize(
    ("changes", "about", "said"),
    [
        ({}, "Where the time goes", "1,000 ms, 60.0 % are server queue and 39.0 % eval (decoding)."),
        ({}, "Where it saturates", "of 10.0 requests in flight 4.00 were served at a time"),
        ({"steady": FREE}, "Where it saturates", "Not saturated: with 3.00 requests"),
        ({"steady": CLIENT}, "Where it saturates", "One load does not show"),
        ({"stages": [stage(1, 50), stage(2, 100)]}, "Where it saturates", "Not saturated at 2 users"),
        ({"stages": [stage(2, 99), stage(4, 190), stage(8, 193, 560)]}, "Where it saturates", "Saturates by 4 users"),
        ({"stages": [stage(4, 99), stage(4, 50)]}, "Where it saturates", "of 10.0 requests in flight"),  # one load
        ({"stages": [stage(1, 50), stage(2, 60), stage(3, 59), stage(4, 99)]}, "Where it saturates", "do not show"),
        ({"open_loop": {**LOOP, "queue_grew": True}}, "Where it saturates", "9.00 requests a second were due and 6.00"),
        ({"open_loop": CALM}, "Where it saturates", "It kept up"),
        ({"open_loop": LOST}, "Where it saturates", "of 500 that were due 440 were dropped and 10 failed"),
        ({"open_loop": {**CALM, "answered_per_s": 4.0}}, "Where it saturates", "Not known: 9.00 requests a second"),
        ({"capacity": {"sentence": "8 users."}}, "Where it saturates", "8 users."),
        ({"validity": INVALID}, "What next", "INVALID (late reads): use more workers"),
        ({"slos": [{"slo": "ttft_ms p95 < 9", "state": "crossed"}]}, "What next", "Missed: ttft_ms p95 < 9"),
        (
            {"steady": {**FREE, "figures": FEW}},
            "What next",
            "Run it longer, 132 s or more: p95 needs 90 steady requests, there are 45, worth 40",
        ),
        (
            {"steady": {**FREE, "figures": DEPENDENT}},
            "What next",
            "500 steady requests, worth 5 independent, cannot say",
        ),
        ({"loading": {"states": COLD}}, "What next", "9 of 90 requests waited for their model"),
        ({"capacity": {"sentence": "8 users.", "answer": 8}}, "What next", "Hold the load"),
        ({"capacity": {"answer": None, "sentence": "Not even 1 user."}}, "What next", "No load kept to the SLOs"),
        ({"capacity": {"answer": 8}, "slos": [{"slo": "x", "state": "crossed"}]}, "What next", "Hold the load"),
        ({}, "What next", "OLLAMA_NUM_PARALLEL"),
        ({"steady": FREE}, "What next", "Raise the load"),
    ],
)
def test_each_sentence_comes_from_a_rule(changes: dict[str, Any], about: str, said: str) -> None:
    assert said in conclusions.sentences(some(**changes))[about]


def test_where_many_failed_that_is_what_to_see_first(tmp_path: Path) -> None:
    records = [ollama(0), *(failed(1 + n, "http_error", "busy") for n in range(3))]
    said = summary_of(tmp_path, records, validity={"verdict": "VALID", "findings": []})["conclusions"]
    assert said["What next"] == "See first why 3 of 4 requests ended as http_error."
    # What would not help, or not with that.
    few = {"level": "invalid", "rule": "samples", "what": "too few ended ok", "do": "run longer"}
    late = {"level": "invalid", "rule": "late reads", "what": "read late", "do": "use more workers"}
    errors = {"level": "invalid", "rule": "errors", "what": "75 % failed", "do": "see the errors"}
    for found in ([few], [late, errors]):
        said = summary_of(tmp_path, records, validity={"verdict": "INVALID", "findings": found})["conclusions"]
        assert said["What next"] == "See first why 3 of 4 requests ended as http_error."


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ({1: 100, 2: 105, 4: 190, 8: 360}, "Not saturated at 8 users"),  # a dip at first, and then it grew
        ({10: 100, 11: 90, 12: 80, 13: 70}, "Saturates by 10 users: with 11, output tokens/s went from 100 to 90"),
        ({1: 50, 2: 100, 4: 0.0}, "Saturates by 2 users: with 4, output tokens/s went from 100 to 0"),
        ({1: 50, 2: 100, 3: 99, 4: 160}, None),  # no bend, and not each stage brought more
        ({1: 50, 2: None}, None),
        ({4: 100}, None),
    ],
)
def test_where_the_curve_of_stages_bends(rates: dict[int, float], said: str | None) -> None:
    found = conclusions.curve_bends({"stages": [stage(users, rate) for users, rate in rates.items()]})
    assert (found or "").startswith(said) if said else found is None


def test_of_stages_with_as_many_users_the_last_counts_and_one_does_not_bend() -> None:
    assert conclusions.curve_bends({"stages": [stage(4, 100), stage(4, 50)]}) is None
    stages = [stage(1, 90), stage(2, 100), stage(1, 50)]
    assert "Not saturated" in (conclusions.curve_bends({"stages": stages}) or "")


def test_a_run_whose_arrivals_were_dropped_or_refused_did_not_keep_up(tmp_path: Path) -> None:
    for outcome, lost in (("dropped", "450 were dropped"), ("http_error", "450 failed")):
        records = []
        for n in range(500):
            due = ZERO_NS + 20 * n * MS
            unsent = {"sent_ns": None, "ended_ns": None} if outcome == "dropped" else {}
            made = failed(n, outcome, "busy", 20 * n, scheduled_ns=due, **unsent)
            records.append(made if n % 10 else ollama(n, 20 * n, scheduled_ns=due))
        summary = summary_of(tmp_path / outcome, records, validity={"verdict": "VALID", "findings": []})
        assert f"of 500 that were due {lost}" in summary["conclusions"]["Where it saturates"]
        assert "450 of 500" in summary["conclusions"]["What next"]
        (line,) = (line[0] for line in open_loop.section(summary).lines if "second quarter" in line[0])
        assert "did not grow" not in line


def test_a_server_that_refuses_most_is_not_said_to_be_free(tmp_path: Path) -> None:
    records = [failed(n, "http_error", "server busy", 20 * n) if n % 10 else ollama(n, 20 * n) for n in range(500)]
    said = summary_of(tmp_path, records)["conclusions"]["Where it saturates"]
    assert said.startswith("Not known: too many requests failed")


def test_the_account_of_most_requests_speaks_and_says_of_how_many(tmp_path: Path) -> None:
    """Three requests with a long queue, of 150 of a server that tells nothing."""
    queued = ollama(0).usage._replace(total_ns=1218 * MS)
    records = [ollama(n, 100 * n, usage=queued, ended_ns=ZERO_NS + (100 * n + 1225) * MS) for n in range(3)]
    records += [openai(3 + n, 300 + 100 * n) for n in range(147)]
    run = load(folder(tmp_path, records))
    summary = summarise(run)
    assert "165 ms (of 147 of 150 requests)" in summary["conclusions"]["Where the time goes"]
    assert "in flight" not in summary["conclusions"]["Where it saturates"]
    assert "a mean request, 165 ms (of 147 of 150 requests): waiting" in card(run, summary)
    assert "147 requests, 165 ms each" in console.render(summary)


def test_one_request_does_not_show_that_the_server_is_saturated(tmp_path: Path) -> None:
    queued = ollama(0).usage._replace(total_ns=1218 * MS)
    said = summary_of(tmp_path, [ollama(0, usage=queued, ended_ns=ZERO_NS + 1225 * MS)])["conclusions"]
    assert said["Where it saturates"].startswith("One load does not show")


def test_a_percentile_is_withheld_by_the_number_of_requests_wherever_it_is_said(tmp_path: Path) -> None:
    few = summary_of(tmp_path / "few", [ollama(n, 100 * n) for n in range(61)])
    assert "p95 – (needs 90 requests, there are 61)" in few["verdict"]
    # Of the tokens of a slow swing neighbours are alike: 120 requests, worth far fewer; p95 is shown, and its worth.
    swing = summary_of(tmp_path / "swing", [ollama(n, 100 * n, tokens=11 + 9 * (n // 30 % 2)) for n in range(120)])
    p95 = swing["steady"]["figures"]["e2e_ms_p95"]["steady"]
    assert p95["value"] == swing["overall"]["metrics"]["e2e_ms"]["p95"] == 125 + 19 * 10
    assert p95["worth"] < 90
