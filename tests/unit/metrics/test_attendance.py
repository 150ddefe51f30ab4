"""The report says when a worker came or went, and marks it over time."""

from pathlib import Path

from golden.make import RUN, ZERO_NS, folder, ollama

from tokenswarm.metrics.validity.workers import findings, worker_name
from tokenswarm.reports.write import report
from tokenswarm.settings.fingerprint import unlike


def test_a_worker_that_came_or_went_in_the_middle_is_marked(tmp_path: Path) -> None:
    began_s = ZERO_NS / 1e9
    changes = [(-0.1, "joined", 0), (-0.1, "joined", 1), (2.0, "lost", 1), (3.0, "joined", 2)]
    attendance = [{"at_unix_s": began_s + at, "what": what, "worker": n, "client": f"c{n}"} for at, what, n in changes]
    run = folder(tmp_path / "run", [ollama(n, at_ms=500 * n) for n in range(10)], {**RUN, "attendance": attendance})
    summary = report(run)
    assert [(c["since_s"], c["what"], c["worker"]) for c in summary["circumstances"]["attendance"]] == [
        (2.0, "lost", 1),
        (3.0, "joined", 2),
    ]
    text = (run / "report.md").read_text()
    assert "after the first request worker 1 (c1) was lost" in text
    assert "after the first request worker 2 (c2) joined the run" in text
    page = (run / "report.html").read_text()
    assert "worker 1 lost" in page
    assert "worker 0 joined" not in page


def test_a_worker_has_one_name_wherever_it_is_named(tmp_path: Path) -> None:
    workers = [{"worker": 0, "client": "host_b7", "made": 3, "requests": 3, "ended": True}]
    workers += [{"worker": n, "client": f"host_a{n}", "made": 3, "requests": 2, "code": "other"} for n in (10, 9)]
    name = "worker 9 (host_a9), worker 10 (host_a10)"
    (gone, _) = findings(workers)
    assert gone["what"].endswith(name)
    (back,) = findings([{**worker, "made": 2, "spool": True} for worker in workers[1:]])
    assert back["what"].endswith(name)
    (other,) = unlike(workers, "")
    assert other["what"].endswith(name)
    report(folder(tmp_path / "run", [ollama(0)], {**RUN, "workers": workers}))
    assert "| `9` | `host_a9` |" in (tmp_path / "run" / "report.md").read_text()
    assert worker_name({"worker": 0}) == "worker 0"  # a run without a master
