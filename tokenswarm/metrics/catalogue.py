"""METRICS: every number there is of a request, on one screen. A new metric is a new row here, and nothing else.

From here a metric reaches requests.csv, Locust's statistics (`ui`), the report and the glossary by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tokenswarm.metrics.checks.table import CHECKS, Check
from tokenswarm.metrics.histogram import encode
from tokenswarm.metrics.record import Record

Number = float | int | None
# Engines that say how long a request's prefill and decoding took, and not how long it waited before: that is derived.
QUEUE_DERIVED = frozenset({"llama.cpp"})


@dataclass(frozen=True, slots=True)
class Metric:
    """A number of one request. `of` gives None where the request does not have it.

    `kind`: `duration` and `rate` have percentiles, `count` also a total, `histogram` is text made by
    `metrics.histogram` whose pooled percentiles are those of the name without `_hist`, `check` is 1 where the answer
    failed the check and 0 where it passed.
    """

    name: str
    kind: str
    definition: str
    of: Callable[[Record], Number | str]
    ui: bool = False


def _ms(end_ns: int | None, start_ns: int | None) -> float | None:
    return None if end_ns is None or start_ns is None else (end_ns - start_ns) / 1e6


def _as_ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else duration_ns / 1e6


def _rate(count: int | None, duration_ns: int | None) -> float | None:
    return None if count is None or not duration_ns or duration_ns < 0 else count / duration_ns * 1e9


def tpot_ms(r: Record) -> float | None:
    tokens = r.usage.output_tokens
    if tokens is None or tokens < 2 or r.output_chunks < 2:
        return None
    span = _ms(r.last_output_ns, r.first_output_ns)
    return span / (tokens - 1) if span else None


def queue_ms(r: Record) -> float | None:
    u = r.usage
    if u.queue_ns is not None:
        return u.queue_ns / 1e6
    if u.engine in QUEUE_DERIVED:
        return _wait_before_prefill_ms(r)
    if u.total_ns is None or r.identity.batch_size is not None:
        return None
    return (u.total_ns - (u.load_ns or 0) - (u.prompt_eval_ns or 0) - (u.eval_ns or 0)) / 1e6


def _wait_before_prefill_ms(r: Record) -> float | None:
    """TTFT without the prefill; where tokens before the first output were withheld, E2E without prefill and decoding.

    Absent when not streamed, or buffered: then nothing tells the wait from what came after the last token. Absent, too,
    where the prefill is said to have taken longer than until the first output.
    """
    u, ttft, e2e = r.usage, _ms(r.first_output_ns, r.sent_ns), _ms(r.ended_ns, r.sent_ns)
    if not r.streamed or ttft is None or e2e is None or u.prompt_eval_ns is None or u.eval_ns is None:
        return None
    wait = min(ttft, e2e - u.eval_ns / 1e6) - u.prompt_eval_ns / 1e6
    return wait if wait >= 0 else None


def rest_ms(r: Record) -> float | None:
    e2e = _ms(r.ended_ns, r.sent_ns)
    if e2e is None:
        return None
    u = r.usage
    if u.total_ns is not None:
        return e2e - u.total_ns / 1e6
    if u.prompt_eval_ns is None or (u.eval_ns is u.queue_ns is None):
        return None
    return e2e - (queue_ms(r) or 0) - ((u.load_ns or 0) + u.prompt_eval_ns + (u.eval_ns or 0)) / 1e6


def decode_tokens_per_s(r: Record) -> float | None:
    tokens = r.usage.output_tokens
    return None if tokens is None or tokens < 2 else _rate(tokens - 1, r.usage.eval_ns)


def eval_tokens_per_s(r: Record) -> float | None:
    tokens = r.usage.output_tokens
    return None if tokens is None or tokens < 2 else _rate(tokens, r.usage.eval_ns)


def prompt_tokens_per_s(r: Record) -> float | None:
    evaluated = (r.usage.prompt_tokens or 0) - (r.usage.cached_tokens or 0)
    return _rate(evaluated, r.usage.prompt_eval_ns) if evaluated > 0 else None


def output_tokens_per_s(r: Record) -> float | None:
    span_ns = None if r.ended_ns is None or r.first_output_ns is None else r.ended_ns - r.first_output_ns
    return _rate(r.usage.output_tokens, span_ns)


def embed_tokens_per_s(r: Record) -> float | None:
    if r.embeddings is None:
        return None
    u = r.usage
    if u.total_ns is not None:
        return _rate(u.prompt_tokens, u.total_ns - (u.load_ns or 0))
    return _rate(u.prompt_tokens, None if r.ended_ns is None or r.sent_ns is None else r.ended_ns - r.sent_ns)


def vectors_per_s(r: Record) -> float | None:
    if r.embeddings is None or r.ended_ns is None or r.sent_ns is None:
        return None
    return _rate(r.embeddings.vectors, r.ended_ns - r.sent_ns)


def tokens_per_chunk(r: Record) -> float | None:
    tokens, chunks = r.usage.output_tokens, r.output_chunks
    return tokens / chunks if r.streamed and tokens and chunks else None


def _of(check: Check) -> Metric:
    return Metric(check.name, "check", check.definition, lambda r: r.judged.failed.get(check.name))


METRICS: tuple[Metric, ...] = (
    Metric("lateness_ms", "duration", "sent − scheduled; open loop only", lambda r: _ms(r.sent_ns, r.scheduled_ns)),
    Metric("connect_ms", "duration", "opening the connection (TCP, TLS), before sent; absent when it was open "
        "already; for a refused request the time until the refusal", lambda r: _as_ms(r.connect_ns)),
    Metric("first_byte_ms", "duration", "first byte of the body − sent", lambda r: _ms(r.first_byte_ns, r.sent_ns)),
    Metric("ttft_ms", "duration", "arrival of the first chunk with output (thinking, text or a tool call) − sent; not "
        "headers, not a role-only, empty or tag-only chunk; absent when not streamed, or buffered",
        lambda r: _ms(r.first_output_ns, r.sent_ns), ui=True),
    Metric("ttfa_ms", "duration", "arrival of the first chunk with answer text or a tool call − sent: after the "
        "thinking; absent when not streamed, or buffered", lambda r: _ms(r.first_answer_ns, r.sent_ns), ui=True),
    Metric("itl_ms_hist", "histogram", "itl_ms: every gap between consecutive chunks with output, pooled over "
        "requests, exact to 1 %; a gap is a chunk gap (see tokens_per_chunk); absent when buffered",
        lambda r: encode(r.gaps)),
    Metric("longest_gap_ms", "duration", "the longest gap between consecutive chunks with output of the request; "
        "absent when buffered", lambda r: _as_ms(r.longest_gap_ns)),
    Metric("tpot_ms", "duration", "(last output chunk − first output chunk) / (output tokens − 1); absent under 2 "
        "tokens or 2 chunks, when all chunks came at once, or buffered", tpot_ms, ui=True),
    Metric("e2e_ms", "duration", "the answer's end − sent: its last byte, or where the body is left open the read "
        "that bore its own end (done:true, [DONE], a finish reason); of a failed request until it failed",
        lambda r: _ms(r.ended_ns, r.sent_ns)),
    Metric("response_ms", "duration", "last byte − scheduled; open loop only",
        lambda r: _ms(r.ended_ns, r.scheduled_ns)),
    Metric("prompt_tokens", "count", "the server's own count (prompt_eval_count, usage.prompt_tokens), cached ones "
        "included", lambda r: r.usage.prompt_tokens, ui=True),
    Metric("cached_tokens", "count", "prompt tokens that the server says it had cached (prompt_eval_cached_count, "
        "usage.prompt_tokens_details.cached_tokens, cache_read_input_tokens, cache_n); absent where it does not say, "
        "as with an Ollama before 0.33.3", lambda r: r.usage.cached_tokens),
    Metric("output_tokens", "count", "the server's own count (eval_count, usage.completion_tokens), thinking and stop "
        "tokens included; never the number of chunks", lambda r: r.usage.output_tokens, ui=True),
    Metric("reasoning_tokens", "count", "output tokens that the server says were reasoning "
        "(completion_tokens_details.reasoning_tokens); in output_tokens also where it counts them beside "
        "completion_tokens (xAI)", lambda r: r.usage.reasoning_tokens),
    Metric("output_chunks", "count", "chunks with output that arrived; absent when not streamed",
        lambda r: r.output_chunks if r.streamed else None),
    Metric("unread_chunks", "count", "chunks that held something under a name that nobody here reads, and no output: "
        "they count in no time", lambda r: r.unread_chunks),
    Metric("tokens_per_chunk", "rate", "output_tokens / output_chunks; absent when not streamed", tokens_per_chunk),
    Metric("eval_tokens_per_s", "rate", "eval_count / eval_duration × 1e9: the rate as Ollama documents it; absent "
        "under 2 tokens, for which it reports 1000 ns", eval_tokens_per_s, ui=True),
    Metric("decode_tokens_per_s", "rate", "(eval_count − 1) / eval_duration × 1e9: the unbiased decode rate, since "
        "eval_duration spans eval_count − 1 intervals; absent under 2 tokens", decode_tokens_per_s, ui=True),
    Metric("prompt_tokens_per_s", "rate", "(prompt_tokens − cached_tokens) / prompt_eval_duration × 1e9; absent where "
        "all were cached; with an Ollama before 0.33.3, which does not say what was, a prefill speed only when "
        "nothing was cached", prompt_tokens_per_s, ui=True),
    Metric("output_tokens_per_s", "rate", "the client's: output tokens / (last byte − first output chunk)",
        output_tokens_per_s),
    Metric("total_ms", "duration", "Ollama's total_duration: handler start to done, waits included",
        lambda r: _as_ms(r.usage.total_ns)),
    Metric("queue_ms", "duration", "total_duration − load_duration − prompt_eval_duration − eval_duration: the wait "
        "in the server's queue, for which Ollama has no field (4–28 ms idle), or vLLM's queue_time_ms; derived of "
        "llama.cpp, which says no queue: TTFT − prompt_eval (or E2E − prompt_eval − eval, if less), so with the "
        "network's way in it; absent of embedding requests, whose work is not told apart from the wait, and of other "
        "servers", queue_ms, ui=True),
    Metric("load_ms", "duration", "Ollama's load_duration: until a loaded model was at hand, the wait behind other "
        "loads included; LM Studio's model_load_time_seconds", lambda r: _as_ms(r.usage.load_ns), ui=True),
    Metric("prompt_eval_ms", "duration", "Ollama's prompt_eval_duration, llama.cpp's prompt_ms, vLLM's "
        "time_to_first_token_ms (which counts from scheduling), LM Studio's time_to_first_token: the prefill that was "
        "really done", lambda r: _as_ms(r.usage.prompt_eval_ns), ui=True),
    Metric("eval_ms", "duration", "Ollama's eval_duration, llama.cpp's predicted_ms, vLLM's generation_time_ms, LM "
        "Studio's generation_time, or its tokens by tokens_per_second: first to last token",
        lambda r: _as_ms(r.usage.eval_ns), ui=True),
    Metric("rest_ms", "duration", "e2e − the server's own durations: network, client, and what the server does not "
        "account for", rest_ms),
    Metric("batch_size", "count", "texts in one embedding request", lambda r: r.identity.batch_size),
    Metric("vectors", "count", "vectors in the answer to an embedding request",
        lambda r: r.embeddings.vectors if r.embeddings else None, ui=True),
    Metric("dimension", "rate", "numbers in the first vector of the answer",
        lambda r: r.embeddings.dimension if r.embeddings else None),
    Metric("bad_vectors", "count", "vectors of another dimension than the answer's first, or with anything but finite "
        "numbers, or all zeros", lambda r: r.embeddings.bad if r.embeddings else None),
    Metric("vectors_per_s", "rate", "the client's: vectors / e2e of the request", vectors_per_s, ui=True),
    Metric("embed_tokens_per_s", "rate", "prompt tokens of an embedding request / (total_duration − load_duration) × "
        "1e9: the wait for a slot included; / e2e where the server gives no durations (/v1)", embed_tokens_per_s),
    Metric("text_chars", "count", "characters of answer text", lambda r: r.text_chars),
    Metric("thinking_chars", "count", "characters of thinking", lambda r: r.thinking_chars),
    Metric("tool_calls", "count", "tool calls in the answer", lambda r: r.tool_calls),
    Metric("coalesced_chunks", "count", "output chunks that came in the same read as the one before, so that their "
        "gap shows as 0", lambda r: r.coalesced_chunks),
    Metric("buffered", "count", "1 where most of the stream's chunks came in lumps (within 0.25 ms of each other): "
        "then they were held back somewhere, by a proxy or by the server itself, and their times are no measurement; "
        "0 where not; absent when not streamed, or under 3 chunks",
        lambda r: None if r.buffered is None else int(r.buffered)),
    Metric("late_chunks", "count", "coalesced_chunks that lay in the kernel for more than 1 ms before they were read: "
        "merged perhaps because this client was late, not because they were sent together", lambda r: r.late_chunks),
    Metric("reads", "count", "reads that gave bytes", lambda r: r.reads),
    Metric("late_reads", "count", "reads more than 1 ms after the kernel had (the last of) their bytes",
        lambda r: r.late_reads),
    Metric("read_lag_ms", "duration", "the longest that a read came after the kernel had (the last of) its bytes; it "
        "shifts no arrival time, as the stamp is the kernel's", lambda r: _as_ms(r.read_lag_ns)),
    Metric("turnaround_ms", "duration", "last byte → the user went on: its next request left, or else the answer was "
        "interpreted; the client's own share of the time between two requests; absent for a user with a wait time or a "
        "schedule, which takes it in",
        lambda r: _ms(r.interpreted_ns, r.ended_ns)),
    Metric("resends", "count", "times the request met an idle connection that the server was just closing, and was "
        "sent again; its times count from the first", lambda r: r.resends),
    Metric("clock_stamps", "count", "reads without a kernel time stamp, dated by the process's clock",
        lambda r: r.clock_stamps),
    Metric("clock_step_ms", "duration", "how far the wall clock ran off the monotonic one during the request",
        lambda r: r.clock_step_ns / 1e6),
    *map(_of, CHECKS),
)  # fmt: skip
