"""A row for each concurrency, means beside percentiles: the table that other tools have, and managers ask for."""

from typing import Any

from tokenswarm.reports.describe import drop_lumps
from tokenswarm.reports.load import Run
from tokenswarm.reports.output import MADE, Window, ok_per_s, tokens_per_s
from tokenswarm.reports.parts.part import Part, Summary, only_tables
from tokenswarm.reports.percentiles import describe_known
from tokenswarm.reports.render.document import Section, Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.rows import known_values
from tokenswarm.reports.slices import select_of_models

NEEDED = (
    *("phase", "outcome", "stage", "max_tokens", "batch_size", "prompt_tokens", "e2e_ms", "ttft_ms", "tpot_ms"),
    *(*MADE, "made_estimated"),
)
TIMES = ("e2e_ms", "ttft_ms", "tpot_ms")
COLUMNS = (
    *("concurrency", "requests", "ok, %", "requests/s", "E2E mean", "E2E p99", "TTFT mean", "TTFT p99"),
    *("TPOT mean", "TPOT p99", "output tok/s", "all tok/s"),
)


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`concurrency`: an entry a stage, or one of the steady phase (of the whole run where there is none).

    `all_tokens_per_s` are output tokens/s, and requests/s × the mean prompt of those that ended ok.
    """
    if "capacity" in summary:
        return {"concurrency": []}
    frame = drop_lumps(run.measured[[*NEEDED]], summary["overall"]["metrics"])
    everything = run.frame[[*NEEDED]]  # rates are of all, the warm-up, too
    found = []
    for stage in summary["stages"]:
        rows = frame[(frame["stage"] == stage["stage"])]
        held = rows if "–" in stage["users"] else rows[rows["phase"] != "ramp-up"]
        span = (stage["from_unix_ns"], stage["to_unix_ns"]) if stage["from_unix_ns"] is not None else None
        found.append(_entry(stage["users"], held, everything, span))
    if not found and len(frame):
        steady, load = summary["steady"], summary["load"]
        span = run.span if steady["from_unix_ns"] is None else (steady["from_unix_ns"], steady["to_unix_ns"])
        held = frame if steady["from_unix_ns"] is None else frame[frame["phase"] == "steady"]
        found.append(_entry(str(load["users"] or load["asked"] or ""), held, everything, span))
    return {"concurrency": found}


def _entry(users: str, held: Any, everything: Any, span: Window | None) -> dict[str, Any]:
    ok, ended = select_of_models(held[held["outcome"] == "ok"]), int((held["outcome"] != "cancelled").sum())
    rate, output = ok_per_s(everything, span), tokens_per_s(everything, span)
    prompt = float(ok["prompt_tokens"].mean()) if ok["prompt_tokens"].notna().any() else None
    both = None if rate is None or output is None or prompt is None else round(output + rate * prompt, 6)
    return {
        "concurrency": users,
        "requests": ended,
        "ok_share": round(len(held[held["outcome"] == "ok"]) / ended, 6) if ended else None,
        "ok_per_s": rate,
        **{name: describe_known(known_values(ok, name), (50.0, 99.0)) for name in TIMES},
        "output_tokens_per_s": output,
        "all_tokens_per_s": both,
    }


def section(summary: Summary) -> Section:
    """Its part of the report; folded, since the tables above say more."""
    rows = tuple(
        (
            entry["concurrency"],
            integer(entry["requests"]),
            number(None if entry["ok_share"] is None else 100 * entry["ok_share"]),
            number(entry["ok_per_s"]),
            *(number(entry[name][column]) for name in TIMES for column in ("mean", "p99")),
            *(number(entry[name]) for name in ("output_tokens_per_s", "all_tokens_per_s")),
        )
        for entry in summary["concurrency"]
    )
    line = ("Times in ms, of requests that ended ok; those that the end of the run cut do not count.",)
    title = "By concurrency"
    return Section(
        "concurrency", title, (line,) if rows else (), tables=(Table(COLUMNS, rows),) if rows else (), folded=True
    )


PART = Part(section, data, terminal=only_tables(section))
