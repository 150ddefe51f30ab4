"""Locust's web UI: the form is checked like the command line, secrets are not shown, reports can be opened."""

from pathlib import Path
from typing import Any

from flask import abort, jsonify, request, send_from_directory

from users.errors import UsageError
from users.swarm import Swarm

SERVED = ("report.html", "report.md", "summary.json", "run.json", "requests.csv")


def attach(web_ui: Any, swarm: Swarm) -> None:
    """Add our checks and routes to the UI's Flask app."""
    options = swarm.options
    original = web_ui.update_template_args

    def without_secrets() -> None:
        original()
        for name, shown in web_ui.template_args["extra_options"].items():
            if name in ("api_key", "run_id"):
                shown["default_value"] = ""

    web_ui.update_template_args = without_secrets

    swarm_view = web_ui.app.view_functions["locust.swarm"]

    @web_ui.auth_required_if_enabled
    def checked() -> Any:
        try:
            swarm.prepare_from_form(request.form)
        except UsageError as error:
            return jsonify({"success": False, "message": str(error), "host": options.host})
        return swarm_view()

    web_ui.app.view_functions["locust.swarm"] = checked

    @web_ui.app.route("/runs/<run>/<file>")
    @web_ui.auth_required_if_enabled
    def run_file(run: str, file: str) -> Any:
        if file not in SERVED or "/" in run or run.startswith("."):
            abort(404)
        return send_from_directory(Path(options.run_dir).resolve() / run, file)
