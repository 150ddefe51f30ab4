"""`python -m reports RUN_FOLDER --as TOOL`: a run folder scored by another tool's definitions, as text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenswarm.reports.dialects.definitions import DIALECTS, Dialect, Line
from tokenswarm.reports.dialects.requests import answers
from tokenswarm.reports.load import load
from tokenswarm.reports.parts.tokens import are_generations
from tokenswarm.reports.render.console import wrap
from tokenswarm.reports.render.numbers import integer, many

_NAME, _N, _FIGURE = 34, 8, 8


def report(folder: Path, tool: str) -> str:
    """The table of a tool, a key of DIALECTS, and a line on each thing that the log cannot tell. Raises ReportError."""
    run, dialect = load(folder), DIALECTS[tool]
    name = run.info.get("run") or folder.resolve().name
    frame = run.measured[are_generations(run.measured)]  # no tool knows of embeddings or management calls here
    lines = dialect.lines(answers(frame, run.gaps))
    said = [f"{name}, by the definitions of {dialect.tool} {dialect.version}", ""]
    said += _table(dialect, lines) if lines else ["No request was answered: there is nothing to score."]
    said += ["", "What this log cannot tell, or what differs (docs/metrics.md has the formulas):"]
    for limit in _limits(frame, tool):
        said += wrap(f"- {limit}", "  ")
    return "\n".join(line.rstrip() for line in said) + "\n"


def _table(dialect: Dialect, lines: tuple[Line, ...]) -> list[str]:
    heads = "".join(f"{head:>{_FIGURE}}" for head, _ in dialect.columns)
    rows = [" " * _NAME + f"{'n':>{_N}}" + heads]
    for line in lines:
        cells = (_number(line.figures.get(key)) for _, key in dialect.columns)
        rows.append(f"{line.name:{_NAME}}{integer(line.n):>{_N}}" + "".join(f"{cell:>{_FIGURE}}" for cell in cells))
    return rows


def _number(value: float | None) -> str:
    """Two decimals, as the tools print them, as long as there is room."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 9_999 else f"{value:.1f}" if value < 99_999 else f"{value:.0f}"


def _limits(frame: Any, tool: str) -> Iterator[str]:
    ok = frame[frame["outcome"] == "ok"]
    native = int(ok["endpoint"].str.startswith("/api/").sum())
    if native:
        asked = f"{many(native, 'request')} asked a server's own API"
        yield f"{asked}, which the tool does not speak: its rules all the same"
    yield (
        "arrivals are the kernel's, and sent is when we wrote: the tool's own delays (its event loop, its JSON) are in "
        "its figures, and not in these"
    )
    yield from _FAILURES[tool]
    uncounted = int(ok["output_tokens"].isna().sum())
    yield from _COUNTING[tool](uncounted)
    thinking = int((ok["thinking_chars"].fillna(0) > 0).sum())
    if tool == "vllm" and thinking:
        yield (
            f"{many(thinking, 'answer')} began with thinking: scored as if it had come as `reasoning`; in a chunk's "
            "`reasoning_content` the tool does not see it"
        )
    whole = int((ok["streamed"].fillna(0) == 0).sum())
    if whole:
        yield _WHOLE[tool].format(many(whole, "answer"))
    yield from _REST[tool]


_FAILURES = {
    "aiperf": (
        "only our outcome ok counts; the tool also takes an answer for valid that ends without [DONE], or that holds "
        "an error object after its first chunk",
    ),
    "guidellm": ("only our outcome ok counts as successful; the tool also takes an answer that ends without [DONE]",),
    "vllm": (
        "only our outcome ok counts; the tool also takes an answer for a success that ends without [DONE], or that "
        "holds an error object after its first chunk",
    ),
}


def _aiperf_counting(uncounted: int) -> Iterator[str]:
    yield (
        "tokens are the server's, as with --use-server-token-count; by default the tool counts with a tokenizer of its "
        "own" + (f"; {many(uncounted, 'request')} without a count are in no token metric" if uncounted else "")
    )


def _guidellm_counting(uncounted: int) -> Iterator[str]:
    if uncounted:
        yield f"{many(uncounted, 'request')} without the server's count: a chunk is taken for a token, as the tool does"


def _vllm_counting(uncounted: int) -> Iterator[str]:
    if uncounted:
        yield (
            f"{many(uncounted, 'request')} without the server's count are in no TPOT and no throughput; the tool would "
            "count with its tokenizer"
        )


_COUNTING = {"aiperf": _aiperf_counting, "guidellm": _guidellm_counting, "vllm": _vllm_counting}
_WHOLE = {
    "aiperf": "{} came in one piece: in the latencies of requests, not in those of tokens, as the tool does",
    "guidellm": "{} came in one piece: they count as 0 in ITL, as the tool does",
    "vllm": "{} came in one piece and are left out: the tool only knows streams",
}
_REST = {
    "aiperf": (
        "Time to Second Token: the log has the gaps of a request, not their order",
        "Inter Chunk Latency is in the tool's exports, not on its console; here to 1 %, as our histogram",
    ),
    "guidellm": (
        "the end of a request is the last byte; the tool stops at [DONE], and adds closing the stream",
        "p90 and p99 are in the tool's JSON, its console has Mean, Mdn and p95",
    ),
    "vllm": (
        "ITL is exact to 1 %, as our histogram",
        "a chunk with empty content and no role counts as a token there, and is no output here",
        "peak throughput: the log does not say in which second each chunk came",
        "the tool prints P99 alone unless --metric-percentiles asks for more, and E2EL only if asked for",
    ),
}
