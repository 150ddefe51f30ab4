"""The warm-up of a run with workers."""

from pathlib import Path

from doors import GOOD, Door, said
from locust_process import folder, headless, processes
from scripted import serving


def test_a_run_keeps_the_wait_that_a_server_asks_for_in_its_rows(tmp_path: Path) -> None:
    """And the run goes as the warm-up went: with the same fields, to the same path."""
    limited = said({"error": {"message": "slow down"}}, "429 Too Many Requests", "Retry-After: 7\r\n")
    asked = 0

    def chat(_: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return limited if asked % 2 == 0 else GOOD

    door = Door({"/v4/chat/completions?a=1": chat})
    load = ("OpenAIChatUser", "--model", "m", "--users", "2", "--run-time", "2s", "--pause-after-error", "0.05")
    load += processes(2)  # each of which must know the paths
    with serving(door.handle) as port:
        host = f"http://127.0.0.1:{port}/v4?a=1"
        done = headless(
            host, tmp_path, *load, "--no-report", "--options", '{"max_tokens": null, "stream_options": null}'
        )
    run = folder(tmp_path)
    assert "Traceback" not in done.stderr
    refused = [row for row in run.rows if row["status"] == "429"]
    assert len(refused) > 2
    assert {row["retry_after_s"] for row in refused} == {"7.0"}
    assert {row["retry_after_s"] for row in run.rows if row["status"] == "200"} == {""}
    bodies = door.bodies("/v4/chat/completions?a=1")
    assert len(bodies) == len(run.rows) + 1
    assert {tuple(body) for body in bodies} == {("model", "messages", "stream")}
    assert {row["max_tokens"] for row in run.rows} == {"0"}
