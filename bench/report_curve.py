"""The accuracy curve in docs/accuracy.md: its tables, the noise they were taken in, the runs' own verdicts."""

from statistics import median

from bench.markdown import folded, number, table
from bench.results import Row

HEADS = (
    "streams", "n", "TTFT p50", "p99", "max", "gap p50", "p99", "max", "E2E p99",
    "merged %", "lag p99", "CPU", "MB", "says",
)  # fmt: skip
LEGEND = (
    "p99 and max belong to the column before them. `n`: requests; `merged %`: gaps that the client saw as 0, as two "
    "chunks lay in one read; `lag p99`: of the client's event loop, ms; `CPU`: ms per 1,000 tokens in the test, "
    "all workers; `MB`: peak, all processes, the answers included that are kept for the comparison; `says`: the run's "
    "own verdict on its client."
)
# What a figure may be off by, as in the validity rules: 5 % of its median, at most 10 ms.
ERROR_SHARE, ERROR_MS = 0.05, 10.0
# What a run says of its client; other rules (too few requests in a short run) are not about accuracy.
ABOUT_THE_CLIENT = ("late reads", "loop lag", "kernel stamps", "late dispatch", "lateness", "worker CPU")


def off(row: Row) -> bool:
    """Is the p99 error of gaps or TTFT beyond what a run that is called VALID may have?"""
    limit_ms = min(ERROR_MS, ERROR_SHARE * float(row["asked"]["step_ms"]))
    ttft_limit_ms = ERROR_MS  # its median is the prefill and up to a step, which is not the client's to know
    return (row["gap_ms"]["p99"] or 0) > limit_ms or (row["ttft_ms"]["p99"] or 0) > ttft_limit_ms


def doubted(row: Row) -> bool:
    """Did the run call itself invalid for its client's sake?"""
    return any(one["level"] == "invalid" and one["rule"] in ABOUT_THE_CLIENT for one in row["findings"])


def curve(points: list[Row]) -> str:
    """All tables; those of one worker without TLS in full, the others folded."""
    if not points:
        return "## The accuracy curve\n\nNot measured."
    parts = ["## The accuracy curve", LEGEND]
    for tls, workers, in_step in sorted({_group(row) for row in points}):
        title = f"{'TLS' if tls else 'Plain'}, {workers} worker{'s' if workers > 1 else ''}"
        title += ", users in step (answers end together by the hundred)" if in_step else ""
        tables = []
        for step_ms in sorted({row["asked"]["step_ms"] for row in points}):
            of = (tls, workers, in_step)
            rows = [row for row in points if _group(row) == of and row["asked"]["step_ms"] == step_ms]
            rows.sort(key=lambda row: row["asked"]["streams"])
            cells = [[f"{row['asked']['streams']:,}", *figures(row)] for row in rows]
            tables += [f"{step_ms:g} ms a token:\n\n{table(HEADS, cells)}"] if rows else []
        text = "\n\n".join(tables)
        parts.append(f"### {title}\n\n{text}" if not tls and workers == 1 else folded(title, text))
    return "\n\n".join([*parts, verdicts(points)])


def _group(row: Row) -> tuple[bool, int, bool]:
    asked = row["asked"]
    return asked["tls"], asked["workers"], not asked["stagger_s"]


def figures(row: Row) -> list[str]:
    """A point as the tables show it, in the order of HEADS, without the first."""
    three = [row[name][rank] for name in ("ttft_ms", "gap_ms") for rank in ("p50", "p99", "max")]
    cells = [f"{row['requests']:,}", *map(number, three), number(row["e2e_ms"]["p99"])]
    cells += [number(row["coalesced_percent"], 2), number(row["loop_lag_ms_p99"], 1)]
    cells += [number(1e3 * row["cpu_test_s_per_1000_tokens"], 1), number(row["peak_mb"], 0)]
    return [*cells, "invalid" if doubted(row) else "valid"]


def verdicts(points: list[Row]) -> str:
    """Do the runs know when they are wrong?"""
    counts = {(is_off, says): 0 for is_off in (False, True) for says in (False, True)}
    for row in points:
        counts[off(row), doubted(row)] += 1
    names = [row["name"] for row in points if off(row) and not doubted(row)]
    rows = [
        ["within the limit", str(counts[False, False]), str(counts[False, True])],
        ["beyond it", str(counts[True, False]), str(counts[True, True])],
    ]
    heads = ("p99 error of gap or TTFT", "run says valid", "run says invalid")
    missed = f" Beyond the limit and not seen: {', '.join(names)}." if names else ""
    return (
        "### Does a run know when it is wrong?\n\n"
        f"Limit: {100 * ERROR_SHARE:g} % of the token time for gaps, {ERROR_MS:g} ms for TTFT. Of the verdicts only "
        f"what is about the client counts here, not that these runs are short.{missed}\n\n" + table(heads, rows)
    )


def noise(points: list[Row]) -> str:
    """The truth's own uncertainty, and the machine's noise."""
    if not points:
        return ""
    said = {
        "a sleeping process wakes up late by (p99), ms": [row["stall_ms"]["p99"] for row in points],
        "the same, greatest, ms": [row["stall_ms"]["max"] for row in points],
        "the truth is uncertain by (a send's duration, p99), ms": [row["send_us_p99"] / 1e3 for row in points],
        "the server's steps begin late by (p99), ms": [row["late_ms_p99"] for row in points],
        "a pass over all streams takes (p99), ms": [row["pass_ms_p99"] for row in points],
    }
    rows = [[name, *(number(of(values)) for of in (min, median, max))] for name, values in said.items() if all(values)]
    blocked, mismatched = (sum(row[name] for row in points) for name in ("blocked", "mismatched"))
    return (
        "## The noise\n\nThat the server is late is no error, as its log says when it really wrote. "
        f"Writes that had to wait for the client: {blocked}. Answers of which client and server counted different "
        f"chunks: {mismatched}.\n\n" + table(("over all points of the curve", "least", "median", "greatest"), rows)
    )
