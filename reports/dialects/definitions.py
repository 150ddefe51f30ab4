"""One run by other tools' definitions, AIPerf's, GuideLLM's and vLLM's bench's: from Answers to the lines they print.

docs/metrics.md has the formulas and where they stand in the source of the versions named here. A metric that no
request has is left out, though some of the tools would print a 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tokenswarm.reports.dialects.requests import Answers, Array
from tokenswarm.reports.dialects.statistics import Spread, present, spread_linear, spread_weighted


@dataclass(frozen=True, slots=True)
class Line:
    """A metric under the tool's own name. `figures` has mean, p50 …; of a number of the whole run only `mean`."""

    name: str
    n: int
    figures: Spread


@dataclass(frozen=True, slots=True)
class Dialect:
    """A tool, the version whose definitions these are, and its columns: (heading, key of `figures`)."""

    tool: str
    version: str
    columns: tuple[tuple[str, str], ...]
    lines: Callable[[Answers], tuple[Line, ...]]


def aiperf(a: Answers) -> tuple[Line, ...]:
    """AIPerf with --use-server-token-count: from before connecting to the last chunk with output."""
    valid = a.ok & a.has_output
    tokens, connect = a.output_tokens[valid], a.connect_ms[valid]
    last = np.where(a.streamed, a.last_ms, a.end_ms)[valid]
    ttft, latency = connect + a.first_ms[valid], connect + last
    itl = _over(latency - ttft, tokens - 1)
    span_s = _span_s(a.sent_ms[valid] - connect, a.sent_ms[valid] + last)
    return _present(
        _line("Time to First Token (ms)", spread_linear, ttft),
        _line("Time to First Output Token (ms)", spread_linear, connect + a.answer_ms[valid]),
        _line("Request Latency (ms)", spread_linear, latency),
        _line("Inter Token Latency (ms)", spread_linear, itl),
        _gaps("Inter Chunk Latency (ms)", a),
        _line("Output Token Throughput Per User", spread_linear, _over(1e3, itl)),
        _line("E2E Output Token Throughput", spread_linear, _over(tokens * 1e3, latency)),
        _line("Output Sequence Length (tokens)", spread_linear, tokens),
        _line("Input Sequence Length (tokens)", spread_linear, a.prompt_tokens[valid]),
        _rate("Output Token Throughput (tok/s)", present(tokens), span_s),
        _rate("Request Throughput (req/s)", np.ones(int(valid.sum())), span_s),
    )


def guidellm(a: Answers) -> tuple[Line, ...]:
    """GuideLLM: from writing the request's head to the end of the stream; ITL and TPOT weighted by tokens.

    Without the server's count it takes a chunk for a token. A request without an ITL counts there as 0, with its
    weight. The rates are of all requests, whatever their outcome.
    """
    tokens = np.nan_to_num(np.where(np.isnan(a.output_tokens), a.chunks, a.output_tokens))
    ok = a.ok & (a.has_output | (tokens > 0))
    first, last, end, counted = (values[ok] for values in (a.first_ms, a.last_ms, a.end_ms, tokens))
    itl = _over(last - first, counted - 1)
    if len(present(itl)):
        itl = np.nan_to_num(itl)
    span_s = _span_s(a.sent_ms, a.sent_ms + a.end_ms)
    return _present(
        _line("Request Latency (Sec)", spread_weighted, end / 1e3),
        _line("TTFT (ms)", spread_weighted, first),
        _line("TTFOT (ms)", spread_weighted, a.answer_ms[ok]),
        _line("ITL (ms)", spread_weighted, itl, counted - 1),
        _line("TPOT (ms)", spread_weighted, _over(np.where(np.isnan(last), end, last), counted), counted),
        _line("Output Tok (Per Req)", spread_weighted, counted),
        _rate("Output Tokens (Per Sec)", tokens, span_s),
        _rate("Requests (Per Sec)", np.ones(len(present(a.sent_ms + a.end_ms))), span_s),
    )


def vllm(a: Answers) -> tuple[Line, ...]:
    """vLLM's `bench serve`: from before connecting to the last chunk with output; ITL is of the gaps themselves."""
    ok = a.ok & a.streamed & ~np.isnan(a.first_ms)
    connect, tokens = a.connect_ms[ok], a.output_tokens[ok]
    ttft, latency = connect + a.first_ms[ok], connect + a.last_ms[ok]
    span_s = _span_s(a.sent_ms - a.connect_ms, a.sent_ms + a.end_ms)
    return _present(
        _line("TTFT (ms)", spread_linear, ttft),
        _line("TPOT (ms)", spread_linear, _over(latency - ttft, tokens - 1)),
        _gaps("ITL (ms)", a),
        _line("E2EL (ms)", spread_linear, latency),
        _rate("Request throughput (req/s)", np.ones(int(ok.sum())), span_s),
        _rate("Output token throughput (tok/s)", present(tokens), span_s),
        _rate("Total token throughput (tok/s)", present(tokens + a.prompt_tokens[ok]), span_s),
    )


def _over(numerator: Array | float, denominator: Array) -> Array:
    """The quotient where the denominator is above 0, else NaN."""
    return numerator / np.where(denominator > 0, denominator, np.nan)


def _span_s(began_ms: Array, ended_ms: Array) -> float | None:
    began, ended = present(began_ms), present(ended_ms)
    span_s = float(ended.max() - began.min()) / 1e3 if len(began) and len(ended) else 0.0
    return span_s if span_s > 0 else None


def _line(name: str, spread: Callable[..., Spread], values: Array, *weights: Array) -> Line:
    return Line(name, len(present(values)), spread(values, *weights))


def _gaps(name: str, a: Answers) -> Line:
    """All gaps, pooled. Their histogram is exact to 1 %, their mean follows exactly from the first and last chunks."""
    spread = dict(spread_linear(a.gap_ms, a.gap_counts))
    n = int(a.gap_counts.sum())
    if n:
        spread["mean"] = float(np.nansum((a.last_ms - a.first_ms)[a.ok])) / n
    return Line(name, n, spread)


def _rate(name: str, amounts: Array, span_s: float | None) -> Line:
    return Line(name, len(amounts), {"mean": float(amounts.sum()) / span_s} if span_s and len(amounts) else {})


def _present(*lines: Line) -> tuple[Line, ...]:
    return tuple(line for line in lines if line.figures)


_PERCENTILES = (("p90", "p90"), ("p95", "p95"), ("p99", "p99"))
DIALECTS = {
    "aiperf": Dialect(
        "AIPerf", "0.13.0", (("avg", "mean"), ("max", "max"), ("p50", "p50"), *_PERCENTILES, ("std", "std")), aiperf
    ),
    "guidellm": Dialect("GuideLLM", "0.8.1", (("Mean", "mean"), ("Mdn", "p50"), *_PERCENTILES), guidellm),
    "vllm": Dialect("vLLM bench serve", "0.33.0", (("Mean", "mean"), ("Median", "p50"), *_PERCENTILES), vllm),
}
