"""Answers to an embedding request, read whole."""

from typing import Any

import orjson

from tokenswarm.metrics.interpret import interpret
from tokenswarm.wire.values import Api, Embeddings, Transcript


def answered(api: Api, frame: dict[str, Any] | bytes, status: int = 200) -> tuple[Embeddings | None, str, str]:
    """What a whole answer comes to: embeddings, outcome, error."""
    body = frame if isinstance(frame, bytes) else orjson.dumps(frame)
    seen = Transcript(((5, body),), status=status, content_type="application/json", complete=True)
    builder, judged = interpret(api, seen, stream=False)
    return builder.embeddings, *judged
