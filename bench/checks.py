"""`python -m bench.checks`: what the checks of an answer cost beside reading it, and how long one of them takes.

No server and no load: answers made here are read and judged as a user's greenlet does it, in this process, again and
again; the figure is the median. Between two checks the loop has its turn if it is due, so the longest one counts.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from tokenswarm.metrics.checks.case import Asked, Case
from tokenswarm.metrics.checks.table import judge
from tokenswarm.metrics.record_builder import RecordBuilder
from tokenswarm.wire import ollama_chat, reading
from tokenswarm.wire.values import Answer, Transcript, Usage

ROUNDS, REPEATS = 15, 20
WORDS = ("the", "sea", "is", "wide", "and", "old", "nobody", "knows", "how", "deep", "it", "may", "be", "below")
SCHEMA = {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "object"}}}}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one kind of answer: µs to read it and to judge it, and the longest single check."""

    name: str
    reading_us: float
    judging_us: float
    slice_us: float


def text_of(tokens: int) -> str:
    """Ordinary text: words that never come in the same order twice."""
    return " ".join(f"{WORDS[at * at % len(WORDS)]}{at % 7 or ''}" for at in range(tokens))


def rows_of(size_bytes: int) -> str:
    """JSON of about that size."""
    row = {"id": 17, "name": "a row", "tags": ["a", "b"], "value": 1.5}
    return json.dumps({"rows": [row] * (size_bytes // len(json.dumps(row)))}, indent=1)


def streamed(text: str, tokens: int) -> Transcript:
    """An answer of Ollama, a line a token, each in a read of its own."""
    size = -(-len(text) // tokens)
    said = [{"message": {"role": "assistant", "content": text[at : at + size]}} for at in range(0, len(text), size)]
    lines = [json.dumps({"model": "m", **one, "done": False}).encode() + b"\n" for one in said]
    end = {"model": "m", "done": True, "done_reason": "stop", "prompt_eval_count": 400, "eval_count": tokens}
    pieces = [(at, line) for at, line in enumerate([*lines, json.dumps(end).encode() + b"\n"])]
    return Transcript(pieces=pieces, status=200, content_type="application/x-ndjson", complete=True)


def read(seen: Transcript) -> RecordBuilder:
    """Read an answer as `users.base` does."""
    builder = RecordBuilder(streamed=True)
    for chunk in reading.chunks(ollama_chat, seen):
        builder.add(chunk)
    return builder


def cost(name: str, text: str, tokens: int, asked: Asked) -> Cost:
    """Measure one kind of answer."""
    seen = streamed(text, tokens)
    answer, usage = Answer(text), Usage(20 + 4 * len(asked.text.split()) // 3, tokens)
    slices: list[float] = []

    def judged() -> None:
        judge(Case(asked, answer, "ok", "stop", usage))

    def sliced() -> None:
        last_ns = time.perf_counter_ns()

        def pause() -> None:
            nonlocal last_ns
            now_ns = time.perf_counter_ns()
            slices.append((now_ns - last_ns) / 1e3)
            last_ns = now_ns

        judge(Case(asked, answer, "ok", "stop", usage), pause)

    costs = Cost(name, _each_us(lambda: read(seen)), _each_us(judged), 0.0)
    longest = []
    for _ in range(ROUNDS):
        slices.clear()
        sliced()
        longest.append(max(slices))
    return Cost(name, costs.reading_us, costs.judging_us, median(longest))


def _each_us(work: Callable[[], object]) -> float:
    found = []
    for _ in range(ROUNDS):
        began_ns = time.perf_counter_ns()
        for _ in range(REPEATS):
            work()
        found.append((time.perf_counter_ns() - began_ns) / REPEATS / 1e3)
    return median(found)


def costs() -> list[Cost]:
    """The plain answer, one whose prompt is long, JSON with its schema, and the worst ones."""
    plain, prompt = Asked(10**6, text_of(60)), Asked(10**6, text_of(3000))
    asked_json = Asked(10**6, "JSON, please", SCHEMA)
    pattern = Asked(10**6, "", expect=(("regex", r"\b(\w+) \1 \1\b"),))
    return [
        cost("200 tokens of text", text_of(200), 200, plain),
        cost("the same, reproducible", text_of(200), 200, Asked(10**6, text_of(60), request=b"x" * 500)),
        cost("the same, a prompt of 3,000 words", text_of(200), 200, prompt),
        cost("the same, --expect regex", text_of(200), 200, pattern),
        cost("200 tokens of JSON, a schema", rows_of(800), 200, asked_json),
        cost("4,000 tokens of text", text_of(4000), 4000, plain),
        cost("4,000 tokens, one phrase", "I am a tree. " * 1500, 4000, plain),
        cost("100 kB of JSON, a schema", rows_of(100_000), 4000, asked_json),
        cost("100 kB of white space for JSON", "{" + (" " * 99 + "\t\n1") * 500, 4000, asked_json),
    ]


def main() -> None:
    """Measure, and print a table."""
    print(f"{'answer':<36}{'read µs':>10}{'judge µs':>10}{'share':>8}{'longest check µs':>18}")
    for one in costs():
        share = 100 * one.judging_us / one.reading_us
        print(f"{one.name:<36}{one.reading_us:>10.0f}{one.judging_us:>10.1f}{share:>7.1f}%{one.slice_us:>18.0f}")


if __name__ == "__main__":
    main()
