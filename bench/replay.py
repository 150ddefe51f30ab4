"""`make bench-replay`: traces replayed on the simulator, and the rows of the run against the file.

`--traces` names the folder with azure_conv_2023_first1000.csv, azure_code_2023_first1000.csv (CC-BY-4.0) and
mooncake_conversation_first400.jsonl (Apache-2.0), which are not ours to hand on. BurstGPT's form is written here, from
the Azure slice's times and lengths. Into docs/open-loop.md.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.markdown import number, table
from bench.percentiles import Spread, spread
from bench.simulated import Row, publish, rows, serving, start, temporary
from bench.traced import TICK_NS, Asked, read, sharing

# Only the limits end the answers; whatever the load, none waits for another.
SIMULATOR: tuple[str, ...] = ("--output-tokens", "30000", "--output-cv", "0", "--load-ms", "1", "--slowdown", "0")
SIMULATOR += ("--parallel", "1000", "--prefill-tps", "2000000", "--decode-tps", "200", "--context-length", "200000")
SIMULATOR += ("--cache-tokens", "50000000")
TEMPLATE_TOKENS = 14  # the simulator's, and one word: no prompt is shorter
HEADS: tuple[str, ...] = ("trace", "speed", "rows", "requests ok", "due, error ns", "late p50", "p99", "max")
HEADS += ("prompt tokens, asked", "counted", "error p50", "max", "output tokens, limit", "counted", "not the limit")
CACHE_HEADS = ("Mooncake, 400 rows", "cached, % of blocks", "% of tokens", "prompt tokens")


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay's rows in order of due times, the file's beside them, and the tokens that it had cached."""

    name: str
    speed: float
    asked: list[Asked]
    rows: list[Row]
    cached_tokens: int

    @property
    def pairs(self) -> Iterator[tuple[Asked, Row]]:
        """Each row of the file with its request."""
        return zip(self.asked, self.rows, strict=True)

    def due_error_ns(self) -> int:
        """The greatest. A request of a tick is right anywhere within it."""
        first, first_ns = self.asked[0], int(self.rows[0]["scheduled_unix_ns"])
        worst = 0.0
        for asked, row in self.pairs:
            off_ns = int(row["scheduled_unix_ns"]) - first_ns - (asked.at_ns - first.at_ns) / self.speed
            if asked.blocks:
                tick_ns = TICK_NS / self.speed
                off_ns = max(0.0, abs(off_ns) - tick_ns)
            worst = max(worst, abs(off_ns))
        return round(worst)

    def prompt_tokens(self) -> tuple[int, int, Spread]:
        """Asked for, counted by the server, and how far each prompt is off."""
        wanted = [max(asked.prompt_tokens, TEMPLATE_TOKENS) for asked in self.asked]
        counted = [int(row["prompt_tokens"]) for row in self.rows]
        return sum(wanted), sum(counted), spread([abs(a - b) for a, b in zip(wanted, counted, strict=True)])

    def cells(self) -> list[str]:
        """As the table has them."""
        late = spread([float(row["lateness_ms"]) - float(row["connect_ms"] or 0) for row in self.rows])
        wanted, counted, off = self.prompt_tokens()
        limits = sum(max(1, asked.output_tokens) for asked in self.asked)
        other = sum(max(1, asked.output_tokens) != int(row["output_tokens"]) for asked, row in self.pairs)
        ok = sum(row["outcome"] == "ok" for row in self.rows)
        cells = [self.name, f"{self.speed:g}×", str(len(self.asked)), str(ok), str(self.due_error_ns())]
        cells += [number(value, 2) for value in (late.p50, late.p99, late.max)]
        cells += [f"{wanted:,}", f"{counted:,}", number(off.p50, 0), number(off.max, 0)]
        return [*cells, f"{limits:,}", f"{sum(int(row['output_tokens']) for row in self.rows):,}", str(other)]


def replay(name: str, trace: Path, speed: float, keep: Path | None = None) -> Replayed:
    """Through Locust with two workers; `keep` is where its rows go, in order of their ends, as a requests.csv."""
    with serving(*SIMULATOR) as server, temporary() as runs:
        load = ("--trace", str(trace), "--speed", f"{speed:g}", "--max-in-flight", "1000")
        found = rows(start(server.url, runs, *load, workers=2), runs)
        cached_tokens = int(server.stats()["cached_prompt_tokens"])
    if keep:
        with keep.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(found[0]))
            writer.writeheader()
            writer.writerows(found)
    replayed = Replayed(
        name, speed, read(trace), sorted(found, key=lambda row: int(row["scheduled_unix_ns"])), cached_tokens
    )
    print(", ".join(f"{head} {cell}" for head, cell in zip(HEADS, replayed.cells(), strict=True)), flush=True)
    return replayed


def burst(trace: Path, path: Path) -> Path:
    """The same times and lengths in BurstGPT's form, the times in s."""
    asked = read(trace)[:300]
    lines = ["Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type"]
    for one in asked:
        at_s = (one.at_ns - asked[0].at_ns) / 1e9
        total = one.prompt_tokens + one.output_tokens
        lines.append(f"{at_s},ChatGPT,{one.prompt_tokens},{one.output_tokens},{total},Conversation log")
    path.write_text("\n".join(lines))
    return path


def main() -> None:
    """Replay them one after the other."""
    parser = argparse.ArgumentParser(prog="bench.replay", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--traces", type=Path, default=Path("../shared/data/traces"))
    folder = parser.parse_args().traces
    azure, mooncake = folder / "azure_conv_2023_first1000.csv", folder / "mooncake_conversation_first400.jsonl"
    with temporary() as made:
        ours = made / "requests.csv"
        done = [
            replay("Azure conversation", azure, 10, keep=ours),
            replay("Azure code", folder / "azure_code_2023_first1000.csv", 10),
            replay("BurstGPT's form", burst(azure, made / "burst.csv"), 10),
            replay("our own requests.csv", ours, 2),
            replay("Mooncake conversation", mooncake, 10),
        ]
    last = done[-1]
    file, counted = sharing(last.asked), sum(int(row["prompt_tokens"]) for row in last.rows)
    asked = sum(asked.prompt_tokens for asked in last.asked)
    cached = [
        ["the file's ids, an endless cache", number(100 * file.blocks, 2), number(100 * file.tokens, 2), f"{asked:,}"],
        ["the simulator's prompt cache", "–", number(100 * last.cached_tokens / counted, 2), f"{counted:,}"],
    ]
    publish("replay", table(HEADS, [one.cells() for one in done]) + "\n\n" + table(CACHE_HEADS, cached))


if __name__ == "__main__":
    main()
