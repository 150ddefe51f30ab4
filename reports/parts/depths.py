"""Depths: prefill and decode behind contexts of so many tokens, as llama-bench's rows have them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary, only_tables
from tokenswarm.reports.percentiles import describe
from tokenswarm.reports.rejudging import as_mapping
from tokenswarm.reports.render.document import Line, Section, Table
from tokenswarm.reports.render.numbers import ABSENT, integer, many, number

# A context that was cut, or is longer by its template, is of another depth; and only what evaluates the new text, and
# no more of the old, is a prefill behind it.
NEAR, MOST = 0.1, 1.5
NEEDED = ("prompt_id", "outcome", "prompt_tokens", "cached_tokens", "output_tokens", "ttft_ms", "tpot_ms")
RATES = ("prompt_tokens_per_s", "decode_tokens_per_s")
_ASKED = re.compile(r"d(\d+) (context|prefill)")
COLUMNS = ("test", "t/s mean", "± sd", "p50", "n", "left out", "prompt tokens", "cached", "output tokens", "timed by")


def depths(frame: Any, prefill_tokens: int, decode_tokens: int) -> list[dict[str, Any]]:
    """An entry a test: of each depth its prefill, its decoding, and the prefill of the context itself.

    `test` is llama-bench's name of it (`pp512 @ d4096`), `per_s` its tokens/s (n, mean, sd, p50), `timed_by` "server"
    where each request has the server's own duration, else "client": TTFT, which holds the network, and TPOT. Medians
    of `prompt_tokens`, `cached_tokens` (None: the server does not say) and `output_tokens` are of all requests that
    ended ok; `left_out` are those of them that are no such test: of another depth (a server may cut prompts), or with
    more or less evaluated than the new text.
    """
    ok = frame.loc[frame["outcome"] == "ok", [*NEEDED, *RATES]]
    found: dict[tuple[int, str], Any] = {}
    for name, rows in ok.groupby("prompt_id", observed=True):
        if asked := _ASKED.fullmatch(str(name)):
            found[int(asked[1]), asked[2]] = rows
    entries: list[dict[str, Any]] = []
    for depth in sorted({depth for depth, _ in found}):
        at = f" @ d{depth}" if depth else ""
        if (rows := found.get((depth, "prefill"))) is not None:
            entries.append(_prefill(f"pp{prefill_tokens}{at}", depth, rows, prefill_tokens, behind=depth))
        if (rows := found.get((depth, "context"))) is not None:
            entries.append(_decode(f"tg{decode_tokens}{at}", depth, rows))
            if depth:
                entries.append(_prefill(f"pp{depth}", depth, rows, depth, behind=0))
    return entries


def _prefill(test: str, depth: int, rows: Any, asked: int, *, behind: int) -> dict[str, Any]:
    prompt, cached = (_values(rows, name) for name in ("prompt_tokens", "cached_tokens"))
    # Of a text that nobody could know nothing was cached, even if the server does not say.
    evaluated = prompt - (cached if behind else np.nan_to_num(cached))
    with np.errstate(invalid="ignore"):
        kept = (
            (evaluated >= asked / MOST)
            & (evaluated <= MOST * asked)
            & _near(prompt - asked * (behind > 0), behind or asked)
        )
    some, told = rows[kept], _values(rows, RATES[0])[kept]
    by_server = bool(len(some)) and not np.isnan(told).any()
    rates = told if by_server else evaluated[kept] / _values(some, "ttft_ms") * 1e3
    return _entry(test, depth, rows, some, rates, by_server)


def _decode(test: str, depth: int, rows: Any) -> dict[str, Any]:
    some = rows[_near(_values(rows, "prompt_tokens"), depth)] if depth else rows
    told = _values(some, RATES[1])
    by_server = bool(len(some)) and not np.isnan(told).any()
    return _entry(test, depth, rows, some, told if by_server else 1e3 / _values(some, "tpot_ms"), by_server)


def _near(tokens: Any, asked: int) -> Any:
    with np.errstate(invalid="ignore"):
        return np.abs(tokens / asked - 1) <= NEAR


def _entry(test: str, depth: int, rows: Any, some: Any, rates: Any, by_server: bool) -> dict[str, Any]:
    known = rates[np.isfinite(rates)]
    return {
        "test": test,
        "depth": depth,
        "per_s": {**describe(known, (50.0,)), "sd": round(float(known.std(ddof=1)), 6) if len(known) > 1 else None},
        "timed_by": "server" if by_server else "client",
        "left_out": len(rows) - len(some),
        **{name: _median(rows, name) for name in ("prompt_tokens", "cached_tokens", "output_tokens")},
    }


def _values(rows: Any, name: str) -> Any:
    return rows[name].to_numpy("float64", na_value=np.nan)


def _median(rows: Any, name: str) -> float | None:
    known = _values(rows, name)
    known = known[~np.isnan(known)]
    return float(np.median(known)) if len(known) else None


def section(summary: Summary) -> Section:
    """Its part of the report."""
    found = summary.get("depths", ())
    rows = tuple(
        (
            entry["test"],
            *(number(entry["per_s"][name]) for name in ("mean", "sd", "p50")),
            *(integer(n) for n in (entry["per_s"]["n"], entry["left_out"])),
            *(_tokens(entry[name]) for name in ("prompt_tokens", "cached_tokens", "output_tokens")),
            entry["timed_by"],
        )
        for entry in found
    )
    said = (
        "As llama-bench: pp is prefill, tg decoding, @ d behind a context of so many tokens, which the server keeps "
        "from the request before; what it had cached is no part of a rate. Prompts, cached and output tokens are "
        "medians, as the server counts them. Timed by the server's own durations, or by the client's TTFT and TPOT."
    )
    lines: tuple[Line, ...] = ((said,), *((line,) for line in _left_out(found)))
    return Section(
        "depths", "By depth of the context", lines if rows else (), tables=(Table(COLUMNS, rows),) if rows else ()
    )


def _left_out(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        if n := entry["left_out"]:
            cached = _tokens(entry["cached_tokens"])
            why = f"prompts of {_tokens(entry['prompt_tokens'])} tokens, of which {cached} were cached"
            why = "the server does not say how many tokens it had cached" if cached == ABSENT else why
            yield f"{entry['test']}: {many(n, 'request')} left out: {why}."


def _tokens(value: float | None) -> str:
    return integer(None if value is None else round(value))


def bench_lines(summary: Summary) -> list[str]:
    """A line a depth, as llama-bench would say it: `pp512 @ d4096 1,234 ± 5 t/s, tg128 @ d4096 …`."""
    by_depth: dict[int, list[str]] = {}
    for entry in summary.get("depths", ()):
        rate = entry["per_s"]
        said = number(rate["mean"]) + (f" ± {number(rate['sd'])}" if rate["sd"] is not None else "")
        by_depth.setdefault(entry["depth"], []).append(
            f"{entry['test']} {said} t/s" if rate["n"] else f"{entry['test']} {ABSENT}"
        )
    return [", ".join(said) for said in by_depth.values()]


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`depths`: an entry a test."""
    options = as_mapping(run.info.get("options"))
    if not options.get("depths"):
        return {}
    prefill, decode = (_whole(options.get(name)) for name in ("prompt_tokens", "max_tokens"))
    return {"depths": depths(run.measured, prefill, decode)}


def _whole(value: Any) -> int:
    return int(value) if str(value).isdecimal() else 0


PART = Part(section, data, terminal=only_tables(section))
