"""A million random and mutated inputs, through all that reads what others wrote: only one-line errors come of them.

`python tests/hostile/fuzz.py --inputs 1000000 --seed 1` says how many a second went through each door, and names an
input that got something else out of it: by its number, with which it is tried again alone (`--only NUMBER`).
"""

import argparse
import csv
import io
import itertools
import json
import os
import random
import sys
import tempfile
import time
import traceback
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from inputs import BODIES, HEADS, PAYLOADS, TEXTS, TRACES, cut, mutate  # noqa: E402

from tokenswarm.features import offline  # noqa: E402
from tokenswarm.folder.lines import line  # noqa: E402
from tokenswarm.folder.row import COLUMNS, row  # noqa: E402
from tokenswarm.load import arrivals, trace  # noqa: E402
from tokenswarm.metrics.interpret import interpret  # noqa: E402
from tokenswarm.metrics.record import Identity  # noqa: E402
from tokenswarm.metrics.slo import language  # noqa: E402
from tokenswarm.payloads import corpus, distribution  # noqa: E402
from tokenswarm.run import stages  # noqa: E402
from tokenswarm.settings import models, options, overrides, redaction, target, weights  # noqa: E402
from tokenswarm.settings.errors import UsageError  # noqa: E402
from tokenswarm.settings.redaction import clean_record  # noqa: E402
from tokenswarm.transport.http1 import Response  # noqa: E402
from tokenswarm.wire import apis, decoding, errors  # noqa: E402
from tokenswarm.wire.values import Failure, Transcript  # noqa: E402
from tokenswarm.wire.watch import Watch  # noqa: E402

SLOW_S = 1.0
MOST_LINE = 2000  # characters of a line that a user is told
FILES = (corpus.PayloadError, trace.TraceError)
ONE_LINE = (UsageError, ArgumentTypeError, *FILES)
WHO = Identity(0, 1, "User", "/api/chat", "m", "p", 10)


class Bad(Exception):
    """What went through a door was no error of one line."""


