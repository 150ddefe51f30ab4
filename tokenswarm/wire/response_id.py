"""The id that a server gave to an answer, as traces bear it; the reading of answers has no use for it."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import orjson

from tokenswarm.wire import framing
from tokenswarm.wire.values import Transcript

MOST_FRAMES, MOST_CHARACTERS = 4, 200  # before the first of them some servers only keep the connection alive
HOLDERS = ("response", "message")  # OpenAI's Responses and Anthropic's Messages have it in what their first event tells


def response_id(transcript: Transcript) -> str | None:
    """That in the answer's first frames, or in an answer that came whole; None where none is (Ollama has none)."""
    try:
        for _, frame, _, _ in islice(framing.frames(transcript.pieces, transcript.form), MOST_FRAMES):
            if found := _of(orjson.loads(frame)):
                return found[:MOST_CHARACTERS]
    except (framing.TooMuch, ValueError, IndexError):
        return None
    return None


def _of(said: Any) -> str:
    if not isinstance(said, Mapping):
        return ""
    places = (said, *(said.get(name) for name in HOLDERS))
    return next((one["id"] for one in places if isinstance(one, Mapping) and isinstance(one.get("id"), str)), "")
