"""The clients that are Locust users (ours, plain requests, the openai SDK), run as the other tools are."""

import json
from dataclasses import replace
from pathlib import Path

from bench.believed import Believed, of_stamps
from bench.measure import Asked, clean_environment, locust_command
from bench.others import Load, run_tool
from bench.spent import Spent
from bench.truth import ROOT

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
    spent = run_tool(tool, command, folder, folder / "seen.0", more, ROOT)
    said = json.loads((folder / "seen.0").read_text())
    return replace(spent, cpu_s=said["cpu_s"], peak_mb=said["peak_mb"])


def believed(folder: Path) -> list[Believed]:
    """Each request that ended ok."""
    return [of_stamps(*seen) for seen in json.loads((folder / "seen.0").read_text())["seen"]]
