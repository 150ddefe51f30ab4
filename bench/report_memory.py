"""The memory curve in docs/accuracy.md."""

from bench.markdown import number, table
from bench.results import Row


def memory(rows: list[Row]) -> str:
    """What the client's memory did over the requests."""
    samples = [row for row in rows if "rss_mb" in row]
    if not samples:
        return "## Memory over many requests\n\nNot measured."
    summary: Row = next((row for row in rows if "grown_mb" in row), {})
    grown = summary.get("grown_mb")
    told = (
        f"{samples[-1]['requests']:,} requests of a few tokens by one Locust process with our locustfile, run folder "
        f"and CSVs as usual, the server answering at once ({number(summary.get('requests_per_s'), 0)} requests/s). "
    )
    if grown is not None:
        told += f"Growth after the first {summary['after']:,}: {number(grown, 1)} MB."
    cells = [[f"{row['requests']:,}", number(row["rss_mb"], 1), number(row["wall_s"], 0)] for row in samples]
    return "## Memory over many requests\n\n" + told + "\n\n" + table(("requests", "RSS, MB", "after, s"), cells)
