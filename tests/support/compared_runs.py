"""Run folders to compare: a closed loop on a made-up server whose speed is known."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

from golden.make import MS, RUN, ZERO_NS, folder, identity, ollama

from tokenswarm.metrics.record import Record
from tokenswarm.wire.values import Usage

VALID: dict[str, Any] = {
    **RUN,
    "seed": 3,
    "options": {"model": "sim:latest", "num_users": 4, "payloads": "chat", "arrivals": "", "stages": "", "seed": 3},
    "workers": [{"worker": 0, "host": "box", "cpus": 2, "payloads": "c4eb69e5b26c", "code": "490483dfc308"}],
    "validity": {"verdict": "VALID", "findings": []},
}
USERS, PROMPTS = 4, 16


def records(server: int, n: int = 400, slower: float = 0.0, stretch: float = 1.0, **changes: Any) -> list[Record]:
    """`n` requests of four users for sixteen prompts of 10 to 85 tokens, 10 ms a token but for 3 % of noise.

    `stretch` makes the answers longer, `slower` each token; the order of prompts is always the same.
    """
    noise, asked = random.Random(server), random.Random(5)
    free_ms, made = [0.0] * USERS, []
    for number in range(n):
        user = free_ms.index(min(free_ms))
        prompt = asked.randrange(PROMPTS)
        tokens = round((10 + 5 * prompt) * stretch)
        tpot_ms = 10 * (1 + slower) * noise.lognormvariate(0, 0.03)
        ttft_ms = 100 * noise.lognormvariate(0, 0.05)
        made.append(_record(number, f"p{prompt}", free_ms[user], ttft_ms, tpot_ms, tokens, changes))
        free_ms[user] += ttft_ms + tpot_ms * (tokens - 1) + 5
    return made


def _record(
    number: int, prompt: str, at_ms: float, ttft_ms: float, tpot_ms: float, tokens: int, changes: dict[str, Any]
) -> Record:
    sent = ZERO_NS + round(at_ms * MS)
    first = sent + round(ttft_ms * MS)
    last = first + round(tpot_ms * (tokens - 1) * MS)
    usage = Usage(
        prompt_tokens=20,
        output_tokens=tokens,
        total_ns=last - sent,
        prompt_eval_ns=first - sent,
        eval_ns=last - first,
        source="eval_count",
    )
    who = replace(identity(number), prompt_id=prompt)
    moments = {"first_byte_ns": first, "first_output_ns": first, "first_answer_ns": first, "last_output_ns": last}
    record = ollama(number, sent_ns=sent, ended_ns=last, usage=usage, output_chunks=tokens, identity=who, **moments)
    return replace(record, **changes)


def run(path: Path, server: int, info: dict[str, Any] | None = None, **changes: Any) -> Path:
    """A run folder of it; `info` changes its run.json."""
    return folder(path, records(server, **changes), {**VALID, "run": path.name, **(info or {})})
