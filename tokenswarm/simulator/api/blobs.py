"""POST and HEAD /api/blobs/DIGEST: files for /api/create. Only their digests are kept."""

import asyncio
import re
from hashlib import sha256

from tokenswarm.simulator.api.answer import HttpAnswer, Request, answer_error
from tokenswarm.simulator.server import Server

_PIECE_BYTES = 1 << 19  # hashed in under a millisecond: running streams must not wait for an upload


async def blobs(server: Server, request: Request) -> HttpAnswer:
    """Take a blob, or say whether it is there."""
    name = request.last()
    if re.fullmatch(r"sha256[:-][0-9a-fA-F]{64}", name) is None:
        return answer_error(400, "invalid digest format")
    name = name.replace("-", ":")
    if request.method == "HEAD":
        return HttpAnswer(200, bare=True) if name in server.blobs else answer_error(404, f'blob "{name}" not found')
    if name in server.blobs:
        return HttpAnswer(200)
    hashed = sha256()
    for start in range(0, len(request.body), _PIECE_BYTES):
        hashed.update(memoryview(request.body)[start : start + _PIECE_BYTES])
        await asyncio.sleep(0)
    found = f"sha256:{hashed.hexdigest()}"
    if found != name:
        return answer_error(400, f'digest mismatch, expected "{name}", got "{found}"')
    server.blobs.add(name)
    return HttpAnswer(201)
