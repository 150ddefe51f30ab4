"""Pulling and pushing: no registry can be reached, unless one is played that has every model whose name begins reg-."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from tokenswarm.simulator.api.answer import SUCCESS
from tokenswarm.simulator.api.listing import digest
from tokenswarm.simulator.api.request import Refused
from tokenswarm.simulator.model.models import make_model
from tokenswarm.simulator.model.names import REGISTRY, Name
from tokenswarm.simulator.server import Server

_RESOLVER = "127.0.0.53:53"
_PROGRESS, _PROGRESS_S = 8, 0.05  # lines of progress, and the time between them

Steps = AsyncIterator[dict[str, Any]]


async def pull(server: Server, name: Name) -> Steps:
    """The steps of a pull; Refused when the registry is out of reach, or does not have the model."""
    yield {"status": "pulling manifest"}
    if not _reachable(server, name):
        raise Refused(500, f'pull model manifest: Get "{name.url()}/manifests/{name.tag}": {_no_way(name)}')
    if not name.model.startswith("reg-"):
        raise Refused(500, "pull model manifest: file does not exist")
    model = replace(make_model(name.full(), context=server.settings.context_tokens), modified_ns=time.time_ns())
    async for step in _carried("pulling", digest(model.weights), model.size_bytes):
        yield step
    yield {"status": "verifying sha256 digest"}
    yield {"status": "writing manifest"}
    server.put(model)
    yield SUCCESS


async def push(server: Server, name: Name, *, insecure: bool) -> Steps:
    """The steps of a push; Refused when the model or the registry is not there."""
    yield {"status": "retrieving manifest"}
    model = server.models.get(name.full())
    if model is None:
        yield {"status": "couldn't retrieve manifest"}
        path = f"{name.host}/{name.space}/{name.model}/{name.tag}"
        raise Refused(500, f"open /var/ollama/models/manifests/{path}: no such file or directory")
    layer = digest(model.weights)
    if not _reachable(server, name):
        url = replace(name, scheme="http" if insecure else "https").url()
        raise Refused(500, f'Head "{url}/blobs/sha256:{layer}": {_no_way(name)}')
    async for step in _carried("pushing", layer, model.size_bytes):
        yield step
    yield {"status": "pushing manifest"}
    yield SUCCESS


async def _carried(verb: str, layer: str, total: int) -> Steps:
    """Progress of one layer, in bytes; the first line has none yet."""
    of = {"status": f"{verb} {layer[:12]}", "digest": f"sha256:{layer}", "total": total}
    yield of
    for step in range(1, _PROGRESS + 1):
        await asyncio.sleep(_PROGRESS_S)
        yield {**of, "completed": total * step // _PROGRESS}


def _reachable(server: Server, name: Name) -> bool:
    return server.settings.registry and name.host == REGISTRY


def _no_way(name: Name) -> str:
    """Go's words for a host that is not there: an address refuses, a name is not found."""
    host, _, port = name.host.partition(":")
    if re.fullmatch(r"[\d.]+", host):
        port = port or ("80" if name.scheme == "http" else "443")
        return f"dial tcp {host}:{port}: connect: connection refused"
    return f"dial tcp: lookup {host} on {_RESOLVER}: no such host"