def readers(chance: random.Random, _: Path) -> None:
    """An answer: from its pieces to its row."""
    api = chance.choice(apis.APIS)
    pieces = [(at + 1, data) for at, data in enumerate(cut(chance, mutate(chance, chance.choice(BODIES), BODIES)))]
    failure = chance.choice((None, None, Failure("closed", "x"), Failure("cancelled", "y"), Failure("protocol", "z")))
    transcript = Transcript(
        pieces,
        sent_ns=1,
        ended_ns=len(pieces) + 1,
        status=chance.choice((200, 200, 200, 404, 500)),
        content_type=chance.choice(("application/x-ndjson", "text/event-stream", "application/json", "", "text/html")),
        complete=failure is None,
        failure=failure,
    )
    texts = 1 if api in apis.EMBEDDING else None
    builder, verdict = interpret(api, transcript, stream=chance.random() < 0.8, texts=texts)
    made = line(row(clean_record(builder.record(WHO, transcript, *verdict))))
    if len(rows := list(csv.reader(io.StringIO(made.decode(), newline="")))) != 1 or len(rows[0]) != len(COLUMNS):
        raise Bad("its row is not one row")
    bodies, watch = [data for _, data in pieces], Watch(api)
    for upto in (len(bodies) // 2, len(bodies)):
        watch.end(list(range(upto)), bodies[:upto])
        watch.only_kept_alive(bodies[:upto])


def decoders(chance: random.Random, _: Path) -> None:
    """JSON, and the words of an error."""
    data = mutate(chance, chance.choice(BODIES), BODIES)
    errors.text(data)
    decoding.decode(data)


def heads(chance: random.Random, _: Path) -> None:
    """A response, as its bytes arrive."""
    response = Response(20_000)
    try:
        for number, data in enumerate(cut(chance, mutate(chance, chance.choice(HEADS), HEADS))):
            response.feed(number, data)
            if sum(map(len, response.bodies)) > 20_000:
                raise Bad("more than its bound")
        response.end_of_stream()
        response.refusal(1.0)
    finally:
        response.release()


def payload_files(chance: random.Random, folder: Path) -> None:
    """A file of prompts."""
    name = chance.choice(list(PAYLOADS))
    path = folder / (name if chance.random() < 0.8 else chance.choice(list(PAYLOADS)))
    path.write_bytes(mutate(chance, PAYLOADS[name], list(PAYLOADS.values())))
    corpus.read_corpus(path)


def trace_files(chance: random.Random, folder: Path) -> None:
    """A trace."""
    name = chance.choice(list(TRACES))
    path = folder / name
    path.write_bytes(mutate(chance, TRACES[name], list(TRACES.values())))
    for _ in itertools.islice(trace.arrivals(str(path), seed=1), 1000):
        pass


def text_of(chance: random.Random) -> str:
    texts = [text.encode() for text in TEXTS]
    return mutate(chance, chance.choice(texts), texts).decode(
        "utf-8", "surrogateescape" if chance.random() < 0.2 else "replace"
    )


def given_options() -> tuple[dict[str, Any], dict[str, Callable[[str], Any]]]:
    """All options' defaults, and the checks of those that have one."""
    kept: dict[str, dict[str, Any]] = {}

    class Parser:
        def add_argument(self, name: str, **details: Any) -> Any:
            kept[name.removeprefix("--").replace("-", "_")] = details
            return SimpleNamespace(dest=name.removeprefix("--").replace("-", "_"))

    options.add(Parser())
    defaults = {name: details.get("default") for name, details in kept.items()} | {"host": None, "run_time": None}
    files = ("api_key_file", "web_password_file", "worker_token_file")
    return defaults, {n: d["type"] for n, d in kept.items() if "type" in d and n not in files}


DEFAULTS, TYPES = given_options()
PARSERS: list[Callable[[str], object]] = [
    *(models.models, stages.parse, arrivals.parse, distribution.parse, language.several, overrides.read_overrides),
    *(lambda text: list(weights._items(text)), lambda text: target.readings(text, {}), corpus.names),
    *TYPES.values(),
]
WHOLE = ("host", "model", "weights", "stages", "arrivals", "think_time", "slo", "options", "batch_size", "trace_window")


def option_texts(chance: random.Random, _: Path) -> None:
    """The text of one option."""
    chance.choice(PARSERS)(text_of(chance))


def whole_options(chance: random.Random, _: Path) -> None:
    """Several options that stand together, as far as they are checked without a server."""
    given = {**DEFAULTS, "num_users": 1, "expect": [], "header": []}
    for name in chance.sample(WHOLE, 2):
        given[name] = text_of(chance)
        if name in TYPES:
            given[name] = TYPES[name](given[name])
    given["header"] = [text_of(chance)] if chance.random() < 0.2 else []
    try:
        offline(SimpleNamespace(**given))
    finally:
        redaction._secrets.clear()  # what stood in a header or an address, and would cost each row of the others


# What may come of each, and how many of a thousand inputs go there.
DOORS: dict[str, tuple[Callable[[random.Random, Path], None], tuple[type[Exception], ...], int]] = {
    "readers": (readers, (), 420),
    "decoders": (decoders, (ValueError,), 100),
    "heads": (heads, (ValueError,), 150),
    "payload files": (payload_files, (corpus.PayloadError,), 120),
    "trace files": (trace_files, (trace.TraceError,), 70),
    "option texts": (option_texts, (UsageError, ArgumentTypeError, ValueError), 130),
    "whole options": (whole_options, (UsageError, ArgumentTypeError), 10),
}


def one(seed: int, number: int, folder: Path) -> tuple[str, str, float]:
    """The door that an input went through, the kind of error that came ("" if none), and seconds. Raises Bad."""
    chance = random.Random(f"{seed} {number}")
    door = chance.choices(list(DOORS), [share for *_, share in DOORS.values()])[0]
    way, allowed, _ = DOORS[door]
    began_s = time.process_time()
    try:
        way(chance, folder)
        kind = ""
    except allowed as error:
        kind, text = type(error).__name__, str(error)
        told = isinstance(error, ONE_LINE)
        if isinstance(error, FILES):
            text = str(UsageError(text))  # as the user gets it
        if told and (len(text.splitlines()) != 1 or not text.strip()):
            raise Bad(f"an error of {len(text.splitlines())} lines: {text[:200]!r}") from error
        if told and len(text) > MOST_LINE:
            raise Bad(f"a line of {len(text):,} characters: {text[:80]!r}") from error
    except Bad:
        raise
    except Exception as error:
        raise Bad(f"{type(error).__name__}: {str(error)[:200]}") from error
    seconds = time.process_time() - began_s
    return door, kind, seconds


def main() -> int:
    """Exit code 0 if nothing came out but what may."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, default=None, help="this input alone, with its traceback")
    parser.add_argument("--slow", type=float, default=SLOW_S, help="seconds that one may take")
    given = parser.parse_args()
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=shared) as name:
        folder, bad = Path(name), 0
        through: Counter[str] = Counter()
        spent: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        slowest = (0.0, -1, "")
        began_s = time.perf_counter()
        for number in [given.only] if given.only is not None else range(given.inputs):
            try:
                door, kind, seconds = one(given.seed, number, folder)
            except Bad as error:
                bad += 1
                print(f"input {number} (seed {given.seed}): {error}", flush=True)
                if given.only is not None:
                    traceback.print_exc()
                if bad == 20:
                    break
                continue
            through[door] += 1
            spent[door] += seconds  # type: ignore[assignment]
            kinds[kind or "none"] += 1
            slowest = max(slowest, (seconds, number, door))
    for door, count in through.items():
        print(f"{door:<15}{count:>9,} inputs{spent[door] / count * 1e6:>9.1f} µs each")
    took_s = time.perf_counter() - began_s
    print(f"errors: {json.dumps(kinds)}; the slowest: {slowest[0]:.2f} s, input {slowest[1]} ({slowest[2]})")
    done = sum(through.values()) + bad
    print(f"{done:,} inputs in {took_s:.0f} s, {took_s / done * 1e6:.0f} s a million; seed {given.seed}; {bad} bad")
    return bool(bad or slowest[0] > given.slow)


if __name__ == "__main__":
    sys.exit(main())
