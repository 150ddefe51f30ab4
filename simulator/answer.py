"""A request and an answer that come whole: what the endpoints that generate nothing take and give."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.gojson import encode

JSON = b"application/json; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """One HTTP request, body and all; header names in lower case."""

    method: str
    path: str
    headers: Mapping[bytes, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def said(value: Any, status: int = 200) -> Answer:
    """An answer of one JSON value, as Ollama's native API gives it."""
    return Answer(status, encode(value))


def failed(status: int, message: str) -> Answer:
    """An error of Ollama's native API."""
    return said({"error": message}, status)
