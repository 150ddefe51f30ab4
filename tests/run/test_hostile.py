"""A few of the ways in which a server can misbehave, each with a real process; `make test-hostile` tries them all."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest
from locust_process import ROOT, command, environment, folder, forked

sys.path.insert(0, str(Path(__file__).parents[1] / "hostile"))
import trial

# Of each kind one: what fills the memory, what never ends, what takes long to read, what is squeezed, what is no HTTP.
LOADS = ("endless body of no type", "endless tokens", "a gzip bomb")
PREFLIGHTS = ("endless head", "deep models", "a gzip bomb of 8 MB")
PROBES = ("endless body", "half are reset")
ASKED = [*((n, "load") for n in LOADS), *((n, "preflight") for n in PREFLIGHTS), *((n, "probe") for n in PROBES)]
SLACK_S = 60  # beside other tests; `make test-hostile` holds the processes to their time on a machine of its own


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with trial.hostile() as found:
        yield found


def test_whatever_a_server_does_each_process_ends_by_itself(urls: dict[str, str], tmp_path: Path) -> None:
    def one(asked: tuple[str, str]) -> trial.Trial:
        name, against = asked
        return trial.try_one(name, against, urls[name], tmp_path / str(ASKED.index(asked)))

    with ThreadPool(3) as pool:
        trials = pool.map(one, ASKED, chunksize=1)
    for each in trials:
        about = f"{each.name} against {each.against}: {each.said[-2000:]}"
        assert each.code in (0, 1, 2, 3), about
        assert "Traceback" not in each.said, about
        assert each.peak_mb < trial.MOST_MB, about
        if each.against == "load":
            assert each.seconds < trial.RUN_S + 5 + SLACK_S, about


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_that_is_sent_tokens_without_end(
    how: signal.Signals, urls: dict[str, str], tmp_path: Path
) -> None:
    options = ("--headless", "--only-summary", "--no-report", "-u", "4", "-r", "4", "-t", "100s", "OllamaChatUser")
    full = command(urls["endless tokens"], tmp_path, "--model", "m", *options)
    process = subprocess.Popen(
        forked(full), cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    until_s = time.monotonic() + 60
    while not list(tmp_path.glob("*/run.json")) and time.monotonic() < until_s:
        time.sleep(0.1)
    time.sleep(2)
    os.kill(process.pid, how)
    began_s = time.monotonic()
    said, _ = process.communicate(timeout=180)
    assert time.monotonic() - began_s < 5 + SLACK_S, said
    assert "Traceback" not in said
    assert folder(tmp_path).run["state"] == "complete"
