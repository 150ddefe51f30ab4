"""Where the output of a frame's requests lies in time, and how many tokens it has, as columns; rates made of them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tokenswarm.metrics.moments import MOMENTS
from tokenswarm.metrics.output import ABSENT, TokensPerChunk, even_parts, output_span, within
from tokenswarm.reports.columns import Floats, Wholes
from tokenswarm.reports.rows import parts

Window = tuple[int, int]
Amounts = Callable[[Any], Any]  # an amount (float) for each of some rows
MADE = ["made_tokens", "made_from_ns", "made_to_ns", *(name for pair in MOMENTS for name in pair)]
_SHORTEST_S = 1e-6


def window(frame: Any) -> Window | None:
    """(first sent, last ended) of all rows in wall-clock ns, whatever their outcome; None where nothing was sent."""
    sent, ended = list[int](), list[int]()
    for rows in parts(frame):
        for moments, name in ((sent, "sent_unix_ns"), (ended, "ended_unix_ns")):
            known = rows[name].dropna()
            moments += [int(known.min()), int(known.max())] if len(known) else []
    return (min(sent), max(ended)) if sent and ended and max(ended) > min(sent) else None


def output(frame: Any) -> dict[str, Any]:
    """Columns to stand beside the others: `made_from_ns` to `made_to_ns` is when a request's output was made (Int64),
    `made_tokens` how many tokens that is (float; NaN where nobody knows), `made_estimated` whether by its chunks."""
    made_from, made_to, tokens, ratios = Wholes(), Wholes(), Floats(), TokensPerChunk()
    estimated = []
    for rows in frame.parts():
        _add_ratios(rows, ratios)
    for rows in frame.parts():
        absent = (rows["sent_unix_ns"].isna() | rows["ended_unix_ns"].isna()).to_numpy()
        for column, ns in zip((made_from, made_to), _span(rows, absent), strict=True):
            column.put((ns, absent), len(rows))
        guessed, counts = _tokens(rows, ~absent, ratios)
        estimated.append(guessed)
        tokens.put(counts, len(rows))
    columns = {"made_from_ns": made_from, "made_to_ns": made_to, "made_tokens": tokens}
    return {**columns, "made_estimated": np.concatenate(estimated)}


def _span(frame: Any, absent: Any) -> Iterator[Any]:
    sent_ns, ended_ns = (frame[name].to_numpy("int64", na_value=0) for name in ("sent_unix_ns", "ended_unix_ns"))
    e2e_ns = np.where(absent, 0.0, ended_ns - sent_ns).clip(min=0)
    waited_ms, decoded_ms = frame["ttft_ms"].to_numpy("float64"), frame["eval_ms"].to_numpy("float64")
    failed = (frame["outcome"] != "ok").to_numpy() & ~np.isnan(waited_ms)
    chunked_ms = np.where(failed, np.nan_to_num(frame["gaps_ms"].to_numpy("float64")), np.nan)
    durations = (np.nan_to_num(ms, nan=ABSENT / 1e6) * 1e6 for ms in (waited_ms, chunked_ms, decoded_ms))
    return (sent_ns + since_ns.round().astype("int64") for since_ns in output_span(e2e_ns, *durations))


def _add_ratios(frame: Any, ratios: TokensPerChunk) -> None:
    counted = (frame["outcome"] == "ok") & frame["output_tokens"].notna() & (frame["output_chunks"] > 0)
    measured = frame["phase"] != "warm-up"  # as metrics.validity.evidence has it
    for (endpoint, model), rows in frame[counted & measured].groupby(["endpoint", "model"]):
        ratios.add(endpoint, model, *(int(rows[name].sum()) for name in ("output_tokens", "output_chunks")))


def _tokens(frame: Any, placed: Any, ratios: TokensPerChunk) -> tuple[Any, Any]:
    tokens = frame["output_tokens"].to_numpy("float64", na_value=np.nan)
    chunks = frame["output_chunks"].to_numpy("float64", na_value=0.0)
    estimated = (frame["outcome"] != "ok").to_numpy() & np.isnan(tokens) & (chunks > 0) & placed
    at, names = np.flatnonzero(estimated), ["endpoint", "model"]
    for (endpoint, model), some in frame.take(at).frame(names).groupby(names).indices.items():
        ratio = ratios.of(endpoint, model)
        tokens[at[some]] = np.nan if ratio is None else chunks[at[some]] * ratio
    return estimated & ~np.isnan(tokens), tokens


def ok_per_s(rows: Any, span: Window | None) -> float | None:
    """Requests with outcome ok a second in a window: of one that reaches beyond it the share of its output within."""
    if not span:
        return None
    return amount_per_s(rows, answers(rows), span)


def amount_per_s(rows: Any, amounts: Amounts, span: Window) -> float:
    """So much a second in a window, of rows (MADE of them) with an amount each, which lies where their output does."""
    total, width_s = 0.0, (span[1] - span[0]) / 1e9
    for some, amount in by_parts(rows, amounts):
        there = some["made_from_ns"].notna().to_numpy()
        known, amount = (some, amount) if there.all() else (some[there], amount[there])
        # Nearly all lie inside, and wholly. Integers: a double cannot hold a wall-clock nanosecond.
        begin_ns, end_ns = (known[name].to_numpy("int64") for name in ("made_from_ns", "made_to_ns"))
        inside = (begin_ns >= span[0]) & (begin_ns < span[1]) & (end_ns <= span[1])
        amount = np.nan_to_num(amount)
        total += float(amount[inside].sum())
        if len(at := np.flatnonzero(~inside)):
            begin, end, parts = place_amounts(known.take(at), amount[at], span[0])
            total += float((within(begin, end, 0.0, width_s) * parts).sum())
    return round(total / width_s, 6)


def by_parts(rows: Any, amounts: Amounts) -> Iterator[tuple[Any, Any]]:
    """Rows with an amount each, so many after the other that they fit into memory."""
    return ((some, amounts(some)) for some in parts(rows))


def answers(rows: Any) -> Amounts:
    """How much of an answer with outcome ok each of these rows is: 1, or 0.

    One that the end of the run cut would have been one: it counts as its tokens do beside those of a mean answer.
    """
    total, n = 0.0, 0
    for some in parts(rows):
        known = some.loc[(some["outcome"] == "ok") & some["made_tokens"].notna(), "made_tokens"].to_numpy("float64")
        total, n = total + float(known.sum()), n + len(known)
    return lambda some: _answers(some, total / n if n else 0.0)


def _answers(rows: Any, mean_tokens: float) -> Any:
    found = (rows["outcome"] == "ok").to_numpy().astype(float)
    cut = ((rows["outcome"] == "cancelled") & rows["made_estimated"]).to_numpy(bool)
    if cut.any() and mean_tokens > 0:
        found[cut] = (made_tokens(rows)[cut] / mean_tokens).clip(max=1)
    return found


def of_ok(name: str) -> Amounts:
    """An amount (a column) of each row with outcome ok; 0 of the others, and where it is absent."""
    return lambda rows: np.where(rows["outcome"] == "ok", rows[name].to_numpy("float64", na_value=0.0), 0.0)


def made_tokens(rows: Any) -> Any:
    """How many tokens the output of each row has; NaN where nobody knows."""
    return rows["made_tokens"].to_numpy("float64", na_value=np.nan)


def tokens_per_s(rows: Any, span: Window | None) -> float | None:
    """Output tokens a second in a window; None where no row's tokens are known."""
    if not span or not any(some["made_tokens"].notna().any() for some in parts(rows)):
        return None
    return amount_per_s(rows, made_tokens, span)


