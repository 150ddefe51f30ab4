"""The recorded answers of real servers, as Transcripts, cut wherever a test wants."""

import itertools
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.record_builder import RecordBuilder
from tokenswarm.transport.http1 import Response
from tokenswarm.wire import apis, reading
from tokenswarm.wire.values import Api, Chunk, Failure, Transcript

FOLDER = Path(__file__).parents[3] / "shared" / "captures"
APIS: dict[str, Api] = {api.PATH: api for api in apis.APIS}


@cache
def load() -> dict[str, dict[str, Any]]:
    """All exchanges with one of the APIs, by name; skips (in CI: fails) where the recordings are not at hand."""
    if not FOLDER.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"no recordings in {FOLDER}")
        pytest.skip("the recordings of real servers are not beside this checkout")
    exchanges = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
    return {name: e for name, e in exchanges.items() if e["method"] == "POST" and e["path"] in APIS}


def transcript(exchange: dict[str, Any], cuts: list[int] | None = None) -> Transcript:
    """An exchange played back through llhttp, cut at byte positions (default: where it was when it was recorded)."""
    raw = exchange["response_latin1"].encode("latin-1")
    if cuts is None:
        cuts, at = [], 0
        for _, size in exchange["reads"]:
            at += size
            cuts.append(at)
    response = Response()
    edges = [0, *cuts, len(raw)]
    for number, (start, stop) in enumerate(itertools.pairwise(edges), start=1):
        if stop > start:
            response.feed(number * 1_000_000, raw[start:stop])
    failure = None
    if not response.complete and not response.end_of_stream():
        failure = Failure("closed", "the server closed the connection in the middle of the answer")
    return Transcript(
        pieces=list(zip(response.stamps, response.bodies, strict=True)),
        sent_ns=0,
        ended_ns=len(edges) * 1_000_000,
        status=response.status,
        content_type=response.content_type,
        complete=response.complete,
        failure=failure,
    )


def timed(exchange: dict[str, Any]) -> Transcript:
    """An exchange as it was: each read at its time, counted from when the request was sent."""
    response, raw, at = Response(), exchange["response_latin1"].encode("latin-1"), 0
    for ms, size in exchange["reads"]:
        response.feed(round(ms * 1e6), raw[at : at + size])
        at += size
    return Transcript(
        pieces=list(zip(response.stamps, response.bodies, strict=True)),
        sent_ns=0,
        ended_ns=response.stamps[-1] if response.stamps else None,
        status=response.status,
        content_type=response.content_type,
        complete=response.complete,
    )


def read(api: Api, seen: Transcript, prompted: bool = True) -> tuple[list[Chunk], RecordBuilder, reading.Verdict]:
    """Chunks, what they come to, and the verdict."""
    return list(reading.each_chunk(api, seen)), *interpret(api, seen, stream=True, prompted=prompted)
