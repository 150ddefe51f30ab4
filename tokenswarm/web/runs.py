"""The tab "Runs" of Locust's page: the newest runs of the run folder with their verdicts, and what each left behind."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from flask import Response, abort, jsonify, redirect, request, send_from_directory

from tokenswarm.run.cluster import RUNNING
from tokenswarm.run.lifecycle import RunLifecycle

TAB = "tokenswarm-runs"
SERVED = ("report.html", "report.md", "summary.json", "run.json", "requests.csv")
LATEST = "latest"  # instead of a run's name: of the newest
MOST = 50


def attach(web_ui: Any, base: str, lifecycle: RunLifecycle) -> None:
    """Add the tab, the files of the runs, and what "Download data" offers."""
    app, shown, run_dir = web_ui.app, web_ui.template_args, lifecycle.options.run_dir
    shown["extended_tabs"] = [*(shown.get("extended_tabs") or []), {"title": "Runs", "key": TAB}]
    shown["extended_csv_files"] = [
        *(shown.get("extended_csv_files") or []),
        *(
            {"href": f"./runs/{LATEST}/{name}", "title": f"The newest run's {name}"}
            for name in ("report.html", "requests.csv", "summary.json")
        ),
    ]
    known: dict[Path, tuple[int, dict[str, Any]]] = {}

    @app.route(f"{base}/tokenswarm/runs.json", endpoint="tokenswarm_runs")
    def runs_json() -> Any:
        return jsonify(runs(lifecycle, known))

    @app.route(f"{base}/runs/<run>/<file>")
    def run_file(run: str, file: str) -> Any:
        if run == LATEST and file in SERVED:
            newest = next(iter(_newest(run_dir)), None) or abort(404)
            return redirect(f"{base}/runs/{newest.name}/{file}")
        root = Path(run_dir).resolve()
        if file not in SERVED or "/" in run or "\0" in run or (root / run / file).resolve().parent.parent != root:
            abort(404)
        answer = send_from_directory(root / run, file)
        # Whatever a server's texts might do there, it is not done as the UI itself.
        answer.headers["Content-Security-Policy"] = "sandbox allow-scripts allow-downloads"
        return answer

    @app.after_request
    def running_until_written(response: Response) -> Response:
        # Until the run's verdict is there, the page goes on asking.
        if lifecycle.ending and request.endpoint == "locust.request_stats" and response.is_json:
            # A new answer: Locust keeps its own for two seconds, for whoever asks next.
            return jsonify({**(response.json or {}), "state": RUNNING})
        return response


def runs(lifecycle: RunLifecycle, known: dict[Path, tuple[int, dict[str, Any]]]) -> dict[str, Any]:
    """The newest runs, the newest first; `known` are those that were read already."""
    found = []
    for path in _newest(lifecycle.options.run_dir):
        with suppress(OSError, ValueError, AttributeError, TypeError):  # being written, or not ours
            told = path / "run.json"
            changed_ns = told.stat().st_mtime_ns
            read_ns, facts = known.get(path, (0, {}))
            if read_ns != changed_ns:
                facts = _facts(json.loads(told.read_text(encoding="utf-8")))
                known[path] = changed_ns, facts
            now = path.name == lifecycle.publisher.run_id
            writing = now and lifecycle.ending and lifecycle.recorder is None
            files = [name for name in SERVED if not writing and (path / name).exists()]
            facts = facts | ({"state": "writing the report"} if writing else {})
            sentence = lifecycle.verdicts.get(path.name) or facts["sentence"]
            found.append({**facts, "run": path.name, "sentence": sentence, "files": files})
    return {"lang": lifecycle.options.lang, "runs": found}


def _newest(run_dir: str) -> list[Path]:
    there = [path.parent for path in Path(run_dir).glob("*/run.json")]
    return sorted(there, key=lambda path: path.name, reverse=True)[:MOST]


def _facts(run: dict[str, Any]) -> dict[str, Any]:
    validity = run.get("validity") or {}
    why = [str(found["what"]) for found in validity.get("findings", ()) if found["level"] == "invalid"]
    verdict = str(validity.get("verdict", ""))
    target = run.get("target") or {}
    return {
        "verdict": verdict,
        "sentence": ": ".join([verdict, *(["; ".join(why)] if why else [])]),
        "state": str(run.get("state", "")),
        "started_unix_s": run.get("started_unix_s"),
        "ended_unix_s": run.get("ended_unix_s"),
        "rows": run.get("rows"),
        "model": str(target.get("model") or ""),
    }
