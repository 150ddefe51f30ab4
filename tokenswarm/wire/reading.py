"""From a Transcript to its Chunks, and to the verdict on how the answer ended."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, cast

import orjson

from tokenswarm.wire import errors, framing
from tokenswarm.wire.apis import ALONG, GENERATING, KEYS, end_of
from tokenswarm.wire.endings import interpret_reason
from tokenswarm.wire.odd_frames import SHAPE_ERRORS, names_error, read_leniently, unknown_keys
from tokenswarm.wire.stretch import Stretch, stretches
from tokenswarm.wire.thinking import PAUSE, separate
from tokenswarm.wire.values import Api, Chunk, Embeddings, Transcript

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

_MAX_ERROR_CHARACTERS = 300
_NOTHING = ("", "{}", "[]", "null")  # in the place of an error's words
_MOST_NUMBERS = 32  # more choices than anybody asks for
_LOADS = ("load", "unload")  # Ollama's to a request without a prompt
_LABELS = {"events": ("event-stream",), "lines": ("ndjson", "jsonl", "jsonlines", "json-seq", "stream+json")}
_MAX_ERROR_PIECES = 1000
MOST_FRAMES = 262_144
FRAMES_A_PAUSE = 16


class Verdict(NamedTuple):
    """How a request ended: one of OUTCOMES, and what was wrong ("" if nothing was)."""

    outcome: str
    error: str = ""


def chunks(api: Api, transcript: Transcript) -> Iterator[Chunk | Stretch]:
    """Every frame of the answer in order, few at a time, so that a caller can take breaks.

    An unreadable frame gives a chunk with `broken` and ends the reading; so does an error object. Raises nothing.
    """
    read = _frames(api, transcript)
    along = ALONG.get(api.PATH)
    if along is None:
        return separate(read)
    singly = cast("Iterator[Chunk]", read) if _gatherer(api) is None else _singly(read)  # without one all come so
    return separate(along(singly))


def each_chunk(api: Api, transcript: Transcript) -> Iterator[Chunk]:
    """The same one at a time."""
    return _singly(chunks(api, transcript))


def _singly(found: Iterable[Chunk | Stretch]) -> Iterator[Chunk]:
    for one in found:
        yield from one.chunks() if isinstance(one, Stretch) else (one,)


def _frames(api: Api, transcript: Transcript) -> Iterator[Chunk | Stretch]:
    if transcript.status is None:
        return
    if not transcript.succeeded:
        begun = b"".join(data for _, data in transcript.pieces[:_MAX_ERROR_PIECES])
        yield Chunk(_end(transcript), error=errors.text(begun))
        return
    whole, read, loads = not transcript.streamed, api.read, orjson.loads
    if whole and transcript.failure and transcript.body_bytes > framing.MAX_FRAME_BYTES:
        return  # a huge object that was cut off is none
    choice = 0  # the number of the one that is read: the first that says anything
    numbered: bool | None = None  # is that the token's number and not the choice's?
    ended = False
    unknown: bytes | None = b""  # the first frame, until one says anything that is known
    typed = "type" in KEYS.get(api.PATH, ())
    try:
        number = 0
        for ns, frame, terminated, event in framing.frames(transcript.pieces, transcript.form, _gatherer(api)):
            number += len(frame.stamps) if type(frame) is Stretch else 1
            if number > MOST_FRAMES:
                raise framing.TooMuch(ns, f"more than {MOST_FRAMES:,} frames")
            if type(frame) is Stretch and choice == 0:
                unknown = None
                yield frame
                continue
            if event and names_error(event):
                said = errors.text(frame)
                yield Chunk(ns, error=event if said in _NOTHING else said)
                return
            if (event or not frame) and (not frame or frame.isspace() or framing.keeps_alive(event.encode())):
                if number % FRAMES_A_PAUSE == 0:
                    yield PAUSE
                continue
            try:  # the plain reading, which serves nearly all
                value = loads(frame)
                if typed and event and "type" not in value:
                    value["type"] = event  # as some say it, there alone
                chunk = read(ns, value)
            except SHAPE_ERRORS:
                pass
            else:
                if chunk.error is None and chunk.choice == choice:
                    yield chunk
                    if unknown is not None:
                        unknown = None if chunk.output or chunk.finish_reason else unknown or frame
                    continue
            for chunk in frame.chunks() if type(frame) is Stretch else read_leniently(api, ns, frame):
                if chunk.broken and (ended or not (terminated and (transcript.complete or not whole))):
                    if not ended and transcript.complete and not frame.lstrip().startswith((b"{", b"[")):
                        yield chunk  # words in place of a frame
                    return  # cut in the middle of a frame: the missing end says so, not what is left of it
                if chunk.choice != choice and (chunk.output or chunk.finish_reason):
                    if unknown is None and numbered is None:
                        numbered = _numbers_tokens(api, transcript)
                    if unknown is None and not numbered:
                        yield Chunk(ns, usage=chunk.usage, habit="other_choices")
                        continue
                    choice = chunk.choice
                yield chunk
                ended = ended or chunk.done
                if chunk.broken or chunk.error is not None:
                    return
                if unknown is not None:
                    unknown = None if chunk.output or chunk.finish_reason else unknown or frame
        if unknown and (keys := unknown_keys(api, unknown)):
            yield Chunk(_end(transcript), broken=f"frames of an unknown form (keys {keys})")
    except framing.TooMuch as error:
        yield Chunk(error.ns, broken=str(error))


def _gatherer(api: Api) -> Callable[[Sequence[framing.Piece], framing.Form], framing.Pieces] | None:
    plain = getattr(api, "plain", None)
    return None if plain is None else lambda pieces, form: stretches(pieces, form, plain)


def _numbers_tokens(api: Api, transcript: Transcript) -> bool:
    """Does a server number its chunks where the choices' numbers are? (TGI before 1.4.4.) The first of them tell."""
    numbers: list[int] = []
    for ns, frame, *_ in framing.frames(transcript.pieces, transcript.form):
        read = read_leniently(api, ns, frame) if frame.strip() else ()
        numbers.extend(chunk.choice for chunk in read if chunk.output)
        if len(numbers) >= _MOST_NUMBERS:
            break
    return len(numbers) > 2 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


