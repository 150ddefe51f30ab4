"""What Locust's own --csv files alone can tell: exact totals and means, bucketed percentiles, throughput."""

import csv
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.percentile import is_supported
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.percentiles import LATENCY, Described, key

KINDS = {metric.name: metric.kind for metric in METRICS}
UNKNOWN = (
    "Exact percentiles: Locust rounds every value to two digits before it counts it.",
    "Percentiles over several rows pooled: percentiles do not add up.",
    "ITL: the gaps between chunks are not in Locust's statistics.",
    "The ledger: where the time of a request went.",
    "Single requests and their outcomes; requests that were cut at the end of the run are not in Locust's statistics.",
    "Tokens of requests that did not end ok: only those of ok requests are logged.",
    "The last second: Locust writes these files once a second and may be stopped before its last look.",
)
_NEEDED = ("Type", "Name", "Request Count", "Failure Count", "Average Response Time", "Requests/s")
_NEEDED_HISTORY = ("Timestamp", "Type", "Name", "Total Request Count", "Total Average Response Time")

Row = dict[str, str]


def summarise(prefix: str) -> dict[str, Any]:
    """PREFIX_stats.csv, and _failures.csv and _stats_history.csv where they are, as one dict with units in its keys.

    Count × mean of a token row is the exact total. The window is Locust's: start of the run to its last request.
    Raises ReportError.
    """
    rows = _read(Path(f"{prefix}_stats.csv"), _NEEDED)
    if rows is None:
        raise ReportError(f"{prefix}_stats.csv: no such file; give what was given to Locust as --csv")
    history = _read(Path(f"{prefix}_stats_history.csv"), _NEEDED_HISTORY)
    failures = _read(Path(f"{prefix}_failures.csv"), ("Method", "Name", "Error", "Occurrences"))
    generations = [row for row in rows if row["Type"] not in KINDS and row["Name"] != "Aggregated"]
    groups = [_group(row, [r for r in rows if r["Type"] in KINDS and r["Name"] == row["Name"]]) for row in generations]
    window_s = next((s for row in generations if (s := _window_s(row))), None)
    output = sum(group["metrics"].get("output_tokens", {}).get("total", 0) for group in groups)
    counted = any("output_tokens" in group["metrics"] for group in groups)
    return {
        "format": 1,
        "source": prefix,
        "requests": sum(group["requests"] for group in groups),
        "requests_failed": sum(group["requests_failed"] for group in groups),
        "window_s": window_s,
        "output_tokens_ok": output if counted else None,
        "output_tokens_per_s": round(output / window_s, 6) if window_s and counted else None,
        "groups": groups,
        "failures": _failures(failures or ()),
        "throughput": throughput(history or ()),
        "unknown": list(UNKNOWN),
    }


def throughput(history: Iterable[Row]) -> list[dict[str, float]]:
    """Output tokens/s between consecutive moments of a full history, in seconds since its first.

    Cumulative totals are differenced, row by row, since a row appears only with its first value. Tokens count at the
    end of their request. A total that fell is one that began anew (statistics reset).
    """
    totals: dict[int, dict[str, float]] = {}
    for row in history:
        found = totals.setdefault(int(float(row["Timestamp"])), {})
        if row["Type"] == "output_tokens":
            found[row["Name"]] = _total(row["Total Request Count"], row["Total Average Response Time"])
    moments = sorted(totals)
    points, before = [], dict(totals[moments[0]]) if moments else {}
    for last, now in pairwise(moments):
        steps = ((total, before.get(name, 0.0)) for name, total in totals[now].items())
        gained = sum(total - had if total >= had else total for total, had in steps)
        before |= totals[now]
        rate = gained / (now - last)
        points.append({"from_s": last - moments[0], "to_s": now - moments[0], "output_tokens_per_s": rate})
    return points


def _read(path: Path, needed: tuple[str, ...]) -> list[Row] | None:
    """The rows that are whole; None without the file."""
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.DictReader(file)
            rows = [dict(row) for row in reader if None not in row.values()]
    except FileNotFoundError:
        return None
    except (OSError, csv.Error) as error:
        raise ReportError(f"{path}: cannot be read: {error}") from error
    if absent := [name for name in needed if name not in (reader.fieldnames or ())]:
        raise ReportError(f"{path}: lacks the columns {', '.join(absent)}; Locust did not write it, or not yet")
    return rows


def _group(row: Row, metrics: list[Row]) -> dict[str, Any]:
    return {
        "name": row["Name"],
        "requests": int(row["Request Count"]),
        "requests_failed": int(row["Failure Count"]),
        "metrics": {"e2e_ms": _describe(row), **{m["Type"]: _metric(m) for m in metrics}},
    }


def _metric(row: Row) -> Described:
    described = _describe(row)
    if KINDS[row["Type"]] == "count":
        described["total"] = int(_total(row["Request Count"], row["Average Response Time"]))
    return described


def _describe(row: Row) -> Described:
    n = int(row["Request Count"])
    found: Described = {"n": n, "mean": _number(row["Average Response Time"]) if n else None}
    for percent in LATENCY:
        found[key(percent)] = _number(row.get(f"{percent:g}%")) if is_supported(n, percent) else None
    return found


def _total(count: str, mean: str) -> float:
    """The sum of whole numbers that a mean was taken of; the float mean is off by far less than half of one."""
    return float(round(int(count) * float(mean)))


def _window_s(row: Row) -> float | None:
    rate = _number(row["Requests/s"])
    return round(int(row["Request Count"]) / rate, 6) if rate else None


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None  # "N/A"


def _failures(rows: Iterable[Row]) -> list[dict[str, Any]]:
    most = sorted(rows, key=lambda row: -int(row["Occurrences"]))[:10]
    return [{"requests": int(r["Occurrences"]), "name": r["Name"], "error": r["Error"]} for r in most]
