"""Where the load goes: `--host`, else OLLAMA_HOST as Ollama itself reads it, else http://127.0.0.1:11434.

People paste what their server's page shows: an address, one with a prefix, or the whole URL of an endpoint. What a path
in it stands for may only show when the server is asked (see `preflight.server`): `readings` are what it can mean.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from tokenswarm.payloads.request_fields import PATHS, V1_CHAT
from tokenswarm.settings.errors import UsageError
from tokenswarm.transport.target import PORTS, V1, Target

DEFAULT = "http://127.0.0.1:11434"
# Whole endpoints, of which the address stands before, and OpenAI's without a /v1 of their own.
_ENDPOINTS = (*PATHS, "/api/tags", "/api/ps", "/api/show", "/api/version", "/api/embeddings", "/v1/models")
_ENDS = ("/chat/completions", "/completions", "/embeddings", "/models")
# What stands in the place of /v1: another version, OpenAI's API under its name, a deployment.
MOST_CHARACTERS = 4000
_ROOT = re.compile(r"/(v\d\w*|openai|deployments/[^/]+)$")
# Pages and other APIs of the same server, which people have open in their browser.
_PAGE = re.compile(r"/(docs|redoc|openapi\.json|healthz?|metrics|index\.html|v1/(responses|messages|models/.+))$")
_EXACT = re.compile(r"/(invocations|predict)$")
_SAFE = "/%:@!$&'()*+,;=~"


def target(host_option: str | None, environment: Mapping[str, str], layout: str = "") -> Target:
    """The server to load, as it was found out (`layout`), else by the likeliest reading. Raises UsageError."""
    return readings(host_option, environment, layout)[0]


def readings(host_option: str | None, environment: Mapping[str, str], layout: str = "") -> tuple[Target, ...]:
    """What the address can mean, the likeliest first. Raises UsageError on what is none.

    Without a scheme it is http and Ollama's port, 11434; with one the port is the scheme's (envconfig.Host in Ollama).
    A path that ends in /v1, as OpenAI's clients want it, is the same server.
    """
    name = "--host" if host_option else "OLLAMA_HOST"
    given = (host_option or environment.get("OLLAMA_HOST", "")).strip().strip("\"'<>").strip() or DEFAULT
    if len(given) > MOST_CHARACTERS:
        raise UsageError(f"{name}: {len(given):,} characters are no address; write it like {DEFAULT}")
    scheme, separator, rest = given.partition("://")
    if not separator:
        scheme, rest = "http", given.removeprefix("//")
    # A password, or a key in a query, has no place in what is printed.
    given = re.sub(r"(?s)[?#].*", "?…", re.sub(r"(?s)(?<=//).*@|^[^/]*@", "…@", given))
    scheme = scheme.lower()
    if scheme not in PORTS:
        raise UsageError(f"{name} {given!r}: {scheme!r} is no scheme for an LLM server; use http:// or https://")
    try:
        parts = urlsplit(f"//{rest}")
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise UsageError(f"{name} {given!r} is no address ({error}); write it like {DEFAULT}") from error
    if "@" in parts.netloc or any(c.isspace() for c in rest):
        raise UsageError(f"{name} {given!r}: give only scheme, host, port and path; keys go to --api-key or --header")
    if port is None:
        port = PORTS[scheme] if separator else 11434
    where = Target(scheme, parts.hostname or "127.0.0.1", port, query=quote(parts.query, _SAFE + "?", errors="replace"))
    path = _PAGE.sub("", re.sub("/+", "/", quote(parts.path, _SAFE, errors="replace")).rstrip("/"))
    path = path.removesuffix("/V1") + V1 if path.endswith("/V1") else path
    if layout:
        return (replace(where, base_path=path, **json.loads(layout)),)
    return tuple(replace(where, base_path=base, moved=moved) for base, moved in _readings(path))


def at(where: Target, api_path: str, path_option: str) -> Target:
    """The target with `--path` for the path of one API. Raises UsageError."""
    if "://" in path_option or any(c.isspace() for c in path_option):
        raise UsageError(f"--path {path_option!r} is no path; write it like /openai/chat, and the rest into --host")
    path = quote(path_option if path_option.startswith("/") else f"/{path_option}", _SAFE + "?", errors="replace")
    return replace(where, moved={**where.moved, api_path: path})


def unused_proxy(where: Target, environment: Mapping[str, str]) -> str:
    """A line on the proxy that other programs would take, "" if there is none: we go to the server itself."""
    names = (f"{where.scheme}_proxy", "all_proxy")
    name = next((one for lower in names for one in (lower.upper(), lower) if environment.get(one)), "")
    if not name or proxy_bypass_environment(where.host, {"no": _no_proxy(environment)}):
        return ""
    return f"{name} is set and not used: requests go straight to {where.scheme}://{where.authority}"


def _no_proxy(environment: Mapping[str, str]) -> str:
    return environment.get("no_proxy") or environment.get("NO_PROXY") or ""


Reading = tuple[str, dict[str, str]]


def _readings(path: str) -> Iterator[Reading]:
    for endpoint in (*_ENDPOINTS, V1):
        if path.endswith(endpoint):
            yield path.removesuffix(endpoint), {}
            return
    for end in _ENDS:
        if path.endswith(end):
            yield _root(path.removesuffix(end))
            if end == "/models":  # Azure's AI services have all there
                yield _root(path)
            return
    before: Reading = (path, {})
    exact: Reading = (path, {V1_CHAT: path})
    if not path:
        yield from (before, _root(path))
    elif path.endswith("/api"):  # Ollama's own, or what stands before /v1, or in its place
        yield from ((path.removesuffix("/api"), {}), before, _root(path))
    elif _EXACT.search(path):
        yield from (exact, before, _root(path))
    elif _ROOT.search(path):
        yield from (_root(path), before, exact)
    else:
        yield from (before, _root(path), exact)


def _root(path: str) -> Reading:
    """OpenAI's API, its /v1 being this path."""
    return (path.removesuffix(V1), {}) if path.endswith(V1) else (path, {V1: path})
