"""How far the figures can be trusted: counts of what blurs them, and the same in words."""

from typing import Any

from tokenswarm.reports.describe import Metrics
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.parts.tokens import are_generations
from tokenswarm.reports.render.document import Section
from tokenswarm.reports.render.numbers import many, number

CLOCK_STEP_MS = 1.0


def quality(frame: Any) -> dict[str, int | float]:
    """Counts over all rows, of whatever outcome."""
    chunks, coalesced = int(frame["output_chunks"].sum()), int(frame["coalesced_chunks"].sum())
    return {
        "requests_cancelled": int((frame["outcome"] == "cancelled").sum()),
        "requests_ok_without_count": int(
            ((frame["outcome"] == "ok") & frame["output_tokens"].isna() & are_generations(frame)).sum()
        ),
        "output_chunks": chunks,
        "coalesced_chunks": coalesced,
        "coalesced_share_percent": round(100 * coalesced / chunks, 3) if chunks else 0.0,
        "clock_stamps": int(frame["clock_stamps"].sum()),
        "requests_with_clock_step_over_1_ms": int((frame["clock_step_ms"].abs() > CLOCK_STEP_MS).sum()),
    }


def limits(q: dict[str, int | float], tokens: dict[str, Any], metrics: Metrics, clock_source: str) -> list[str]:
    """What this run cannot tell, a sentence each."""
    said = []
    if n := q["requests_cancelled"]:
        cut = f"{many(int(n), 'request')} cut at the end of the run (cancelled). Their full times are not known"
        said.append(
            f"{cut}, and long ones are cut more often: the upper percentiles are on the low side."
            if metrics
            else f"{cut}."
        )
    if n := tokens["requests_estimated"]:
        said.append(
            f"The output tokens of {many(n, 'request')}, cut or failed in the middle, are estimated, by the run's "
            f"tokens a chunk: {tokens['output_tokens_estimated']:,}, {number(tokens['output_estimated_percent'])} % of "
            "all. They are a part of tokens/s and of no total."
        )
    if n := tokens["requests_without_count"] - tokens["requests_estimated"]:
        said.append(
            f"{many(n, 'request')} without a token count of the server ({q['requests_ok_without_count']:,} ok): those "
            f"tokens are in no total and in no rate. {many(tokens['output_chunks_uncounted'], 'chunk')} of output "
            "arrived there."
        )
    if n := q["coalesced_chunks"]:
        said.append(
            f"{n:,} of {q['output_chunks']:,} output chunks ({q['coalesced_share_percent']:.2g} %) came in one read "
            "with the chunk before: their gaps show as 0, and the gap before is that much longer."
        )
    if n := q["clock_stamps"]:
        process = (
            "The clock source was the process's clock" if clock_source == "clock" else "All others bear the kernel's"
        )
        said.append(
            f"{many(int(n), 'read')} with the time of the process, not the kernel's: late by however long Python was "
            f"busy. {process}."
        )
    if n := q["requests_with_clock_step_over_1_ms"]:
        said.append(
            f"During {many(int(n), 'request')} the wall clock was set by more than {CLOCK_STEP_MS:g} ms: times are off."
        )
    if "itl_ms" in metrics:
        said.append(
            "A gap (ITL) is one between chunks, not between tokens, and the gaps of one request resemble each other: "
            "n gaps support a percentile less well than n independent ones would."
        )
    return said


def section(summary: Summary) -> Section:
    """Its part of the report."""
    return Section("limits", "What this run cannot tell", items=tuple((text,) for text in summary["limits"]))


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`quality`: counts of what blurs the figures; `limits`: sentences."""
    measured = quality(run.measured)
    source = str(run.info.get("clock_source") or "")
    overall = summary["overall"]
    return {"quality": measured, "limits": limits(measured, overall["tokens"], overall["metrics"], source)}


PART = Part(section, data)
