"""A real Prometheus asks what the dashboard asks: of a run it says what the report says, and no query stays dumb."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from locust_process import ROOT
from prometheus_process import Prometheus, scraping, skip_without
from simulator_process import running
from web_form import start, wait_for_runs
from web_run import web

BOARD = json.loads((ROOT / "deploy/grafana/dashboards/tokenswarm.json").read_text())
PANELS = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
NOTES = [note["expr"] for note in BOARD["annotations"]["list"]]
OPEN_LOOP = {"arrivals": "poisson 12/s", "run_time": "15s", "user_count": "90", "max_tokens": "60"}  # 3 s an answer
STAGES = {"stages": "2x4s, 4x4s", "run_time": "", "max_tokens": "8"}


@dataclass
class Seen:
    """Two runs that were scraped each second, an open loop and stages: their folders, and from when to when."""

    prometheus: Prometheus
    folders: list[Path]
    spans_s: list[tuple[float, float]]

    def query(self, one: str, run: int) -> str:
        """A query of the dashboard as Grafana would ask it of a run, its rates over all of the run."""
        from_s, to_s = self.spans_s[run]
        chosen = {"$run": self.folders[run].name, "$model": ".*", "$__rate_interval": f"{to_s - from_s:.0f}s"}
        for variable, value in chosen.items():
            one = one.replace(variable, value)
        return one


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    skip_without()
    path = tmp_path_factory.mktemp("prometheus")
    slow = ("--decode-tps", "20", "--slowdown", "0", "--parallel", "90", "--output-cv", "0")
    with (
        running(*slow) as simulator,
        web(simulator, path / "runs", "OllamaChatUser") as url,
        scraping(url.removeprefix("http://"), path) as prometheus,
    ):
        assert prometheus
        _wait_for(lambda: prometheus.value("up") == 1)  # its first look comes seconds after its start
        spans_s = []
        for number, load in enumerate((OPEN_LOOP, STAGES), 1):
            began_s = time.time()
            told = start(url, model="sim", **load)
            assert told["success"], told
            wait_for_runs(path / "runs", number, url)
            time.sleep(3)  # two looks at what it came to
            spans_s.append((began_s, time.time()))
        yield Seen(prometheus, sorted(path.glob("runs/*/")), spans_s)


def _described(folder: Path) -> dict[str, Any]:
    _wait_for((folder / "summary.json").exists)
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())["overall"]["metrics"]
    return found


def _wait_for(true: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


def test_quantiles_are_the_reports_within_10_percent(seen: Seen) -> None:
    described = _described(seen.folders[0])
    _, ended_s = seen.spans_s[0]
    first = 'min(min_over_time(tokenswarm_requests_total{run=~"$run", outcome="ok"}[$__rate_interval]))'
    assert seen.prometheus.value(seen.query(first, 0), ended_s) == 0  # else its rates would lack the first answers
    for name in ("ttft", "tpot", "itl"):
        for percent in (50, 95):
            expected_s = described[f"{name}_ms"][f"p{percent}"] / 1e3
            by_buckets = [q for q in PANELS if f"quantile({percent / 100}," in q and f"_{name}_seconds_bucket" in q]
            exact = [q for q in PANELS if q.startswith(f"tokenswarm_{name}_p{percent}_seconds")]
            for query, off in ((*by_buckets, 0.1), (*exact, 0.01)):
                found = seen.prometheus.value(seen.query(query, 0), ended_s)
                assert found == pytest.approx(expected_s, rel=off), (name, percent)


def test_every_query_has_an_answer(seen: Seen) -> None:
    dumb = [
        query
        for query in (*PANELS, *NOTES)
        if not any(seen.prometheus.over(seen.query(query, n), *span) for n, span in enumerate(seen.spans_s))
    ]
    assert dumb == []
