"""What the terminal shows while a run goes on: it fits, and says what there is."""

from typing import Any

import pytest

from tokenswarm.metrics.live_view import LiveView, count_of
from tokenswarm.run.progress import Progress
from tokenswarm.run.screen import block, line, width

LONG = "hf.co/bartowski/Qwen2.5-Coder-32B-Instruct-GGUF:Q4_K_M"
NOW = Progress("20261128T004238Z-run", "running", 75.0, 45.0, "", [], [], "")


def view(*models: str, **given: Any) -> LiveView:
    seen = LiveView()
    seen.begin("run", 0.0)
    count = {"in_flight": 6, "begun": 4, "output_tokens": 150.0, "sent": 2, "outcomes": {"ok": 12, "timeout": 1}}
    for number in range(12):
        message = {**count, "counted_tokens": 1234, "ttft": "1400:9", **given}
        counts = {("/v1/chat/completions", model): count_of(message) for model in models}
        seen.take("a", number, counts, 1.0 + number, users=6)
    return seen


@pytest.mark.parametrize("columns", [40, 79, 159])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_line_is_wider_than_the_terminal(columns: int, lang: str) -> None:
    busy = NOW._replace(
        doing=f"stage 2 of 3: 1..16x5m, {LONG}",
        done=[f"trial {n}: 8 users: met, {LONG} {LONG}" for n in range(20)],
        findings=[("warning", f"{LONG} " * 3)],
    )
    lines = block(busy, view(LONG, "模型" * 30, "\x1b[31mred\n"), columns, lang)
    assert max(map(width, lines)) <= columns
    assert len(lines) < 24  # of a terminal of 80 x 24
    assert not any("\x1b" in each or "\n" in each for each in lines)


def test_the_block_says_where_the_run_is_and_what_the_server_does() -> None:
    text = "\n".join(block(NOW, view("m", oldest_wait_s=7.8), 79))
    for words in ("01:15 (left 00:45)", "██████████░░░░░░", "6 users", "4 active, 2 waiting", "first byte 7.8 s"):
        assert words in text
    assert "150 out" in text
    assert "144 ok, 12 timeout" in text
    assert "TTFT       p50 1.12, p95 1.12 ms (n = 108)" in text
    assert "ITL        p50 –, p95 – ms (n = 0)" in text


def test_a_p95_of_few_is_not_shown_for_the_run() -> None:
    assert "p50 1.12, p95 – ms (n = 12)" in "\n".join(block(NOW, view("m", ttft="1400"), 79))


def test_a_plain_line_names_a_stall_and_the_stage() -> None:
    said = line(NOW._replace(doing="stage 2 of 3: 4x60s, 12 s left"), view("m", silent_s=4.2))
    assert "longest wait: 4.2 s (next byte)" in said
    assert said.endswith("stage 2 of 3: 4x60s, 12 s left")
    assert "longest wait" not in line(NOW, view("m"))
    assert "生成中" in line(NOW, view("m"), "zh")


def test_before_anything_is_known() -> None:
    seen = LiveView()
    assert "none ended yet" in line(NOW._replace(left_s=None), seen)
    assert len(block(NOW, seen, 79)) > 5
