"""How many tokens there were, who counted them, and how many a second."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.output import Window, tokens_per_s
from tokenswarm.reports.parts.part import Part
from tokenswarm.reports.render.document import Code, Line, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number
from tokenswarm.reports.slices import name_cells, slices


def are_generations(frame: Any) -> Any:
    """Which rows asked for output: those that sent a limit of it (embedding and management have none)."""
    return frame["max_tokens"].notna()


def generates(part: Mapping[str, Any]) -> bool:
    """Did any request of a part of the summary ask for output?"""
    return bool(part["tokens"]["requests_with_count"] + part["tokens"]["requests_without_count"])


def tokens(frame: Any, run_window: Window | None, everything: Any) -> dict[str, Any]:
    """Exact sums of the server's counts over rows of all outcomes and over `ok` ones, and the run's rate.

    `output_tokens_per_s` are the tokens of `everything` (the same slice of the run, its warm-up included) that lie in
    the window of the run (see `metrics.output`), over the window: so the rates of the run's groups add up to it.
    `output_tokens_estimated` are those of the `requests_estimated`, which were cut or failed in the middle: a part of
    the rate, and of no sum; of all output tokens they are `output_estimated_percent`. Of the other rows without a count
    (`requests_without_count` are all of them) nothing is known: `output_chunks_uncounted` says what did arrive. What
    was dropped was never sent, and lacks none.
    """
    ok, counted = frame["outcome"] == "ok", frame["output_tokens"].notna()
    uncounted = ~counted & are_generations(frame) & frame["sent_unix_ns"].notna()
    estimated = frame.loc[frame["made_estimated"], "made_tokens"]
    estimate, total = float(estimated.sum()), int(frame["output_tokens"].sum())
    sources = frame.loc[counted, "token_source"].value_counts(sort=False)
    return {
        "output_tokens_all": total,
        "output_tokens_ok": int(frame.loc[ok, "output_tokens"].sum()),
        "output_tokens_estimated": round(estimate),
        "output_estimated_percent": round(100 * estimate / (total + estimate), 6) if total + estimate else 0.0,
        "prompt_tokens_all": int(frame["prompt_tokens"].sum()),
        "prompt_tokens_ok": int(frame.loc[ok, "prompt_tokens"].sum()),
        "requests_with_count": int(counted.sum()),
        "requests_without_count": int(uncounted.sum()),
        "requests_estimated": len(estimated),
        "output_chunks_uncounted": int(frame.loc[uncounted & ~frame["made_estimated"], "output_chunks"].sum()),
        "token_source": {str(name) or "not stated": int(n) for name, n in sorted(sources.items()) if n},
        "output_tokens_per_s": tokens_per_s(everything, run_window),
    }


def section(summary: Mapping[str, Any]) -> Section:
    """Its part of the report."""
    if not generates(summary["overall"]):
        return Section("tokens", "Tokens")
    columns = (
        *("output, all", "output, ok", "output, estimated", "prompt, all", "prompt, ok"),
        *("output tokens/s", "counted", "estimated", "no count"),
    )
    rows = []
    for group in slices(summary):
        t = group["tokens"]
        output = ("output_tokens_all", "output_tokens_ok", "output_tokens_estimated")
        totals = tuple(integer(t[name]) for name in (*output, "prompt_tokens_all", "prompt_tokens_ok"))
        uncounted = t["requests_without_count"] - t["requests_estimated"]
        requests = map(integer, (t["requests_with_count"], t["requests_estimated"], uncounted))
        rows.append((*name_cells(group), *totals, number(t["output_tokens_per_s"]), *requests))
    sources = summary["overall"]["tokens"]["token_source"]
    said = ", ".join(f"{name} ({many(n, 'request')})" for name, n in sources.items())
    lines: list[Line] = [
        (
            "Exact sums of the server's own counts: over all requests that have one, and over the ok ones. "
            "Tokens/s: a request's tokens lie between its first output and its end; those in the run's window / "
            f"the window ({number(summary['window']['window_s'])} s, first sent to last ended, whatever the outcome).",
        )
    ]
    if n := summary["overall"]["tokens"]["requests_estimated"]:
        what = f"Estimated, by chunks × the run's tokens a chunk: {many(n, 'request')}, cut or failed in the middle."
        lines.append((what,))
    if said:
        lines.append(("Counted by: ", Code(said), "."))
    table = Table(("endpoint", "model", *columns), tuple(rows), names=2)
    return Section("tokens", "Tokens", lines=tuple(lines), tables=(table,))


PART = Part(section)
