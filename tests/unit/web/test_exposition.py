"""What Prometheus is told: the sums of requests.csv exactly, every metric by itself, text that its own parser reads."""

import csv
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tokenswarm.folder.lines import line
from tokenswarm.folder.row import row
from tokenswarm.folder.run_folder import RunFolder
from tokenswarm.metrics.catalogue import METRICS, Metric
from tokenswarm.metrics.checks.case import CheckResults
from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.metrics.text import plain
from tokenswarm.web import exposition
from tokenswarm.web.exposition import COARSE_NS, FINE_NS, FINEST_NS, Family, Totals, family, of_run, write_families
from tokenswarm.wire.values import Usage

WHO = Identity(0, 0, "OllamaChatUser", "/api/chat", 'a "strange"\\\nmodel', "p", 64)
START_NS = 1_000_000_000


def _record(sequence: int, outcome: str, e2e_ns: int, **values: Any) -> Record:
    who = replace(WHO, sequence=sequence)
    return Record(who, outcome, sent_ns=START_NS, ended_ns=START_NS + e2e_ns, **values)


RECORDS = [
    _record(0, "ok", 20_000_001, usage=Usage(output_tokens=7), gaps={0: 1, bucket(30_000_000): 2}),
    _record(1, "ok", 20_000_000, usage=Usage(output_tokens=5), judged=CheckResults({"repetition": 1})),
    _record(2, "ok", 700_000_000_000, judged=CheckResults({"repetition": 0})),
    _record(3, "timeout", 1_000_000, error="a\nline"),
]


def _lines(records: list[Record]) -> bytes:
    return b"".join(line(row(record)) for record in records)


def samples(families: Iterable[Family]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels, as Prometheus' own parser reads it."""
    text = write_families(families, lambda: None)
    found = [sample for group in text_string_to_metric_families(text) for sample in group.samples]
    by_name = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}
    assert len(by_name) == len(found)  # a sample that comes twice, and Prometheus takes none of them
    return by_name


def of(found: Any, name: str, outcome: str = "ok", **labels: str) -> float:
    labels |= {"endpoint": WHO.endpoint, "model": plain(WHO.model), "outcome": outcome}
    return found[f"tokenswarm_{name}", tuple(sorted(labels.items()))]


def totals_of(path: Path) -> Totals:
    totals = Totals(path / "requests.csv")
    totals.read_on(lambda: None)
    return totals


