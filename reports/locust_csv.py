"""What Locust's own --csv files alone can tell: exact totals and means, bucketed percentiles, throughput."""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.percentile import is_supported
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.percentiles import LATENCY, Described, key

KINDS = {metric.name: metric.kind for metric in METRICS}
FAULTS = "checks failed"  # a row of ours that is no metric: what the checks of the answers found
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
ROUNDED = "whole numbers below 100, rounded to two digits from there on"
UNKNOWN = (
    f"Exact percentiles: Locust rounds every value before it counts it ({ROUNDED}).",
    "Percentiles over several rows pooled: percentiles do not add up.",
    "ITL: the gaps between chunks are not in Locust's statistics.",
    "The ledger: where the time of a request went.",
    "Single requests and their outcomes; requests that were cut at the end of the run are not in Locust's statistics.",
    "Tokens of requests that did not end ok: only those of ok requests are logged.",
    "Where in time tokens were made: all of a request's count at its end, and those of what was still under way not at "
    "all, so a short run's tokens/s are too low.",
    "The last second: Locust writes these files once a second and may be stopped before its last look.",
)
# What the cells of a column must be; a mean or a rate may be missing ("N/A").
_STATS = {"Type": "", "Name": "", "Request Count": "whole", "Failure Count": "whole"}
_STATS |= {"Average Response Time": "number", "Requests/s": "number"}
_HISTORY = {"Timestamp": "whole", "Type": "", "Name": "", "Total Request Count": "whole"}
_HISTORY |= {"Total Average Response Time": "number"}
_FAILURES = {"Method": "", "Name": "", "Error": "", "Occurrences": "whole"}
# The names of metrics of another version of this suite.
_LIKE_A_METRIC = re.compile(r"[a-z_]+_(?:ms|tokens|chunks|chars|per_s|vectors)")
_NUMBER = re.compile(r"\d+(?:\.\d*)?(?:[eE][-+]?\d{1,2})?")

Row = dict[str, str]


def summarise(prefix: str) -> dict[str, Any]:
    """PREFIX_stats.csv, and _failures.csv and _stats_history.csv where they are, as one dict with units in its keys.

    A group is a row of requests, with their `type` (GET, POST, …) and name. Count × mean of a token row is the exact
    total. The window is Locust's: start of the run to its last request. Raises ReportError.
    """
    notices: list[str] = []
    rows = _read(Path(f"{prefix}_stats.csv"), _STATS, notices)
    if rows is None:
        raise ReportError(f"{prefix}_stats.csv: no such file; give what was given to Locust as --csv")
    history = _read(Path(f"{prefix}_stats_history.csv"), _HISTORY, notices)
    failures = _read(Path(f"{prefix}_failures.csv"), _FAILURES, notices)
    metrics = [row for row in rows if _is_metric(row["Type"])]
    requests = [row for row in rows if not _is_metric(row["Type"]) and row["Name"] != "Aggregated"]
    groups = [_group(row, [m for m in metrics if _owner(m, requests) is row]) for row in requests]
    alone = [row for row in metrics if _owner(row, requests) is None]  # the row of their requests is lost
    for name in dict.fromkeys(row["Name"] for row in alone):
        found = {row["Type"]: _metric(row) for row in alone if row["Name"] == name}
        groups.append({"type": "", "name": name, "requests": 0, "requests_failed": 0, "metrics": found})
    window_s = next((s for row in requests if (s := _window_s(row))), None)
    output = sum(group["metrics"].get("output_tokens", {}).get("total", 0) for group in groups)
    counted = any("output_tokens" in group["metrics"] for group in groups)
    return {
        "format": 1,
        "source": prefix,
        "notices": notices,
        "requests": sum(group["requests"] for group in groups),
        "requests_failed": sum(group["requests_failed"] for group in groups),
        "window_s": window_s,
        "output_tokens_ok": output if counted else None,
        "output_tokens_per_s": round(output / window_s, 6) if window_s and counted else None,
        "percentiles": ROUNDED,
        "groups": groups,
        "failures": _failures(failures or ()),
        "throughput": throughput(history or ()),
        "unknown": list(UNKNOWN),
    }


