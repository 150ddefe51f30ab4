"""VALID or INVALID: each rule on rows in round numbers."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from golden.make import MS, ZERO_NS, failed, ollama
from validity_rows import Change, many, verdict

from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.record import Kept, Record
from tokenswarm.metrics.validity.evidence import with_the_cut
from tokenswarm.metrics.validity.rules import RULES
from tokenswarm.wire.values import Usage


def rules(found: dict[str, Any], level: str = "") -> set[str]:
    return {finding["rule"] for finding in found["findings"] if finding["level"].startswith(level)}


def test_a_good_run_is_valid_without_a_word(tmp_path: Path) -> None:
    assert verdict(tmp_path, many()) == {"verdict": "VALID", "findings": []}


def usage(**changes: Any) -> Change:
    return lambda r: replace(r, usage=r.usage._replace(**changes))


BAD: dict[str, tuple[Change, int]] = {
    "late reads": (lambda r: replace(r, coalesced_chunks=2, late_chunks=2, late_reads=1), 10),
    "late dispatch": (lambda r: replace(r, interpreted_ns=(r.ended_ns or 0) + 12 * MS), 1),
    "lateness": (lambda r: replace(r, scheduled_ns=(r.sent_ns or 0) - 12 * MS), 50),
    "clock steps": (lambda r: replace(r, clock_step_ns=-3 * MS), 50),
    "errors": (lambda r: replace(r, outcome="http_error"), 15),
    "output limit": (usage(output_tokens=422), 50),
    "token counts": (lambda r: replace(r, output_chunks=14), 50),
    "uncounted tokens": (usage(output_tokens=None), 50),
    "prompt cache": (usage(cached_tokens=10), 2),
}


@pytest.mark.parametrize("rule", BAD)
def test_each_rule_finds_its_fault_and_nothing_else(rule: str, tmp_path: Path) -> None:
    change, every = BAD[rule]
    found = verdict(tmp_path, many(change, every), unique_prompts=True)
    assert found["verdict"] == "INVALID"
    assert rules(found) == {rule}
    (finding,) = found["findings"]
    assert finding["figure"] > finding["limit"]
    assert finding["what"]
    assert finding["do"]


def test_durations_that_cannot_be_are_a_remark(tmp_path: Path) -> None:
    doubted = CheckResults({"durations_impossible": 1})
    found = verdict(tmp_path, many(lambda r: replace(r, judged=doubted)))
    assert (found["verdict"], rules(found)) == ("VALID", {"durations"})
    assert found["findings"][0]["figure"] == 100


def test_opening_connections_is_not_the_clients_own_lateness(tmp_path: Path) -> None:
    slow = many(lambda r: replace(r, scheduled_ns=(r.sent_ns or 0) - 60 * MS, connect_ns=60 * MS))
    assert verdict(tmp_path, slow) == {"verdict": "VALID", "findings": []}


def test_a_worker_that_could_not_keep_up(tmp_path: Path) -> None:
    assert rules(verdict(tmp_path / "a", many(), {"cpu_percent_mean": 97.0}), "invalid") == {"worker CPU"}
    found = verdict(tmp_path / "a", many(), {"cpu_percent_mean": 97.0})["findings"][0]
    assert found["do"] == "use more workers (--processes); this load needs 2 workers (--processes 2)"
    # A loop that is late harms only where it merged chunks: a few here, fewer than the rule of late reads minds.
    late = {"loop_lag_ms_p99": 11.0}
    assert rules(verdict(tmp_path / "b", many(), late)) == {"loop lag"}
    assert rules(verdict(tmp_path / "b", many(), late), "invalid") == set()
    some = many(lambda r: replace(r, coalesced_chunks=1, late_chunks=1, late_reads=1), 60)
    assert rules(verdict(tmp_path / "c", some, late), "invalid") == {"loop lag"}


def test_chunks_that_the_server_sent_together_are_not_the_clients_fault(tmp_path: Path) -> None:
    # Each answer in 4 writes of 3 chunks, 0.1 ms apart at most; one read in twenty is late, and changes nothing.
    def bursty(r: Record) -> Record:
        gaps = {0: 8, bucket(30 * MS): 3}
        return replace(r, reads=4, output_chunks=12, coalesced_chunks=8, gaps=gaps, longest_gap_ns=30 * MS)

    records = [bursty(r) for r in many()]
    records = [replace(r, late_reads=1, late_chunks=2) if i % 5 == 0 else r for i, r in enumerate(records)]
    found = verdict(tmp_path, records, {"loop_lag_ms_p99": 1.5})
    assert found["verdict"] == "VALID", found


def test_what_every_prompt_shares_is_the_template_not_the_cache(tmp_path: Path) -> None:
    shared = verdict(tmp_path / "a", many(usage(cached_tokens=8)), unique_prompts=True)
    assert "prompt cache" not in rules(shared)
    # llama.cpp's slots hold the token that every prompt begins with, after their first prompt.
    begun = verdict(tmp_path / "c", many(usage(cached_tokens=1), every=2), unique_prompts=True)
    assert "prompt cache" not in rules(begun)
    # A server that names cached tokens only where there are some: one of 500 is no share to speak of.
    once = verdict(tmp_path / "b", many(usage(cached_tokens=16), every=500), unique_prompts=True)
    assert "prompt cache" not in rules(once)


def test_what_a_session_finds_of_its_own_earlier_turns_in_the_cache_is_as_it_should_be(tmp_path: Path) -> None:
    def cached(record: Record) -> Record:
        number = record.identity.sequence % 2 + 1
        return replace(usage(cached_tokens=18 * (number - 1))(record), identity=replace(record.identity, turn=number))

    assert "prompt cache" not in rules(verdict(tmp_path / "a", many(cached), unique_prompts=True))
    first = verdict(tmp_path / "b", many(usage(cached_tokens=18), every=2), unique_prompts=True)
    assert "prompt cache" in rules(first)


def test_a_kept_text_of_any_length_is_judged(tmp_path: Path) -> None:
    kept = Kept("x" * 300_000, "a\rb", "")
    assert verdict(tmp_path, many(lambda r: replace(r, kept=kept), 100))["verdict"] == "VALID"


@pytest.mark.parametrize("outcome", ["cancelled", "truncated", "server_error", "timeout"])
def test_tokens_that_nobody_counted_are_an_estimate_and_said_to_be(outcome: str, tmp_path: Path) -> None:
    """Those that the run's end cut, and those of Ollama's guard against repetition, which ends without a count."""
    cut = [replace(ollama(1000 + i, outcome=outcome, usage=Usage()), reads=12) for i in range(50)]
    (found,) = (f for f in verdict(tmp_path, many() + cut)["findings"] if f["rule"] == "estimated tokens")
    assert (found["level"], found["figure"]) == ("remark", pytest.approx(100 * 550 / 6050))


def test_they_are_a_share_of_all_tokens_also_where_nothing_else_was_streamed(tmp_path: Path) -> None:
    whole = many(lambda r: replace(r, streamed=False, first_output_ns=None, gaps={}))
    streamed = [replace(ollama(900 + i), reads=12) for i in range(9)]
    cut = [replace(ollama(1000 + i, outcome="cancelled", usage=Usage()), reads=12) for i in range(51)]
    found = {f["rule"]: f for f in verdict(tmp_path, whole + streamed + cut)["findings"]}
    assert found["estimated tokens"]["figure"] == pytest.approx(100 * 51 / 560)


def test_without_kernel_stamps_the_loops_lag_is_the_error(tmp_path: Path) -> None:
    def clocked(r: Record) -> Record:
        return replace(r, clock_stamps=12)

    assert verdict(tmp_path / "a", many(clocked), {"loop_lag_ms_p99": 0.4})["verdict"] == "VALID"
    late = verdict(tmp_path / "b", many(clocked), {"loop_lag_ms_p99": 0.6})  # 5 % of the gaps of 10 ms is 0.5 ms
    assert rules(late, "invalid") == {"loop lag"}


def test_too_few_requests_for_a_median(tmp_path: Path) -> None:
    assert rules(verdict(tmp_path / "6", many(n=6)), "invalid") == {"samples"}
    seven = verdict(tmp_path / "7", many(n=7))
    assert seven["verdict"] == "VALID"
    assert rules(seven, "remark") == {"samples for p95", "samples for p99"}
    assert rules(verdict(tmp_path / "0", []), "invalid") == {"samples"}


def test_the_warm_up_is_not_judged(tmp_path: Path) -> None:
    bad = [replace(failed(1000 + i, "timeout", "late", at_ms=i), phase="warm-up") for i in range(500)]
    assert verdict(tmp_path, many() + bad)["verdict"] == "VALID"


def test_a_server_that_counts_no_tokens_at_all_is_only_remarked_on(tmp_path: Path) -> None:
    found = verdict(tmp_path, many(lambda r: replace(r, usage=Usage())))
    assert found["verdict"] == "VALID"
    assert rules(found, "remark") == {"uncounted tokens"}


def test_requests_cut_at_the_end_move_the_median(tmp_path: Path) -> None:
    # Ten ended after 225 ms; ninety were cut after 900 ms: the median is beyond all that ended.
    cut = [replace(ollama(100 + i, outcome="cancelled", usage=Usage()), ended_ns=ZERO_NS + 900 * MS) for i in range(90)]
    found = verdict(tmp_path / "a", many(n=10) + cut)
    assert "censored tail" in rules(found, "invalid")
    assert "∞" in next(f["what"] for f in found["findings"] if f["rule"] == "censored tail")
    # Cut early, after 10 ms, they say nothing about the others.
    early = [replace(r, ended_ns=ZERO_NS + 10 * MS) for r in cut]
    assert "censored tail" not in rules(verdict(tmp_path / "b", many(n=500) + early))


def test_the_product_limit_estimate() -> None:
    # Textbook: ends at 1, 2, 4 ms and cuts at 1.5 and 3 ms: S = 4/5, then x 2/3 (8/15), then 0.
    def at(*ms: float) -> Counter[int]:
        return Counter(bucket(int(value * MS)) for value in ms)

    done, cut = at(1, 2, 4), at(1.5, 3)
    assert with_the_cut(done, cut, 20) == pytest.approx(1, rel=0.01)
    assert with_the_cut(done, cut, 46) == pytest.approx(2, rel=0.01)
    assert with_the_cut(done, cut, 47) == pytest.approx(4, rel=0.01)
    assert with_the_cut(at(1), at(2), 51) is None
    assert with_the_cut(at(1, 2, 3), at(), 50) == pytest.approx(2, rel=0.01)


def test_every_rule_says_what_to_do() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert "{figure}" in rule.what
        assert rule.do


def test_management_calls_are_no_sample_of_the_answers(tmp_path: Path) -> None:
    """Five answers support no median, however many calls of /api/tags there are beside them."""
    calls = [
        replace(made, identity=replace(made.identity, endpoint="/api/tags", max_tokens=None)) for made in many(n=60)[5:]
    ]
    assert "samples" in rules(verdict(tmp_path, [*many(n=5), *calls]), "invalid")
    assert "samples" not in rules(
        verdict(tmp_path / "alone", calls)
    )  # where there is nothing else, they are the sample
