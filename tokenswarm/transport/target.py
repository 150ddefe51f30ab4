"""The address of a server, and where the paths of its APIs stand there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

PORTS = {"http": 80, "https": 443}
V1 = "/v1"


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address.

    `base_path` is what stands before /api and /v1 (behind a proxy), no slash at its end. `moved` are the paths of an
    API, or the root "/v1" of all of OpenAI's, that stand elsewhere, by the whole path that they have there. `query`
    follows every path.
    """

    scheme: str
    host: str
    port: int
    base_path: str = ""
    moved: Mapping[str, str] = field(default_factory=dict)
    query: str = ""

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.base_path}"

    def path(self, path: str) -> str:
        """Where a path of an API stands on this server, as a request line has it."""
        where = self.moved.get(path)
        if where is None and V1 in self.moved and path.startswith("/v1/"):
            where = self.moved[V1] + path.removeprefix(V1)
        where = self.base_path + path if where is None else where
        return f"{where}?{self.query}" if self.query and "?" not in where else where

    def layout(self) -> str:
        """All that `url` does not say, as `--layout` hands it to the workers."""
        return json.dumps({"moved": dict(self.moved), "query": self.query})
