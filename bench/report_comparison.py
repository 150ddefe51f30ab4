"""The comparison with other clients in docs/accuracy.md: medians over the rounds, and ours by theirs."""

from statistics import median

from bench.markdown import number, table
from bench.results import Row

OURS = "tokenswarm"
FIGURES = (
    ("TTFT p50", "ttft_ms", "p50"),
    ("TTFT p99", "ttft_ms", "p99"),
    ("gap p50", "gap_ms", "p50"),
    ("gap p99", "gap_ms", "p99"),
    ("gap max", "gap_ms", "max"),
    ("E2E p50", "e2e_ms", "p50"),
    ("E2E p99", "e2e_ms", "p99"),
    ("CPU, ms per 1,000 tokens", "cpu_ms", ""),
    ("peak MB", "peak_mb", ""),
)


def figure(rows: list[Row], tool: str, what: str, rank: str = "") -> float | None:
    """The median over the rounds of one figure; None where the tool has none. `cpu_ms` is per 1,000 tokens."""
    values = []
    for row in rows:
        if row.get("tool") == tool and "failed" not in row:
            of = {**row, "cpu_ms": 1e6 * row["cpu_s"] / row["tokens"]}[what]
            values.append(of.get(rank) if rank and of else of)
    there = [float(value) for value in values if value is not None]
    return median(there) if there else None


def ratio(rows: list[Row], tool: str, what: str, rank: str = "") -> float | None:
    """Ours by theirs, of the medians; None where one is missing."""
    ours, theirs = figure(rows, OURS, what, rank), figure(rows, tool, what, rank)
    return None if ours is None or not theirs else ours / theirs


def comparison(rows: list[Row]) -> str:
    """The two tables."""
    versions = {row["tool"]: row["version"] for row in rows if "tool" in row}
    if not versions:
        return "## Beside other clients\n\nNot measured."
    names = sorted(versions, key=lambda name: name != OURS)  # ours first, else in the order of the rows
    rounds = max(row.get("round", 1) for row in rows if "tool" in row)
    figures = [[head, *(number(figure(rows, name, what, rank)) for name in names)] for head, what, rank in FIGURES]
    others = [name for name in names if name != OURS]
    ratios = [[head, *(number(ratio(rows, name, what, rank), 4) for name in others)] for head, what, rank in FIGURES]
    failed = [f"{row['tool']} (round {row['round']}): {row['failed']}" for row in rows if "failed" in row]
    told = "; ".join(f"{name} {versions[name]}" for name in names)
    parts = [
        "## Beside other clients",
        f"The same load on the same server, in turns, medians of {rounds} rounds: {told}. Errors in ms; the CPU is of "
        "all processes of a client from start to end. – where a client gives no such figure.",
        table(("|client − truth|".replace("|", "\\|"), *names), figures),
        "Ours / theirs (below 1 we are the better):",
        table(("ratio", *others), ratios),
    ]
    if failed:
        parts.append("Failed: " + "; ".join(failed) + ".")
    return "\n\n".join(parts)
