"""Nothing but a run's own files can be fetched from the web UI."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from webui_client import web_ui

RUN = "20261123T111733Z-demo"
SECRET = "a file outside"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
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
    with web_ui(runs, monkeypatch) as made:
        yield made.app.test_client()


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
