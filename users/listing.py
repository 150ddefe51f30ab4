"""What a server has in memory, as /api/ps says: asked over one connection of its own, beside the load."""

import json
from dataclasses import dataclass
from typing import Any

from metrics.loading import Memory
from users.exchange import Exchange
from users.http1 import request_bytes
from users.settings import Settings
from users.transport import Timeouts, Transport
from wire.values import Call

HEADERS = (("Accept", "application/json"),)


class Unanswered(Exception):
    """The server gave no proper answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory; sizes in bytes, `expires_at` as the server wrote it."""

    model: str
    size_bytes: int | None
    size_vram_bytes: int | None
    context_length: int | None
    expires_at: str


class Listing:
    """Asks for small JSON objects, one after the other, on a kept connection."""

    def __init__(self, settings: Settings, patience_s: float) -> None:
        self._settings = settings
        timeouts = Timeouts(min(patience_s, settings.timeouts.connect_s), patience_s, patience_s)
        self._transport = Transport(settings.target.host, settings.target.port, timeouts, settings.tls)

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path. Raises Unanswered."""
        return self.ask(Call("GET", path, HEADERS, b""))

    def ask(self, call: Call) -> dict[str, Any]:
        """The JSON object that answers a call. Raises Unanswered."""
        s, exchange = self._settings, Exchange()
        self._transport.run(exchange, request_bytes(call, s.target, s.headers))
        if exchange.failure:
            raise Unanswered(f"{exchange.failure.kind}: {exchange.failure.text}")
        if exchange.response.status != 200:
            raise Unanswered(f"HTTP {exchange.response.status}")
        try:
            said = json.loads(b"".join(exchange.response.bodies))
        except ValueError:
            raise Unanswered("not JSON") from None
        if not isinstance(said, dict):
            raise Unanswered("not a JSON object")
        return said

    def loaded(self) -> tuple[Loaded, ...]:
        """The models in memory. Raises Unanswered."""
        models = self.get("/api/ps").get("models")
        found = [model for model in models if isinstance(model, dict)] if isinstance(models, list) else []
        return tuple(
            Loaded(
                str(model.get("name") or ""),
                _whole(model.get("size")),
                _whole(model.get("size_vram")),
                _whole(model.get("context_length")),
                str(model.get("expires_at") or ""),
            )
            for model in found
        )

    def memory(self, model: str) -> Memory | None:
        """Is a model in memory, are others, or nothing? None if the server does not say."""
        try:
            names = {loaded.model for loaded in self.loaded()}
        except Unanswered:
            return None
        return "listed" if {model, full_name(model)} & names else "others" if names else "empty"

    def close(self) -> None:
        """Drop the connection."""
        self._transport.close()


def full_name(model: str) -> str:
    """A model's name as Ollama lists it."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _whole(value: object) -> int | None:
    return value if type(value) is int else None
