"""Which path takes which methods, and who answers; what generates stands in `generation`."""

from collections.abc import Awaitable, Callable

from tokenswarm.simulator.api import blobs, counting, embeddings, engines, generation, lookup, management
from tokenswarm.simulator.api.answer import HttpAnswer, Request
from tokenswarm.simulator.server import Server

Endpoint = Callable[[Server, Request], HttpAnswer | Awaitable[HttpAnswer]]

# A path that ends with a slash takes what follows it.
ENDPOINTS: dict[str, tuple[tuple[str, ...], Endpoint]] = {
    "/": (("GET", "HEAD"), lookup.root),
    "/api/version": (("GET", "HEAD"), lookup.version),
    "/api/tags": (("GET", "HEAD"), lookup.tags),
    "/api/ps": (("GET",), lookup.ps),
    "/api/show": (("POST",), lookup.show),
    "/api/copy": (("POST",), management.copy),
    "/api/delete": (("DELETE",), management.delete),
    "/api/create": (("POST",), management.create),
    "/api/pull": (("POST",), management.pull),
    "/api/push": (("POST",), management.push),
    "/api/blobs/": (("HEAD", "POST"), blobs.blobs),
    "/api/embed": (("POST",), embeddings.embed),
    "/api/embeddings": (("POST",), embeddings.embeddings),
    "/v1/embeddings": (("POST",), embeddings.v1_embeddings),
    "/v1/models": (("GET",), lookup.v1_models),
    "/v1/models/": (("GET",), lookup.v1_model),
    engines.PROPS: (("GET",), engines.props),
    engines.SLOTS: (("GET",), engines.slots),
    **dict.fromkeys(counting.APIS, (("POST",), counting.count)),
    counting.TOKENIZE: (("POST",), counting.tokenize),
    "/sim/stats": (("GET",), lookup.stats),
}


def route(path: str) -> str:
    """The row that a path belongs to; empty if none."""
    if path in generation.PATHS or path in ENDPOINTS:
        return path
    return next((row for row in ENDPOINTS if row.endswith("/") and row != "/" and path.startswith(row)), "")


def methods(row: str) -> tuple[str, ...]:
    """What a row of the tables takes."""
    return ("POST",) if row in generation.PATHS else ENDPOINTS[row][0]
