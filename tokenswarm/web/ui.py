"""Locust's web UI: the form is checked like the command line, secrets are not shown, reports can be opened."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request

from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.settings import form
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import learn, redact
from tokenswarm.settings.secrets import PASSWORD, web_password
from tokenswarm.settings.target import target
from tokenswarm.web import doors, login, models, page, runs, tokens
from tokenswarm.web.exporter import CONTENT_TYPE, Exporter


def attach(web_ui: Any, lifecycle: RunLifecycle, exporter: Exporter) -> None:
    """Add our checks and routes to the UI's Flask app.

    Raises UsageError where a login is wanted and none can be, and where the page would show a host that is none.
    """
    options = lifecycle.options
    doors.check(options)
    if options.host:
        target(options.host, os.environ)
    _keep_the_door(web_ui, options)
    password = web_password(options)
    learn(password)
    if password:
        login.attach(web_ui, _base(web_ui), options.web_user, password)
    elif web_ui.web_login:
        raise UsageError(f"--web-login needs a password: give --web-password-file, or set {PASSWORD}")
    page.attach(web_ui, _base(web_ui), options.lang)
    # The form in the order of tokenswarm/settings/options.py, what is asked for first at its top, not by the alphabet.
    web_ui.app.json.sort_keys = False
    web_ui.app.jinja_env.policies["json.dumps_kwargs"] = {"sort_keys": False}

    swarm_view = web_ui.app.view_functions["locust.swarm"]

    started: dict[str, str] = {}

    def swarm_checked() -> Any:
        try:
            with lifecycle.begin_alone():
                edited = lifecycle.cluster.is_running
                changes = lifecycle.preparation.prepare_from_form(request.form, web_ui.template_args["extra_options"])
                fields: Any = request.form.copy()
                for name, value in changes.items():
                    fields[name] = value
                request.form = fields
                if edited:
                    return _edit(web_ui, fields, swarm_view, started)
                started.update(fields)
                return swarm_view()
        except UsageError as error:
            if error.place:
                print(f"tokenswarm: error in the web form: {error}", file=sys.stderr)
            return jsonify({"success": False, "message": error.for_form, "host": options.host})

    web_ui.app.view_functions["locust.swarm"] = swarm_checked
    update_class = web_ui.app.view_functions["locust.update_user"]

    def checked_class() -> Any:
        known = web_ui.environment.available_user_classes if web_ui.userclass_picker_is_active else ()
        try:
            form.check_class(request.get_json(force=True, silent=True), known or ())
        except UsageError as error:
            return Response(f"{error}\n", 400, content_type="text/plain; charset=utf-8")
        return update_class()

    web_ui.app.view_functions["locust.update_user"] = checked_class
    _choose_ourselves(web_ui)

    models.attach(web_ui.app, _base(web_ui), lifecycle.preparation)
    tokens.attach(web_ui, _base(web_ui), lifecycle)
    runs.attach(web_ui, _base(web_ui), lifecycle)

    @web_ui.app.route(f"{_base(web_ui)}/metrics", endpoint=login.METRICS)
    def metrics() -> Any:
        return Response(exporter.text(), content_type=CONTENT_TYPE)


def _edit(web_ui: Any, fields: Any, swarm_view: Any, started: Mapping[str, str]) -> Any:
    """Change the number of users of a run that goes on; what else it has is settled, also for workers that join it."""
    if changed := form.find_changed(fields, started):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
        print(f"tokenswarm: {names} counts from the next run: this one keeps what it began with", file=sys.stderr)
    for name in set(fields) - form.EDITED:
        del fields[name]
    # Which Locust would cancel: the form for this has no run time.
    timer, web_ui._run_time_greenlet = web_ui._run_time_greenlet, None
    try:
        return swarm_view()
    finally:
        web_ui._run_time_greenlet = timer


def _choose_ourselves(web_ui: Any) -> None:
    """Keep Locust's class picker from putting back the classes and the shape that the preparation has chosen."""
    classes, shape, environment = web_ui._update_user_classes, web_ui._update_shape_class, web_ui.environment
    web_ui._update_user_classes = lambda _: classes({c.__name__: c for c in environment.user_classes})
    web_ui._update_shape_class = lambda name: None if environment.parsed_options.stages else shape(name)


def _keep_the_door(web_ui: Any, options: Any) -> None:
    """Answer no other site's pages, whatever they ask, and let none of them show ours as a part of theirs."""
    app, door = web_ui.app, doors.Door(options.web_host, options.allowed_hosts)
    # Locust itself lets pages of any site read its answers.
    after: list[Any] = app.after_request_funcs[None]
    after[:] = [each for each in after if not each.__module__.startswith("flask_cors")]

    @app.before_request
    def only_this_site() -> Any:
        why_not = door.why_not(request.method, request.headers)
        return Response(f"{why_not}\n", 403, content_type="text/plain; charset=utf-8") if why_not else None

    @app.after_request
    def for_this_site(answer: Any) -> Any:
        if not answer.direct_passthrough:  # a file, whose texts are clean
            said = answer.get_data(as_text=True)
            if (clean := redact(said)) != said:
                answer.set_data(clean)
        for name in ("Location", "Content-Disposition"):
            if name in answer.headers:
                answer.headers[name] = redact(answer.headers[name])
        # For browsers that do not say where a request comes from.
        answer.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        answer.headers["X-Frame-Options"] = "SAMEORIGIN"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def _base(web_ui: Any) -> str:
    """What `--web-base-path` puts before all addresses."""
    return (web_ui.environment.parsed_options.web_base_path or "").rstrip("/")
