"""The recording side of a run, in the one process that has the run folder: rows, Locust's CSVs, circumstances."""

import contextlib
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gevent

from tokenswarm.folder.lines import cells
from tokenswarm.folder.row import Row
from tokenswarm.folder.run_folder import RunFolder
from tokenswarm.folder.verdict import validity
from tokenswarm.metrics.clock import tracks
from tokenswarm.metrics.slo.judge import SloJudge, SloResult, as_json
from tokenswarm.metrics.slo.junit import junit, why_invalid
from tokenswarm.run.locust_stats import CSV_EVERY_S, csv_writer
from tokenswarm.settings.redaction import clean, redact

SOFTWARE = ("locust", "gevent", "requests", "httptools", "orjson", "pandas")


class Recorder:
    """From the first row to the closed folder."""

    def __init__(
        self, environment: Any, path: Path, circumstances: dict[str, Any], locust_csv: bool, judge: SloJudge
    ) -> None:
        self.folder = RunFolder(path)
        self._judge = judge
        self.circumstances: dict[str, Any] = {
            "run": path.name,
            "state": "running",
            "started_unix_s": time.time(),
            "ended_unix_s": None,
            **circumstances,
            "software": {"python": platform.python_version(), "platform": system(), **software()},
        }
        self.circumstances = clean(self.circumstances)  # each worker gets and keeps them
        self._write(self.circumstances)
        self._csv = None
        if locust_csv:
            self._csv = csv_writer(environment, str(path / "locust"))
            self._csv_greenlet = gevent.spawn(self._csv.stats_writer)

    def tell(self, **facts: Any) -> None:
        """More of the run's circumstances, in run.json at once (if the disk is full, at the end)."""
        self.circumstances.update(facts)
        with contextlib.suppress(OSError):
            self._write(self.circumstances)

    def see(self, rows: bytes) -> None:
        """Rows were written: judge them."""
        if self._judge.slos:
            for row in cells(rows):
                self._judge.add(Row(row))

    def end(self, workers: list[dict[str, Any]], known: list[dict[str, Any]]) -> dict[str, Any]:
        """Close the folder and judge the run; give the verdict (see `metrics.validity.rules`)."""
        if self._csv:
            # Its writer looks at the statistics once a second; this is its look at the last of them.
            gevent.sleep(CSV_EVERY_S + 0.1)
            self._csv_greenlet.kill()
            with contextlib.suppress(OSError):
                self._csv.close_files()
        self.folder.close()
        ended = {"state": "complete", "ended_unix_s": time.time(), "rows": self.folder.rows}
        stamped = (
            {"clock_source": ", ".join(sorted({str(w["clock_source"]) for w in workers if "clock_source" in w}))}
            if workers
            else {}
        )
        run = {**self.circumstances, **ended, **stamped, "workers": workers}
        judged = []
        if self._judge.slos:
            self._judge.clocks = tracks(workers)
            judged = self._judge.judge_all()
            run["slos"] = as_json(judged)
            self._write_junit(judged)
        self._write(run)  # as it is, before anything else can go wrong
        verdict = validity(self.folder.path, run, known, lambda: gevent.sleep(0.001))
        self._write({**run, "validity": verdict})
        if judged and not self.circumstances["options"].get("invalid_ok"):
            self._write_junit(judged, why_invalid(verdict))
        return verdict

    def _write_junit(self, judged: list[SloResult], invalid: str = "") -> None:
        text = redact(junit(self.folder.path.name, judged, invalid))
        (self.folder.path / "slo-junit.xml").write_text(text, encoding="utf-8")

    def _write(self, run: dict[str, Any]) -> None:
        self.folder.write_run(clean(run))


def system() -> str:
    """The operating system as `platform.platform()` tells it, which runs `uname -p` for it on Linux."""
    if sys.platform != "linux":
        return platform.platform()
    kernel, libc = os.uname(), "".join(platform.libc_ver())
    return "-".join([kernel.sysname, kernel.release, kernel.machine, *(["with", libc] if libc else [])])


def software() -> dict[str, str]:
    """The versions that matter for the figures."""
    return {name: version(name) for name in SOFTWARE}