def series(rows: Any, amounts: Any, span: Window, count: int) -> Any:
    """So much a second in each of `count` equal parts of a window, of rows whose outputs all have a place."""
    edges = np.linspace(0.0, (span[1] - span[0]) / 1e9, count + 1)
    return np.diff(amount_before(edges, *place_amounts(rows, amounts, span[0]))) / np.diff(edges)


def place_amounts(rows: Any, amounts: Any, zero_ns: int) -> tuple[Any, Any, Any]:
    """(begin, end, amount) of what lies evenly: all of a row's amount, or parts of it where it keeps moments.

    Float seconds since a moment; the rows (MADE of them) have a place each.
    """
    begin, end = (seconds(rows[name], zero_ns) for name in ("made_from_ns", "made_to_ns"))
    kept = rows[MOMENTS[0][0]].notna().to_numpy() if MOMENTS[0][0] in rows.columns else np.zeros(len(rows), dtype=bool)
    if not kept.any():
        return begin, end, amounts
    moments = ((_known(rows, ms, kept, 1e3), _known(rows, percent, kept, 100)) for ms, percent in MOMENTS)
    found = [(begin[~kept], end[~kept], amounts[~kept])]
    for since, until, share in even_parts(begin[kept], end[kept], moments):
        found.append((since, until, share * amounts[kept]))
    begin, end, amounts = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return begin, end, amounts


def _known(rows: Any, name: str, kept: Any, unit: float) -> Any:
    values = rows[name].to_numpy("float64", na_value=np.nan)[kept] / unit
    return np.where(np.isnan(values), ABSENT, values)


def seconds(moments: Any, zero_ns: int) -> Any:
    """Wall-clock ns (Int64) as float seconds since a moment; subtracted as integers, so nothing is lost."""
    return (moments - zero_ns).to_numpy(dtype="float64", na_value=float("nan")) / 1e9


def amount_before(edges: Any, start: Any, end: Any, amounts: Any) -> Any:
    """How much of all amounts, each spread evenly over its [start, end], lies before each edge (these are in order):
    what `metrics.output.share_before` says of each."""
    slopes = amounts / np.maximum(end - start, _SHORTEST_S)
    return _ramps(edges, start, slopes) - _ramps(edges, np.maximum(end, start + _SHORTEST_S), slopes)


def _ramps(edges: Any, start: Any, slopes: Any) -> Any:
    first = np.searchsorted(edges, start)  # the edge that it lies at, or the next one
    sums = (np.bincount(first, weights=each, minlength=len(edges) + 1) for each in (slopes, slopes * start))
    slope, offset = (np.cumsum(each[: len(edges)]) for each in sums)
    return edges * slope - offset
