"""A run that is over, judged by its rows: of a capacity search by those of the trials that it answers for."""

from dataclasses import replace
from pathlib import Path

from golden.make import folder
from validity_rows import HEALTHY, many

from tokenswarm.folder.verdict import validity
from tokenswarm.metrics.record import Record


def rules(path: Path, records: list[Record], *verdicts: str) -> set[str]:
    """What makes a search INVALID of which these came of trials 1, 2, …, each of as many of the records."""
    size = len(records) // len(verdicts)
    trials = [replace(r, identity=replace(r.identity, stage=1 + at // size)) for at, r in enumerate(records)]
    told = [{"trial": number, "verdict": verdict} for number, verdict in enumerate(verdicts, 1)]
    run = {"workers": [HEALTHY], "options": {}, "capacity": {"trials": told}}
    found = validity(folder(path, trials, None), run, ())["findings"]
    return {finding["rule"] for finding in found if finding["level"] == "invalid"}


def fail(record: Record) -> Record:
    return replace(record, outcome="http_error")


def test_a_search_answers_for_the_trials_that_met_its_slos(tmp_path: Path) -> None:
    good, bad = many(n=200), many(fail, n=200)
    assert rules(tmp_path / "met", [*good, *bad], "met", "crossed") == set()
    assert "errors" in rules(tmp_path / "crossed", [*bad, *good], "met", "crossed")


def test_where_no_trial_did_all_requests_count(tmp_path: Path) -> None:
    assert rules(tmp_path / "ok", many(n=200), "crossed", "crossed") == set()
    assert "errors" in rules(tmp_path / "failed", many(fail, n=200), "crossed", "crossed")
