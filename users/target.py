"""Where the load goes: `--host`, else OLLAMA_HOST as Ollama itself reads it, else http://127.0.0.1:11434."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from users.errors import UsageError

DEFAULT = "http://127.0.0.1:11434"


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address. `base_path` is what stands before /api and /v1 (behind a proxy), no slash at its end."""

    scheme: str
    host: str
    port: int
    base_path: str = ""

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address without a slash at its end."""
        return f"{self.scheme}://{self.authority}{self.base_path}"


def target(host_option: str | None, environment: Mapping[str, str]) -> Target:
    """The server to load. Raises UsageError on what is no address.

    Without a scheme it is http and Ollama's port, 11434; with one the port is the scheme's (envconfig.Host in Ollama).
    A path that ends in /v1, as OpenAI's clients want it, is the same server.
    """
    name = "--host" if host_option else "OLLAMA_HOST"
    given = host_option or environment.get("OLLAMA_HOST", "").strip().strip("\"'").strip() or DEFAULT
    scheme, separator, rest = given.partition("://")
    given = re.sub(r"[^/]*@", "…@", given)  # a password has no place in what is printed
    if not separator:
        scheme, rest = "http", given
    scheme = scheme.lower()
    if scheme not in ("http", "https"):
        raise UsageError(f"{name} {given!r}: {scheme!r} is no scheme for an LLM server; use http:// or https://")
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{name} {given!r} is no address ({error}); write it like {DEFAULT}") from error
    if parts.username or parts.query or parts.fragment or any(c.isspace() for c in rest):
        raise UsageError(f"{name} {given!r}: give only scheme, host, port and path; keys go to --api-key or --header")
    if port is None:
        port = {"http": 80, "https": 443}[scheme] if separator else 11434
    path = parts.path.rstrip("/").removesuffix("/v1").rstrip("/")
    return Target(scheme, parts.hostname or "127.0.0.1", port, path)
