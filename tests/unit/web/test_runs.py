"""The runs that the page lists: the newest first, each with its verdict and the files that are there."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from webui_client import web_ui

from tokenswarm.settings.options import INTERNAL, SECTIONS


def made(runs: Path, name: str, verdict: str, *files: str, **facts: Any) -> None:
    (runs / name).mkdir(parents=True)
    for file in files:
        (runs / name / file).write_text("there")
    found = [{"level": "invalid", "what": "the client was late"}, {"level": "remark", "what": "few samples"}]
    run = {"state": "complete", "rows": 9, "validity": {"verdict": verdict, "findings": found}, **facts}
    (runs / name / "run.json").write_text(json.dumps(run))


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made(tmp_path, "20261101T000000Z-old", "INVALID", "report.html")
    made(tmp_path, "20261102T000000Z-new", "VALID", "requests.csv", "requests.txt", target={"model": "m"})
    (tmp_path / "20261103T000000Z-torn").mkdir()
    (tmp_path / "20261103T000000Z-torn" / "run.json").write_text("{")
    with web_ui(tmp_path, monkeypatch) as ui:
        ui.tokenswarm_runs = tmp_path
        yield ui


def test_the_newest_run_comes_first_and_a_torn_one_is_left_out(app: Any) -> None:
    client = app.app.test_client()
    new, old = client.get("/tokenswarm/runs.json").json["runs"]
    assert (new["run"], new["verdict"], new["rows"], new["model"]) == ("20261102T000000Z-new", "VALID", 9, "m")
    assert new["files"] == ["run.json", "requests.csv"]
    assert old["sentence"] == "INVALID: the client was late"
    assert old["files"] == ["report.html", "run.json"]


def test_the_newest_runs_files_have_an_address_that_stays(app: Any) -> None:
    client = app.app.test_client()
    # The torn one is the newest; it has a run.json, and no report.
    assert client.get("/runs/latest/run.json").headers["Location"] == "/runs/20261103T000000Z-torn/run.json"
    assert client.get("/runs/latest/locust.log").status_code == 404
    made(app.tokenswarm_runs, "20261104T000000Z-next", "VALID")
    with client.get("/runs/latest/run.json", follow_redirects=True) as answer:
        assert answer.json["rows"] == 9


def test_the_form_has_a_short_label_and_the_texts_by_sections(app: Any) -> None:
    app.update_template_args()
    shown, sections = app.template_args["extra_options"], app.template_args["tokenswarm_form"]
    assert [section["title"] for section in sections] == [section.english for section in SECTIONS]
    fields = {field["name"]: field["text"] for section in sections for field in section["fields"]}
    assert set(fields) <= set(shown)
    assert all(not shown[name]["help_text"] and text for name, text in fields.items())
    assert set(app.template_args["tokenswarm_internal"]) == {each.dest for each in INTERNAL}


def test_rows_of_metrics_have_no_rate_of_requests(app: Any) -> None:
    stats = app.environment.stats
    now_s = int(time.time())
    for at_s in range(now_s - 12, now_s):
        for kind in ("POST", "output_tokens"):
            entry = stats.get("/api/chat m", kind)
            entry.log(7, 0)
            entry.num_reqs_per_sec[at_s] = 5
    stats.total.start_time, stats.total.last_request_timestamp = now_s - 30, now_s
    rows = {row["method"]: row for row in app.app.test_client().get("/stats/requests").json["stats"]}
    assert rows["POST"]["current_rps"] > 0
    assert rows["output_tokens"]["current_rps"] == 0
    assert rows["output_tokens"]["num_requests"] == 12
