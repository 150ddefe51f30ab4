"""The terminal of a headless run: a live block on a terminal, few lines elsewhere, Locust's own tables on demand."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from forked import forked
from locust_process import ROOT, command, environment, folder
from simulator_process import Simulator, running

from tokenswarm.run.screen import width

LOAD = (
    "--headless",
    "--model",
    "sim",
    "-u",
    "4",
    "-r",
    "4",
    "--max-tokens",
    "60",
    "--run-time",
    "12s",
    "OllamaChatUser",
)
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]8;;[^\x1b]*\x1b\\|\r")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--parallel", "4", "--decode-tps", "50", "--load-ms", "0") as started:
        yield started


def printed(simulator: Simulator, run_dir: Path, *options: str) -> str:
    full = forked(command(simulator.url, run_dir, *LOAD, *options))
    done = subprocess.run(
        full, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_what_is_no_terminal_gets_a_line_every_ten_seconds_and_the_summary(
    simulator: Simulator, tmp_path: Path
) -> None:
    lines = printed(simulator, tmp_path / "runs").splitlines()
    (told,) = (line for line in lines if line.startswith("tokenswarm: 00:1"))
    for words in ("4 users", " active, ", " tok/s", "TTFT ", " ok"):
        assert words in told
    assert not any("Aggregated" in line or "\x1b" in line for line in lines)
    assert any(line.startswith("Where the time goes") for line in lines)
    assert len(lines) < 80


def test_locusts_tables_are_there_for_who_asks(simulator: Simulator, tmp_path: Path) -> None:
    said = printed(simulator, tmp_path / "runs", "--locust-tables", "--no-report", "--run-time", "5s")
    assert said.count("Aggregated") > 2
    assert "Response time percentiles" in said


def test_on_a_terminal_one_block_is_drawn_and_it_fits(simulator: Simulator, tmp_path: Path) -> None:
    try:
        ours, theirs = pty.openpty()
    except OSError as error:  # a chroot without /dev/pts
        pytest.skip(f"there are no terminals here: {error}")
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    full = command(simulator.url, tmp_path / "runs", *LOAD)
    env = environment(TERM="xterm", LINES="24")
    process = subprocess.Popen(full, cwd=ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    seen = b""
    while (ready := select.select([ours], [], [], 0.2)[0]) or process.poll() is None:
        seen += os.read(ours, 65536) if ready else b""
    os.close(theirs)
    assert process.wait(60) == 0
    os.close(ours)
    text = seen.decode()
    blocks = [frame for frame in text.split("\x1b[J") if "streams    " in frame]
    assert len(blocks) > 5
    assert sum("A" in frame[:8] for frame in blocks) > 3  # drawn over the one before
    assert all(width(CONTROL.sub("", line)) <= 80 for frame in blocks for line in frame.split("\n")[-8:])
    ended = CONTROL.sub("", text.split("\x1b[J")[-1])
    assert "streams    " not in ended
    assert "Where the time goes" in ended
    path = folder(tmp_path / "runs").path / "report.html"
    assert f"\x1b]8;;{path.as_uri()}\x1b\\" in text
