"""What Locust's page gets of ours beside its tabs: the scripts that draw in them, and the form's sections."""

from pathlib import Path
from typing import Any

from flask import Response, jsonify, request

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.preflight.waiting import describe_step
from tokenswarm.settings.option import OptionsSection
from tokenswarm.settings.options import HIDDEN, INTERNAL, SECTIONS

_METRICS = {metric.name for metric in METRICS}
SCRIPTS = ("tokens", "runs", "form", "statistics")
_BESIDE = "".join(f'<script type="module" src="./tokenswarm/{name}.js"></script>' for name in SCRIPTS)


def attach(web_ui: Any, base: str, lang: str) -> None:
    """Put the scripts into the page, and the texts of our options below their fields."""
    app = web_ui.app
    texts = {name: (Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS}

    for name, text in texts.items():
        app.add_url_rule(f"{base}/tokenswarm/{name}.js", f"tokenswarm_{name}_js", _serving(text))

    app.add_url_rule(f"{base}/tokenswarm/doing.json", "tokenswarm_doing", lambda: jsonify(doing=describe_step()))

    @app.after_request
    def with_scripts(answer: Any) -> Any:
        if request.endpoint == "locust.index" and answer.mimetype == "text/html":
            answer.set_data(answer.get_data(as_text=True).replace("</body>", f"{_BESIDE}</body>"))
        return answer

    @app.after_request
    def without_rates(answer: Any) -> Any:
        """Rows of metrics are no requests, and have no rate of their own."""
        if request.endpoint != "locust.request_stats" or not answer.is_json:
            return answer
        said = answer.json
        for entry in said["stats"]:
            if entry["method"] in _METRICS:
                entry["current_rps"] = entry["current_fail_per_sec"] = 0
        return jsonify(said)  # a new answer: Locust keeps its own for two seconds, for whoever asks next

    original = web_ui.update_template_args

    def with_sections() -> None:
        original()
        args = web_ui.template_args
        shown = args["extra_options"]
        args["tokenswarm_form"] = [_section(section, shown, lang) for section in SECTIONS]
        args["tokenswarm_lang"] = lang
        args["tokenswarm_internal"] = [each.dest for each in INTERNAL]
        for name, option in shown.items():
            option["help_text"] = option["help_text"].replace("%%", "%")
            if name in HIDDEN:
                option["default_value"] = ""
        for section in SECTIONS:  # a short label; the script puts the text below the field
            for each in section.options:
                if each.dest in shown:
                    shown[each.dest]["help_text"] = ""

    web_ui.update_template_args = with_sections


def _serving(text: str) -> Any:
    return lambda: Response(text, content_type="text/javascript; charset=utf-8")


def _section(section: OptionsSection, shown: Any, lang: str) -> dict[str, Any]:
    """A section's title, and its fields with their texts."""
    fields = [
        {"name": each.dest, "text": each.plain_zh if lang == "zh" else each.plain_help}
        for each in section.options
        if each.dest in shown
    ]
    return {"title": section.chinese if lang == "zh" else section.english, "fields": fields}
