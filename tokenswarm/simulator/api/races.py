"""Ollama's races between those who change its models (`--racing-deletes`): its look-up of a name reads all manifests.

One that vanishes meanwhile ends the look-up, so a delete fails though its model is there; and what a copy or create
makes may appear after its client has hung up.
"""

import asyncio

from tokenswarm.simulator.model.models import Model
from tokenswarm.simulator.model.names import Name
from tokenswarm.simulator.server import Server

_LOOK_UP_S, _LATE_S = 0.03, 0.3


async def put(server: Server, model: Model) -> None:
    """Have a model; with races only after a while, also when the client has hung up by then."""
    if not server.settings.racing_deletes:
        server.put(model)
        return
    late = asyncio.ensure_future(_late(server, model))
    server.unfinished.add(late)
    late.add_done_callback(server.unfinished.discard)
    await asyncio.shield(late)


async def _late(server: Server, model: Model) -> None:
    await asyncio.sleep(_LATE_S)
    server.put(model)


async def lose_race(server: Server, name: Name) -> tuple[int, str] | None:
    """How a delete fails that lost a race: by turns 404, 500, and 500 though the model is gone; else None."""
    if not server.settings.racing_deletes:
        return None
    before = server.model_changes
    await asyncio.sleep(_LOOK_UP_S)
    if server.model_changes == before or name.full() not in server.models:
        return None
    server.lost_deletes += 1
    if server.lost_deletes % 3 == 1:
        return 404, f"model '{name.model}' not found"
    if server.lost_deletes % 3 == 0:
        server.drop(name.full())
    path = f"{name.host}/{name.space}/{name.model}/{name.tag}"
    return 500, f"lstat /var/ollama/models/manifests/{path}: no such file or directory"
