"""From a Transcript to its Chunks, and to the verdict on how the answer ended."""

from collections.abc import Iterator
from typing import NamedTuple

import orjson

from tokenswarm.wire import (
    errors,
    framing,
    ollama_chat,
    ollama_embed,
    ollama_generate,
    openai_chat,
    openai_completions,
    openai_embeddings,
)
from tokenswarm.wire.decoding import decoded, values
from tokenswarm.wire.thinking import PAUSE, separate
from tokenswarm.wire.values import Api, Chunk, Embeddings, Transcript

GENERATING: tuple[Api, ...] = (ollama_chat, ollama_generate, openai_chat, openai_completions)
EMBEDDING: tuple[Api, ...] = (ollama_embed, openai_embeddings)
APIS: tuple[Api, ...] = (*GENERATING, *EMBEDDING)

OUTCOMES = (
    "ok",
    "http_error",
    "refused",
    "timeout",
    "truncated",
    "protocol_error",
    "server_error",
    "cancelled",
    "dropped",
)

_SHAPE_ERRORS = (TypeError, KeyError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError)
_MAX_ERROR_CHARACTERS = 300
_MOST_SHOWN, _MOST_KEYS = 4096, 100
# By one of which a frame of an API is known.
_KEYS = {
    **dict.fromkeys((openai_chat.PATH, openai_completions.PATH), ("choices",)),
    ollama_chat.PATH: ("message", "done"),
    ollama_generate.PATH: ("response", "done"),
}
MOST_FRAMES = 262_144
FRAMES_A_PAUSE = 16


class Verdict(NamedTuple):
    """How a request ended: one of OUTCOMES, and what was wrong ("" if nothing was)."""

    outcome: str
    error: str = ""


def chunks(api: Api, transcript: Transcript) -> Iterator[Chunk]:
    """Every frame of the answer in order, one at a time, so that a caller can take breaks.

    An unreadable frame gives a chunk with `broken` and ends the reading; so does an error object. Raises nothing.
    """
    return separate(_frames(api, transcript))


def _frames(api: Api, transcript: Transcript) -> Iterator[Chunk]:
    if transcript.status is None:
        return
    if transcript.status != 200:
        yield Chunk(_end(transcript), error=errors.text(b"".join(data for _, data in transcript.pieces)))
        return
    whole = not transcript.streamed
    unknown: bytes | None = b""  # the first frame, until one says anything that is known
    try:
        cut = framing.frames(transcript.pieces, transcript.content_type)
        for number, (ns, frame, terminated, event) in enumerate(cut, 1):
            if number > MOST_FRAMES:
                raise framing.TooMuch(ns, f"more than {MOST_FRAMES:,} frames")
            if event and _names_error(event) and not frame.isspace():
                yield Chunk(ns, error=errors.text(frame) or event)
                return
            said = () if not frame or frame.isspace() else _decode(api, ns, frame)
            if not said and number % FRAMES_A_PAUSE == 0:
                yield PAUSE
            for chunk in said:
                if chunk.broken and not (terminated and (transcript.complete or not whole)):
                    return  # cut in the middle of a frame: the missing end says so, not what is left of it
                if whole and api.done_by_sentinel and chunk.finish_reason:
                    chunk = chunk._replace(done=True)  # an answer in one piece has no [DONE]
                yield chunk
                if chunk.broken or chunk.error is not None:
                    return
                if unknown is not None:
                    unknown = None if chunk.output or chunk.finish_reason else unknown or frame
        if unknown and (keys := _unknown_keys(api, unknown)):
            yield Chunk(_end(transcript), broken=f"frames of an unknown form (keys {keys})")
    except framing.TooMuch as error:
        yield Chunk(error.ns, broken=str(error))


