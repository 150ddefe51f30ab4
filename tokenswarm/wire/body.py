"""The body of a request: JSON, without the fields that were given as null."""

from collections.abc import Mapping
from typing import Any

import orjson


def encode_body(body: dict[str, Any], given: Mapping[str, object]) -> bytes:
    """The body as JSON. A field that was given as None is left out of it, whoever else sets it."""
    for name, value in given.items():
        if value is None:
            body.pop(name, None)
    return orjson.dumps(body)
