"""Nothing but a run's own files can be fetched from the web UI, and no other site's page acts on it."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from locust.env import Environment
from locust.event import Events

from users import webui

RUN = "20261123T111733Z-demo"
SECRET = "a file outside"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr("sys.argv", ["locust"])  # which the page's form is made of
    runs = tmp_path / "runs"
    (runs / RUN).mkdir(parents=True)
    (tmp_path / "report.html").write_text(SECRET)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "report.html").write_text(SECRET)
    (runs / "report.html").write_text(SECRET)
    (runs / RUN / "report.html").write_text("a report")
    (runs / RUN / "other.txt").write_text(SECRET)
    (runs / RUN / "report.md").symlink_to(tmp_path / "report.html")
    (runs / "linked").symlink_to(tmp_path / "elsewhere")
    nobody = {"web_user": "", "web_password_file": "", "host": "http://127.0.0.1:9", "stages": ""}
    options = SimpleNamespace(run_dir=str(runs), web_base_path="", **nobody)
    environment = Environment(events=Events(), parsed_options=None)
    environment.create_local_runner()
    web_ui = environment.create_web_ui(delayed_start=True)
    environment.parsed_options = options
    swarm = SimpleNamespace(options=options, verdicts={}, ending=False)
    webui.attach(web_ui, swarm, SimpleNamespace(text=lambda: ""))  # type: ignore[arg-type]
    yield web_ui.app.test_client()
    environment.runner.quit()


@pytest.mark.parametrize(
    "path",
    [
        f"{RUN}/other.txt",
        f"{RUN}/report.md",
        "linked/report.html",
        "../report.html",
        "..%2freport.html",
        "%2e%2e/report.html",
        "%2e%2e%2freport.html",
        "./report.html",
        "%2e/report.html",
        f"{RUN}%2f..%2f../report.html",
        f"{RUN}/..%2freport.html",
        f"{RUN}/%2e%2e%2f%2e%2e%2freport.html",
        f"{RUN}/..%5creport.html",
        "..%5c..%5cx/report.html",
        "..%255creport.html/report.html",
        "%252e%252e/report.html",
        "%2fetc/report.html",
        f"{RUN}/report.html%00.txt",
        f"{RUN}%00/report.html",
        "nowhere/report.html",
    ],
)
def test_only_a_runs_own_files_are_served(client: Any, path: str) -> None:
    answer = client.get(f"/runs/{path}")
    assert answer.status_code in (404, 308), path
    assert SECRET not in answer.text


def test_a_report_is_served_as_no_part_of_the_ui(client: Any) -> None:
    answer = client.get(f"/runs/{RUN}/report.html")
    assert answer.text == "a report"
    answer.close()
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]


def test_no_other_site_reads_starts_or_stops_a_run(client: Any) -> None:
    across = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "http://behind.a.proxy"}
    for headers in (across, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert client.post("/swarm", data={"user_count": 1}, headers=headers).status_code == 403
        assert client.post("/user", json={}, headers=headers).status_code == 403
        assert client.post("/stats/reset", headers=headers).status_code == 403
    for headers in ({**across, "Sec-Fetch-Mode": "cors"}, {"Origin": "http://evil.example"}):
        assert client.get("/stats/requests", headers=headers).status_code == 403
        assert client.options("/swarm", headers=headers).status_code == 403
    with client.get(f"/runs/{RUN}/report.html", headers=across) as followed:  # a link
        assert followed.status_code == 200
    for headers in (own, {"Origin": "http://localhost"}, {}):
        assert client.post("/stats/reset", headers=headers).status_code == 200
        assert client.get("/stats/requests", headers=headers).status_code == 200
