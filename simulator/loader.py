"""Which models are loaded: one load after the other, warm for their keep-alive, and no endless queue before it."""

from collections import deque
from dataclasses import dataclass, field


class Busy(Exception):
    """Too many requests wait: the client gets 503."""


@dataclass
class _Model:
    loaded: bool = False
    active: int = 0  # requests that hold it: a model in use never expires
    expires_ns: int | None = None  # None = never


@dataclass
class Loader:
    """The scheduler of loads, on a clock of the caller's; times in ns, negative keep-alive = for ever."""

    load_ns: int
    keep_alive_ns: int
    max_queue: int
    waiting: int = 0  # requests that wait for a load, the ones that wait behind another model's load too
    _models: dict[str, _Model] = field(default_factory=dict)
    _to_load: deque[str] = field(default_factory=deque)

    def _get(self, name: str) -> _Model:
        return self._models.setdefault(name, _Model())

    def is_loaded(self, name: str, now_ns: int) -> bool:
        """Whether a request would find the model in memory."""
        model = self._get(name)
        return model.loaded and (model.active > 0 or model.expires_ns is None or now_ns < model.expires_ns)

    def wait_for(self, name: str) -> str | None:
        """Queue one request for a load; the name of the model to load now, if nothing is being loaded. Busy if full.

        As in Ollama the limit does not count the request whose model is being loaded: with 2, three are accepted.
        """
        if self.waiting >= self.max_queue + 1:
            raise Busy
        self.waiting += 1
        if name in self._to_load:
            return None
        self._to_load.append(name)
        return name if len(self._to_load) == 1 else None

    def loaded(self, name: str, now_ns: int) -> str | None:
        """Mark the end of a load; the name of the model to load next, if any."""
        model = self._get(name)
        model.loaded = True
        self._expire(model, now_ns, self.keep_alive_ns)
        self._to_load.popleft()
        return self._to_load[0] if self._to_load else None

    def hold(self, name: str) -> None:
        """A request begins to use a loaded model."""
        self._get(name).active += 1

    def release(self, name: str, now_ns: int, keep_alive_ns: int | None) -> None:
        """A request no longer uses it; its own keep-alive, if it had one, decides how long it stays."""
        model = self._get(name)
        model.active -= 1
        self._expire(model, now_ns, self.keep_alive_ns if keep_alive_ns is None else keep_alive_ns)

    def unload(self, name: str, now_ns: int) -> None:
        """Drop the model; requests that run on it finish normally."""
        self._expire(self._get(name), now_ns, 0)

    @staticmethod
    def _expire(model: _Model, now_ns: int, keep_alive_ns: int) -> None:
        model.expires_ns = None if keep_alive_ns < 0 else now_ns + keep_alive_ns

    def resident(self, now_ns: int) -> list[tuple[str, int | None]]:
        """Loaded models and when they expire (ns, `None` = never), the latest first, as /api/ps lists them."""
        found = [(name, model.expires_ns) for name, model in self._models.items() if self.is_loaded(name, now_ns)]
        return sorted(found, key=lambda item: -(item[1] if item[1] is not None else 2**63))