def test_sums_are_exact_and_read_on_where_they_ended(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.append(_lines(RECORDS[:2]), 2)
    totals = totals_of(folder.path)
    found = samples(totals.families())
    assert of(found, "requests_total") == 2
    assert of(found, "output_tokens_total") == 12
    assert of(found, "e2e_seconds_sum") == 0.040000001
    assert of(found, "e2e_seconds_bucket", le="0.01836") == 0
    assert of(found, "e2e_seconds_bucket", le="0.02014") == of(found, "e2e_seconds_count") == 2
    assert of(found, "itl_seconds_count") == 3
    assert of(found, "itl_seconds_bucket", le="0.0005") == 1
    assert abs(of(found, "itl_seconds_sum") - 0.06) < 0.0006
    folder.append(_lines(RECORDS[2:]), 2)
    folder.close()
    totals.read_on(lambda: None)
    found = samples(totals.families())
    assert (of(found, "requests_total"), of(found, "requests_total", "timeout")) == (3, 1)
    assert of(found, "e2e_seconds_bucket", le="300") == 2
    assert of(found, "e2e_seconds_bucket", le="+Inf") == 3
    assert of(found, "check_repetition_total", result="failed") == 1
    assert of(found, "check_repetition_total", result="passed") == 1
    assert found == samples(totals_of(folder.path).families())


def test_a_new_metric_reaches_it_by_itself(tmp_path: Path, monkeypatch: Any) -> None:
    new = Metric("letters", "count", "letters of the model's name", lambda r: len(r.identity.model))
    monkeypatch.setattr(exposition, "METRICS", (*METRICS, new))
    path = tmp_path / "requests.csv"
    with path.open("w", newline="") as file:
        columns = [*exposition.LABELS, *(metric.name for metric in METRICS), "letters"]
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerow({"endpoint": WHO.endpoint, "model": plain(WHO.model), "outcome": "ok", "letters": 5})
    assert of(samples(totals_of(tmp_path).families()), "letters_total") == 5


def test_what_no_request_had_is_left_out_and_every_kind_has_its_type(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.append(_lines(RECORDS), 4)
    folder.close()
    families = list(totals_of(folder.path).families())
    assert not [made for made in families if "load_seconds" in made.name]
    assert {metric.kind for metric in METRICS} == set(exposition._TYPES)
    assert list(family("nothing", "gauge", "no samples", [])) == []


def test_the_buckets_tell_neighbours_apart_from_half_a_millisecond_to_minutes() -> None:
    for bounds_ns, widest in ((FINE_NS, 1.25), (FINEST_NS, 1.1)):
        assert (bounds_ns[0], bounds_ns[-1]) == (500_000, 300_000_000_000)
        assert all(1.09 < after / before <= widest for before, after in pairwise(bounds_ns))
    assert list(COARSE_NS) == sorted(COARSE_NS)


def test_the_median_is_exact_beside_the_buckets_and_a_p95_wants_enough(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    times_ms = (*[21] * 100, *[35] * 10)
    first = [START_NS + ms * 1_000_000 for ms in times_ms]
    records = [_record(n, "ok", 500_000_000, first_output_ns=at) for n, at in enumerate(first)]
    folder.append(_lines(records[:20]), 20)
    totals = totals_of(folder.path)
    found = samples(totals.families())
    at = tuple(sorted({"endpoint": WHO.endpoint, "model": plain(WHO.model)}.items()))
    assert found["tokenswarm_ttft_p50_seconds", at] == pytest.approx(0.021, rel=0.006)
    assert ("tokenswarm_ttft_p95_seconds", at) not in found
    folder.append(_lines(records[20:]), 90)
    folder.close()
    totals.read_on(lambda: None)
    assert samples(totals.families())["tokenswarm_ttft_p95_seconds", at] == pytest.approx(0.035, rel=0.006)


def test_what_was_asked_begins_at_zero_and_the_warm_up_is_in_no_p50(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    totals = Totals(folder.path / "requests.csv")
    totals.expect([(WHO.endpoint, plain(WHO.model)), ("/api/embed", "e"), ("/api/pull", "e")])
    found = samples(totals.families())
    assert of(found, "ttft_seconds_bucket", le="+Inf") == of(found, "requests_total") == 0
    assert {dict(labels)["model"] for _, labels in found} == {plain(WHO.model)}
    assert not [name for name, _ in found if "_p50_" in name]
    first = {"first_output_ns": START_NS + 90_000_000, "phase": "warm-up"}
    cold = [_record(n, "ok", 500_000_000, **first) for n in range(3)]
    warm = [_record(n, "ok", 500_000_000, first_output_ns=START_NS + 30_000_000) for n in range(3, 5)]
    folder.append(_lines([*cold, *warm]), 5)
    folder.close()
    totals.read_on(lambda: None)
    found = samples(totals.families())
    assert of(found, "ttft_seconds_count") == 5
    (shown,) = (value for (name, _), value in found.items() if name == "tokenswarm_ttft_p50_seconds")
    assert shown == pytest.approx(0.03, rel=0.006)


def test_series_are_as_many_as_groups_and_outcomes_not_as_requests(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    outcomes = ("ok", "timeout", "cancelled")
    times = {"first_output_ns": START_NS + 10**7, "gaps": {bucket(10**7): 3}, "usage": Usage(output_tokens=4)}

    def some(begin: int) -> bytes:
        ms = [1 + 7 * n for n in range(begin, begin + 90)]
        return _lines([_record(n, outcomes[n % 3], ms * 1_000_000, **times) for n, ms in enumerate(ms, begin)])

    folder.append(some(0), 90)
    totals = totals_of(folder.path)
    few = len(samples(totals.families()))
    folder.append(some(90) + some(180), 180)
    folder.close()
    totals.read_on(lambda: None)
    found = samples(totals.families())
    assert len(found) - few <= 2 * 4  # p50 and p95, once there are enough
    buckets = {(name, dict(labels)["outcome"], dict(labels)["le"]) for name, labels in found if "_bucket" in name}
    # What failed counts as infinite, as in an SLO's percentile: it has no other bucket.
    assert {le for name, outcome, le in buckets if outcome != "ok"} == {"+Inf"}
    assert of(found, "e2e_seconds_bucket", "timeout", le="+Inf") == of(found, "e2e_seconds_count", "timeout") == 90


def test_every_sample_says_whose_it_is(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.append(_lines(RECORDS), 4)
    folder.close()
    found = samples(of_run(totals_of(folder.path).families(), "20261128T000000Z-night", "night"))
    assert found
    assert all({("run", "20261128T000000Z-night"), ("name", "night")} <= set(labels) for _, labels in found)


@pytest.mark.skipif(not shutil.which("promtool"), reason="apt-get install prometheus")
def test_promtool_finds_nothing_to_say_against_the_names(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    usage = Usage(9, 7, 3, 10**9, 10**8, 10**8, 10**8)
    times = {"first_output_ns": START_NS + 10**8, "last_output_ns": START_NS + 10**9, "output_chunks": 7}
    folder.append(_lines([*RECORDS, _record(9, "ok", 10**9, usage=usage, **times)]), 5)
    folder.close()
    text = write_families(totals_of(folder.path).families(START_NS + 2 * 10**9), lambda: None)
    said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_writing_lets_others_have_their_turn() -> None:
    turns: list[int] = []
    many = family("users", "gauge", "many", [("", {"worker": str(n)}, n) for n in range(1000)])
    text = write_families(many, lambda: turns.append(len(turns)))
    assert text.count("tokenswarm_users{") == 1000
    assert len(turns) == 20