def _decode(api: Api, ns: int, frame: bytes) -> tuple[Chunk, ...]:
    """The chunk of a frame; of one that holds several JSON values, one each."""
    try:
        return (_read(api, ns, orjson.loads(frame), frame),)
    except orjson.JSONDecodeError:
        pass
    if api.done_by_sentinel and frame.strip() == b"[DONE]":
        return (Chunk(ns, done=True),)
    try:
        return tuple(_read(api, ns, value, frame) for value in values(frame))
    except ValueError:
        pass
    start = frame[:_MOST_SHOWN].decode("utf-8", "replace")
    if errors.is_page(start):
        return (Chunk(ns, broken=f"not JSON: {errors.page(start)}"),)
    return (Chunk(ns, broken=f"not JSON: {frame[:60]!r}"),)


def _names_error(event: str) -> bool:
    """Does the name of a server-sent event say that it is an error?"""
    return "error" in event or event in ("exception", "failed", "failure", "abort")


def _unknown_keys(api: Api, frame: bytes) -> str:
    """The names that stand in an object which is no frame of the API; "" if it is one."""
    keys = _KEYS.get(api.PATH)
    try:
        said = decoded(frame)
    except ValueError:
        return ""
    if keys is None or not isinstance(said, dict) or any(key in said for key in keys):
        return ""
    return ", ".join(map(str, said))[:_MOST_KEYS]


def _read(api: Api, ns: int, value: object, frame: bytes) -> Chunk:
    if type(value) is not dict:
        if value is None or isinstance(value, bool | int | float):
            return Chunk(ns)  # says nothing, as some keep a connection alive
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            return _read(api, ns, value[0], frame)  # Google's form
        return Chunk(ns, broken=f"not a JSON object: {frame[:60]!r}")
    try:
        return api.read(ns, value)
    except _SHAPE_ERRORS as error:
        return Chunk(ns, broken=f"unexpected shape ({error}): {frame[:60]!r}")


def verdict(api: Api, transcript: Transcript, done: bool, finish_reason: str | None, failed: Chunk | None) -> Verdict:
    """Judge an answer by all that was read: a 200 is no success before its end was seen.

    `failed` is the chunk with `error` or `broken`, if there was one. Success is `done:true`, on OpenAI's APIs a finish
    reason and `[DONE]`; a connection that breaks after that takes nothing away.
    """
    if transcript.status is not None and transcript.status != 200:
        text = (failed.error if failed else "") or ""
        text = f"→ {transcript.location} {text}" if transcript.location else text
        return Verdict("http_error", f"HTTP {transcript.status} {text}"[:_MAX_ERROR_CHARACTERS].strip())
    if failed and failed.error is not None:
        return Verdict("server_error", failed.error[:_MAX_ERROR_CHARACTERS])
    if failed:
        return Verdict("protocol_error", (failed.broken or "")[:_MAX_ERROR_CHARACTERS])
    if done and (finish_reason or not api.done_by_sentinel):
        return Verdict("ok")
    failure = transcript.failure
    if failure and failure.kind != "closed":
        outcome = "protocol_error" if failure.kind == "protocol" else failure.kind
        return Verdict(outcome, failure.text[:_MAX_ERROR_CHARACTERS])
    if failure:
        return Verdict("truncated", failure.text[:_MAX_ERROR_CHARACTERS])
    expected = "[DONE] and a finish reason" if api.done_by_sentinel else "done:true"
    return Verdict("truncated", f"the body ended without {expected}")


def vectors_for_all(judged: Verdict, seen: Embeddings | None, asked: int) -> Verdict:
    """The verdict on an embedding request of that many texts: fewer or more vectors than texts are no success.

    Ollama answers a request whose only text is empty with no vector at all, and status 200.
    """
    vectors = seen.vectors if seen else 0
    if judged.outcome != "ok" or vectors == asked:
        return judged
    return Verdict("protocol_error", f"{vectors} vectors for {asked} texts")


def _end(transcript: Transcript) -> int:
    """When the last byte came, ns; 0 for an empty body without an end."""
    return transcript.pieces[-1][0] if transcript.pieces else transcript.ended_ns or 0
