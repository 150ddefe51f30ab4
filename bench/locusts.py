"""The clients that are Locust users (ours, plain requests, the openai SDK), run as the other tools are."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from bench.believed import Believed
from bench.measure import Asked, clean_environment, locust_command
from bench.others import ROOT, Load, Missing, last_words
from bench.spent import Spent, spend

USERS = {
    "tokenswarm": ("OursUser", "bench/clients.py"),
    "requests": ("PlainRequestsUser", "bench/clients.py"),
    "openai": ("OpenAISdkUser", "bench/openai_user.py"),
}


def run(tool: str, load: Load, folder: Path, python: Path) -> Spent:
    """One run of one Locust process, which leaves `folder/seen.0` (see `bench.clients`). Raises Missing.

    The cost is what the process says of itself before it reads its answers again for the comparison.
    """
    user, locustfile = USERS[tool]
    asked = Asked(client=user, streams=load.streams, tokens=load.tokens, requests=load.requests // load.streams)
    command = [str(python), *locust_command(asked, load.url, folder / "runs", locustfile)[1:]]
    more = clean_environment(BENCH_SEEN=str(folder / "seen"), BENCH_REQUESTS=str(asked.requests))
    log = folder / f"{tool}.log"
    spent = spend(command, cwd=ROOT, log=log, limit_s=load.limit_s, environment=more)
    if spent.exit_code != 0 or not (folder / "seen.0").exists():
        raise Missing(f"locust ended with {spent.exit_code}; its last words: {last_words(log)}")
    said = json.loads((folder / "seen.0").read_text())
    return replace(spent, cpu_s=said["cpu_s"], peak_mb=said["peak_mb"])


def believed(folder: Path) -> list[Believed]:
    """Each request that ended ok."""
    return [
        Believed(
            key=request_id,
            ttft_ms=(arrivals[0] - sent_ns) / 1e6,
            gaps_ms=tuple((b - a) / 1e6 for a, b in pairwise(arrivals)),
            end_ms=(ended_ns - sent_ns) / 1e6,
            to_last_byte=True,
        )
        for request_id, sent_ns, arrivals, ended_ns in json.loads((folder / "seen.0").read_text())["seen"]
    ]