def _is_metric(kind: str) -> bool:
    """Is it a row of values beside the requests, which Locust's statistics have for each metric?"""
    return kind in KINDS or kind == FAULTS or bool(_LIKE_A_METRIC.fullmatch(kind))


def _owner(metric: Row, requests: Sequence[Row]) -> Row | None:
    """The row of requests that a metric is of: of two with one name that of the generations, which are POSTs."""
    named = [row for row in requests if row["Name"] == metric["Name"]]
    return next((row for row in named if row["Type"] == "POST"), named[0] if named else None)


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


def _read(path: Path, columns: Mapping[str, str], notices: list[str]) -> list[Row] | None:
    """The rows that are whole and hold what can be; None without the file."""
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.DictReader(file)
            rows = [(number, row) for number, row in enumerate(reader, start=2)]
    except FileNotFoundError:
        return None
    except (OSError, csv.Error) as error:
        raise ReportError(f"{path}: cannot be read: {error}") from error
    if absent := [name for name in columns if name not in (reader.fieldnames or ())]:
        raise ReportError(f"{path}: lacks the columns {', '.join(absent)}; Locust did not write it, or not yet")
    sound = []
    for number, row in rows:
        if what := _wrong(row, columns):
            notices.append(f"{path.name}, row {number}{what}; the row is left out")
        else:
            sound.append(row)
    return sound


def _wrong(row: Mapping[str | None, Any], columns: Mapping[str, str]) -> str:
    if None in row or None in row.values():
        return ": it is not whole"
    for name, kind in columns.items():
        cell = row[name]
        if kind == "whole" and not (cell.isascii() and cell.isdigit()):
            return f", {name}: {cell!r} is no whole number"
        if kind == "number" and cell not in ("", "N/A") and not _NUMBER.fullmatch(cell):
            return f", {name}: {cell!r} is no number"
    return ""


def _group(row: Row, metrics: list[Row]) -> dict[str, Any]:
    # What another protocol calls a request may be anything: its time is what Locust calls it.
    time_name = "e2e_ms" if row["Type"] in METHODS else "response_time_ms"
    return {
        "type": row["Type"],
        "name": row["Name"],
        "requests": int(row["Request Count"]),
        "requests_failed": int(row["Failure Count"]),
        "metrics": {time_name: _described(row), **{m["Type"]: _metric(m) for m in metrics}},
    }


def is_count(name: str) -> bool:
    """Is a metric one whose total says something?"""
    return KINDS.get(name) == "count" or name == FAULTS or (name not in KINDS and not name.endswith(("_ms", "_per_s")))


def _metric(row: Row) -> Described:
    described = _described(row)
    if is_count(row["Type"]):
        described["total"] = int(_total(row["Request Count"], row["Average Response Time"]))
    return described


def _described(row: Row) -> Described:
    n = int(row["Request Count"])
    found: Described = {"n": n, "mean": _number(row["Average Response Time"]) if n else None}
    for percent in LATENCY:
        found[key(percent)] = _number(row.get(f"{percent:g}%")) if is_supported(n, percent) else None
    return found


def _total(count: str, mean: str) -> float:
    """The sum of whole numbers that a mean was taken of; the float mean is off by far less than half of one."""
    return float(round(int(count) * (_number(mean) or 0.0)))


def _window_s(row: Row) -> float | None:
    rate = _number(row["Requests/s"])
    return round(int(row["Request Count"]) / rate, 6) if rate else None


def _number(text: str | None) -> float | None:
    """None where there is none ("N/A")."""
    return float(text) if text and _NUMBER.fullmatch(text) else None


def _failures(rows: Iterable[Row]) -> list[dict[str, Any]]:
    most = sorted(rows, key=lambda row: -int(row["Occurrences"]))[:10]
    return [
        {"requests": int(r["Occurrences"]), "method": r["Method"], "name": r["Name"], "error": r["Error"]} for r in most
    ]
