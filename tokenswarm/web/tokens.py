"""The Tokens tab in Locust's page: what the server does now, by the seconds that the workers tell of.

The tab is Locust's own (`extended_tabs`); its charts are drawn by tokens.js, beside what React draws. It asks for the
figures only while somebody looks at it.
"""

from typing import Any

from flask import jsonify, request

from tokenswarm.metrics.live_view import LiveView, Whose, figures, percentiles, server
from tokenswarm.metrics.percentile import is_supported
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.run.progress import progress
from tokenswarm.transport.time_slices import give_loop_turn

TAB = "tokenswarm-tokens"


def attach(web_ui: Any, base: str, lifecycle: RunLifecycle) -> None:
    """Add the tab and the route of its figures; `web.page` adds the script."""
    app, shown = web_ui.app, web_ui.template_args
    shown["extended_tabs"] = [*(shown.get("extended_tabs") or []), {"title": "Tokens", "key": TAB}]

    @app.route(f"{base}/tokenswarm/live.json", endpoint="tokenswarm_live")
    def live_json() -> Any:
        asked = request.args.get("endpoint", ""), request.args.get("model", "")
        return jsonify(snapshot(lifecycle, asked if any(asked) else None))


def snapshot(lifecycle: RunLifecycle, whose: Whose | None = None) -> dict[str, Any]:
    """What the page shows: where the run is, a row for all and for each endpoint and model, and the charts' points."""
    view, now = lifecycle.live, progress(lifecycle)
    points = view.series(whose, give_loop_turn)
    names = ("t", "users", *figures(view.so_far(), 1))
    groups = view.groups()
    rows = [_row(view, each) for each in ([None] if len(groups) == 1 else [None, *groups])]
    if len(groups) == 1:
        rows[0] |= {"endpoint": groups[0][0], "model": groups[0][1]}
    return {
        **now._asdict(),
        "step_s": view.step_s,
        "lang": lifecycle.options.lang,
        "rows": rows,
        "series": {name: [point[name] for point in points] for name in names},
    }


def _row(view: LiveView, whose: Whose | None) -> dict[str, Any]:
    whole = view.so_far(whose)
    run = percentiles(whole)
    for name in ("ttft", "itl", "tpot"):
        if not is_supported(getattr(whole, name).total(), 95):
            run[f"{name}_ms_p95"] = None
    return {
        "endpoint": whose[0] if whose else "",
        "model": whose[1] if whose else "",
        "recent": view.recent(whose),
        "run": {**run, **server(whole)},
        "outcomes": dict(sorted(whole.outcomes.items())),
        "output_tokens": whole.counted_tokens,
        "prompt_tokens": whole.prompt_tokens,
    }
