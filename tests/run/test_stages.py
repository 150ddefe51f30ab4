"""Stages of a closed loop: what a run of them keeps apart."""

from pathlib import Path

import pytest
from doors import refused
from gevent.pool import Pool
from locust_process import folder, headless, processes
from simulator_process import running, stop
from truth_log import sent_tokens, served

SERVER = ("--decode-tps", "60", "--load-ms", "1", "--output-tokens", "8", "--parallel", "8")


WAYS = {"one process": (), "two workers": processes(2), "in one piece": ("--no-stream",)}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each kind, at once, each on a server of its own: its folder's parent, beside the server's log."""
    parent = tmp_path_factory.mktemp("staged")

    def one(way: str) -> Path:
        (path := parent / way).mkdir()
        with running(*SERVER, "--truth", str(path / "truth.jsonl")) as sim:
            asked = ("OllamaChatUser", "--model", "sim", "--stages", "2x4s, 2..6x3s, 6x4s")
            done = headless(sim.url, path / "runs", *asked, *WAYS[way])
            stop(sim.process)
        assert done.returncode == 0, done.stderr
        return path

    return dict(zip(WAYS, Pool(3).map(one, WAYS), strict=True))


@pytest.mark.parametrize("way", WAYS)
def test_rows_bear_their_stage_and_each_has_the_tokens_that_the_server_sent_in_it(
    staged: dict[str, Path], way: str
) -> None:
    log, found = staged[way] / "truth.jsonl", folder(staged[way] / "runs")
    assert {row["stage"] for row in found.rows} == {"1", "2", "3"}
    assert {row["phase"] for row in found.rows if row["stage"] == "2"} <= {"ramp-up", "drain"}
    assert "steady" in {row["phase"] for row in found.rows if row["stage"] == "1"}
    told = found.summary()["stages"]
    assert [stage["users"] for stage in told] == ["2", "2–6", "6"]
    for stage in told:
        since_ns, until_ns = stage["from_unix_ns"], stage["to_unix_ns"]
        sent, doubt = sent_tokens(served(log, found), since_ns, until_ns)
        assert sent > 2 * doubt
        assert stage["output_tokens_per_s"] * (until_ns - since_ns) / 1e9 == pytest.approx(sent, abs=doubt + 0.001)
    assert "## Stages" in (found.path / "report.md").read_text()


@pytest.mark.parametrize("other", [("--users", "3"), ("--run-time", "9s")])
def test_what_else_would_say_how_many_and_how_long_is_refused(other: tuple[str, ...], tmp_path: Path) -> None:
    given = ("--host", "http://127.0.0.1:9", "--run-dir", str(tmp_path), "--model", "sim", "--stages", "2x4s")
    assert "give one of the two" in refused(*given, *other)


def test_the_tokens_of_answers_that_the_end_of_the_run_cuts_are_those_that_came(tmp_path: Path) -> None:
    log, runs = tmp_path / "truth.jsonl", tmp_path / "runs"
    chunk_a_token = ("--merge", "0", "--output-tokens", "2000", "--decode-tps", "50", "--load-ms", "1")
    asked = ("OllamaChatUser", "--model", "sim", "--users", "4", "--run-time", "5s", "--max-tokens", "150")
    with running(*chunk_a_token, "--truth", str(log)) as sim:
        done = headless(sim.url, runs, *asked)
        stop(sim.process)
    assert done.returncode == 0, done.stderr
    found = folder(runs)
    whole, cut = ([one for one in served(log, found) if one.row["outcome"] == how] for how in ("ok", "cancelled"))
    summary = found.summary()
    tokens, window = summary["overall"]["tokens"], summary["window"]
    assert (tokens["output_tokens_all"], tokens["requests_estimated"]) == (150 * len(whole), len(cut))
    ends_ns = [int(one.row["ended_unix_ns"]) for one in cut]
    sent = sum(one.tokens(0, end_ns) for one, end_ns in zip(cut, ends_ns, strict=True))
    # What came in the last moment a client on a busy machine need not have read before the cut.
    surely = sum(one.tokens(0, end_ns - 500_000_000) for one, end_ns in zip(cut, ends_ns, strict=True))
    assert 0 < surely <= tokens["output_tokens_estimated"] <= sent
    made = tokens["output_tokens_per_s"] * window["window_s"]
    assert made == pytest.approx(tokens["output_tokens_all"] + tokens["output_tokens_estimated"], rel=1e-4)
