"""From a Transcript to its Chunks, and to the verdict on how the answer ended."""

from collections.abc import Iterator
from typing import NamedTuple

import orjson

from tokenswarm.wire import (
    framing,
    ollama_chat,
    ollama_embed,
    ollama_generate,
    openai_chat,
    openai_completions,
    openai_embeddings,
)
from tokenswarm.wire.decoding import decoded, printable, values
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
_MAX_ERROR_BYTES = 64 * 1024
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
        yield Chunk(_end(transcript), error=error_text(b"".join(data for _, data in transcript.pieces)))
        return
    whole = not transcript.streamed
    try:
        cut = framing.frames(transcript.pieces, transcript.content_type)
        for number, (ns, frame, terminated, _event) in enumerate(cut, 1):
            if number > MOST_FRAMES:
                raise framing.TooMuch(ns, f"more than {MOST_FRAMES:,} frames")
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
        return (Chunk(ns, broken=f"not JSON: {frame[:60]!r}"),)


def _read(api: Api, ns: int, value: object, frame: bytes) -> Chunk:
    if type(value) is not dict:
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


def error_text(body: bytes) -> str:
    """The message in an error body: a string, an object (/v1), JSON nested in a string, plain text, or nothing."""
    text = body[:_MAX_ERROR_BYTES].decode("utf-8", "replace").strip()
    for _ in range(3):
        try:
            said = decoded(text.encode())
        except ValueError:
            break
        while isinstance(said, dict):
            inner = next((said[key] for key in ("error", "message", "detail") if said.get(key)), None)
            if inner is None:
                return printable(text)
            said = inner
        if not isinstance(said, str):
            break
        text = said
    return printable(text)


def _end(transcript: Transcript) -> int:
    """When the last byte came, ns; 0 for an empty body without an end."""
    return transcript.pieces[-1][0] if transcript.pieces else transcript.ended_ns or 0
