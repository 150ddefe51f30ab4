"""`python -m bench.probe_trial`: does `probe` find what a server is? The simulator with settings drawn at random.

Drawn by a seed: 1 to 16 slots, a queue of 0 to 64, decode and prefill rates over two orders of magnitude each, how much
a step slows per busy slot, prompt cache or none, the time to load. Every fifth server is OpenAI-compatible, and its
queue is of those that wait for a slot; the others are Ollama's, whose queue is of those that wait for a load.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import results
from bench.markdown import number, table
from bench.simulated import serving

DECODE_PER_S, PREFILL_PER_S = (5.0, 500.0), (100.0, 10_000.0)
RATE_PERCENT = 5.0
ROWS = {
    "slots": "parallel slots, exact",
    "queue": "queue limit, exact",
    "decode": f"decode rate, within {RATE_PERCENT:g} %",
    "prefill": f"prefill rate, within {RATE_PERCENT:g} %",
    "cache": "prompts cached or not, right",
    "cold_load": f"cold load, within {RATE_PERCENT:g} % (Ollama)",
}


@dataclass(frozen=True, slots=True)
class Server:
    """One drawn setting; `queue` is `--max-waiting` of an OpenAI-compatible server, `--max-queue` of Ollama's."""

    openai: bool
    slots: int
    queue: int
    decode: float
    prefill: float
    slowdown: float
    cache: bool
    load_ms: float

    def options(self) -> list[str]:
        """The simulator's command line."""
        named = {
            "--parallel": self.slots,
            "--max-waiting" if self.openai else "--max-queue": self.queue,
            "--decode-tps": self.decode,
            "--prefill-tps": self.prefill,
            "--slowdown": self.slowdown,
            "--load-ms": self.load_ms,
        }
        flags = [*(["--openai-only"] if self.openai else []), *([] if self.cache else ["--no-prompt-cache"])]
        return [*(f"{name}={value}" for name, value in named.items()), *flags]


def draw(seed: int, place: int) -> Server:
    """The setting at a place of the trial; the same for the same seed."""
    chance = random.Random(f"{seed} {place}")

    def over(low: float, high: float) -> float:
        return round(float(low * (high / low) ** chance.random()), 3)

    return Server(
        openai=place % 5 == 4,
        slots=chance.randint(1, 16),
        queue=chance.randint(0, 64),
        decode=over(*DECODE_PER_S),
        prefill=over(*PREFILL_PER_S),
        slowdown=round(chance.uniform(0, 0.1), 4),
        cache=chance.random() < 0.5,
        load_ms=round(over(300, 1500)),
    )


def errors(server: Server, figures: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """How far each figure is off: in requests, in %, or 1 for a wrong yes or no; None where it was not found."""

    def off(name: str, truth: float, percent: bool) -> float | None:
        value = figures[name]["value"]
        if value is None or figures[name]["at_least"]:
            return None
        return round(100 * (value / truth - 1), 3) if percent else value - truth

    found = {
        "slots": off("slots", server.slots, False),
        "queue": off("waiting_limit" if server.openai else "load_queue_limit", server.queue, False),
        "decode": off("decode_tokens_per_s", server.decode, True),
        "prefill": off("prefill_tokens_per_s", server.prefill, True),
        "cache": off("prompt_cache", server.cache, False),
    }
    return found if server.openai else {**found, "cold_load": off("cold_load_ms", server.load_ms, True)}


def run(server: Server) -> dict[str, Any]:
    """One probe in a process of its own, as a user runs it."""
    with serving(*server.options()) as simulator:
        command = [sys.executable, "-m", "tokenswarm.probe", "--host", simulator.url, "--model", "sim:latest", "--json"]
        began_s = time.monotonic()
        done = subprocess.run([*command, "--intrusive", "--max-burst", "256"], capture_output=True, text=True)
        took_s = round(time.monotonic() - began_s, 3)
    if done.returncode:
        return {"errors": dict.fromkeys(ROWS), "seconds": took_s, "said": done.stderr[-500:]}
    found = json.loads(done.stdout)
    cost = {name: found[name] for name in ("seconds", "requests", "prompt_tokens", "output_tokens")}
    return {"errors": errors(server, found["figures"]), **cost, "figures": found["figures"]}


def is_hit(name: str, error: float | None) -> bool:
    """Is a figure as good as the goal asks?"""
    return error is not None and abs(error) <= (RATE_PERCENT if name in ("decode", "prefill", "cold_load") else 0)


def summary(rows: list[dict[str, Any]]) -> str:
    """The table of hits, as Markdown, and what a probe takes."""
    cells = []
    for name, what in ROWS.items():
        found = [row["errors"][name] for row in rows if name in row["errors"]]
        known = sorted((error for error in found if error is not None), key=abs)
        worst = f"{known[-1]:+g}" if known and known[-1] else "0"
        unit = " %" if "within" in what else ""
        hits = sum(is_hit(name, error) for error in found)
        middle = number(median(map(abs, known)) if known else None, 2)
        cells.append((what, f"{hits} / {len(found)}", middle + unit, worst + unit, str(len(found) - len(known))))
    seconds = sorted(row["seconds"] for row in rows)
    tokens = median(row.get("prompt_tokens", 0) + row.get("output_tokens", 0) for row in rows)
    took = (
        f"A probe took {median(seconds):.1f} s (median; {seconds[0]:.1f} to {seconds[-1]:.1f} s), {tokens:,.0f} tokens."
    )
    return table(("figure", "hits", "median error", "worst error", "not found"), cells) + "\n\n" + took


def main() -> None:
    """Probe one server after the other, print one line each, then the table."""
    parser = argparse.ArgumentParser(prog="bench.probe_trial", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", type=int, default=100, help="stop when there are so many")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--out", type=Path, default=results.PROBES)
    parser.add_argument("--resume", action="store_true", help="go on with the file")
    given = parser.parse_args()
    known = [row for row in results.begin(given.out, resume=given.resume) if "errors" in row]
    for place in range(len(known), given.servers):
        server = draw(given.seed, place)
        row = {"place": place, "server": asdict(server), **run(server)}
        known.append(row)
        results.append(given.out, row)
        missed = [name for name, error in row["errors"].items() if not is_hit(name, error)]
        print(
            f"{place:>4} {row['seconds']:6.1f} s  {'missed ' + ', '.join(missed) if missed else 'all found'}",
            flush=True,
        )
    print(summary(known))


if __name__ == "__main__":
    main()