class Ending(NamedTuple):
    """What the chunks of an answer say of its end: `failed` is the one with `error` or `broken`, if there was one.

    `said` is there any output, `counted` any token?
    """

    done: bool = False
    finish_reason: str | None = None
    failed: Chunk | None = None
    said: bool = False
    counted: bool = False


def verdict(api: Api, transcript: Transcript, end: Ending, prompted: bool = True) -> Verdict:
    """Judge an answer by all that was read: a 200 is no success before its end was seen.

    Success is `done:true`, on OpenAI's APIs a finish reason and `[DONE]`; a connection that breaks after that takes
    nothing away. Where the body ended as its framing promised, one of the two is enough. A finish reason that names a
    failure is one, and so is an answer to a prompt with nothing in it.
    """
    failed = end.failed
    if transcript.status is not None and not transcript.succeeded:
        text = (failed.error if failed else "") or ""
        text = f"→ {transcript.location} {text}" if transcript.location else text
        return Verdict("http_error", f"HTTP {transcript.status} {text}"[:_MAX_ERROR_CHARACTERS].strip())
    if failed and failed.error is not None:
        return Verdict("server_error", failed.error[:_MAX_ERROR_CHARACTERS])
    if failed:
        return Verdict("protocol_error", (failed.broken or "")[:_MAX_ERROR_CHARACTERS])
    if (
        end.finish_reason
        and interpret_reason(end.finish_reason) == "failure"
        and (prompted or end.finish_reason not in _LOADS)
    ):
        return Verdict("server_error", f"the answer ended with {end_of(api).reason} {end.finish_reason}")
    if not _ended(api, transcript, end):
        return _unfinished(api, transcript, end)
    if prompted and api in GENERATING and not end.said and not end.counted:
        return Verdict("protocol_error", "an answer with nothing in it: no text, no thinking, no tool call, no tokens")
    return Verdict("ok")


def _ended(api: Api, transcript: Transcript, end: Ending) -> bool:
    if end.done and (end.finish_reason or not api.done_by_sentinel):
        return True
    clean = "left_open" in transcript.habits or (transcript.complete and not transcript.failure)
    return clean and bool(end.done or end.finish_reason)


def _unfinished(api: Api, transcript: Transcript, end: Ending) -> Verdict:
    """What the transport saw decides where the body does not; what the body still lacked is said."""
    marks = ((end_of(api).done, end.done), (end_of(api).why, end.finish_reason))
    missing = " and ".join(mark for mark, there in marks if mark and not there)
    failure = transcript.failure
    if not failure:
        return Verdict("truncated", f"the body ended without {missing}")
    kinds = {"closed": "truncated", "protocol": "protocol_error"}
    said = f"{failure.text}, without {missing}" if end.done or end.finish_reason else failure.text
    return Verdict(kinds.get(failure.kind, failure.kind), said[:_MAX_ERROR_CHARACTERS])


def habits(api: Api, transcript: Transcript, end: Ending, judged: Verdict, *, stream: bool) -> set[str]:
    """What the server did otherwise than its API says (see `wire.habits`), as far as an answer's end tells."""
    found = set(transcript.habits)
    if not transcript.succeeded or not transcript.pieces:
        return found
    form, label = transcript.form, transcript.content_type
    if form != "whole" and not any(name in label for name in _LABELS[form]):
        found.add("mislabelled")
    if judged.outcome != "ok" or api not in GENERATING:
        return found
    if stream and form == "whole":
        found.add("not_streamed")
    if api.done_by_sentinel and form != "whole":
        found |= {"no_sentinel"} if not end.done else {"no_finish_reason"} if not end.finish_reason else set()
    return found


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
