"""The one reading of an answer: from its Transcript to what its chunks come to and how it ended."""

from collections.abc import Callable
from typing import NamedTuple

from tokenswarm.metrics.record_builder import RecordBuilder
from tokenswarm.wire import reading
from tokenswarm.wire.stretch import Stretch
from tokenswarm.wire.thinking import PAUSE
from tokenswarm.wire.values import Api, Chunk, Transcript

CHUNKS_AT_ONCE = 16
OUT_OF_TIME = reading.Verdict("cancelled", "cut: it was still being interpreted when the run ended")


class Interpreted(NamedTuple):
    """An answer as it was read."""

    builder: RecordBuilder
    verdict: reading.Verdict


def interpret(
    api: Api,
    transcript: Transcript,
    *,
    stream: bool,
    texts: int | None = None,
    prompted: bool = True,
    pause: Callable[[], bool] = lambda: True,
) -> Interpreted:
    """Read an answer to a request that asked for a `stream`, or for vectors of so many `texts`. Raises nothing.

    Not `prompted`, with nothing to answer, was a request that only has a model loaded or unloaded. `pause` is
    called first, and now and then, since a reader may take a hundred milliseconds over a long answer: where it says
    that no time is left, the rest remains unread.
    """
    builder = RecordBuilder(streamed=stream and transcript.streamed, late_stamps=transcript.late_stamps)
    if not pause():
        return Interpreted(builder, OUT_OF_TIME)
    try:
        add = builder.add
        for count, chunk in enumerate(reading.chunks(api, transcript), 1):
            if isinstance(chunk, Stretch):
                builder.add_stretch(chunk)
            else:
                add(chunk)
                if count % CHUNKS_AT_ONCE and chunk is not PAUSE:
                    continue
            if not pause():
                return Interpreted(builder, OUT_OF_TIME)
    except Exception as fault:  # noqa: BLE001 - whatever a server thinks of, its request keeps its row
        builder.failed = Chunk(0, broken=f"unreadable: {fault!r}")
    builder.end(transcript)
    verdict = reading.verdict(api, transcript, builder.describe_end(), prompted)
    if texts is not None:
        verdict = reading.vectors_for_all(verdict, builder.embeddings, texts)
    builder.habits |= reading.habits(api, transcript, builder.describe_end(), verdict, stream=stream)
    return Interpreted(builder, verdict)
