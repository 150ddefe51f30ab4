"""The web UI's Flask app as Locust makes it, with ours attached, and a client for it, without a process or a port."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from locust.env import Environment
from locust.event import Events

from tokenswarm.metrics.live_view import LiveView
from tokenswarm.run.cluster import Cluster
from tokenswarm.web import ui as webui


@contextmanager
def web_ui(runs: Path, monkeypatch: Any, **given: Any) -> Iterator[Any]:
    """Locust's WebUI; `given` are options."""
    monkeypatch.setattr("sys.argv", ["locust"])  # which the page's form is made of
    nobody = {
        "web_user": "tokenswarm",
        "web_password_file": "",
        "host": "http://127.0.0.1:9",
        "stages": "",
        "lang": "en",
    }
    door = {"web_host": "127.0.0.1", "web_port": 8089, "allowed_hosts": "", "open_ui": False}
    locusts = dict.fromkeys(("num_users", "spawn_rate", "run_time", "stats_history_enabled"))
    options = SimpleNamespace(run_dir=str(runs), web_base_path="", **(nobody | door | locusts | given))
    environment = Environment(events=Events(), parsed_options=None)
    environment.create_local_runner()
    made = environment.create_web_ui(delayed_start=True)
    environment.parsed_options = options
    publisher = SimpleNamespace(run_id="", stuck_s=0.0)
    swarm = SimpleNamespace(options=options, verdicts={}, ending=False, cluster=Cluster(environment))
    swarm.preparation = SimpleNamespace(model_names=lambda *_: [])
    vars(swarm).update(publisher=publisher, live=LiveView(), findings=[], trials=[], recorder=None)
    webui.attach(made, swarm, SimpleNamespace(text=lambda: ""))  # type: ignore[arg-type]
    try:
        yield made
    finally:
        environment.runner.quit()
