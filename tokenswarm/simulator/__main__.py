"""`python -m tokenswarm.simulator`: listen, say where, serve until SIGINT or SIGTERM, say what was done.

Exit codes: 0, and 2 for a mistake on the command line.
"""

import asyncio
import gc
import signal
import socket
import ssl
import sys
from typing import Any

import uvicorn

from tokenswarm.simulator.app import App
from tokenswarm.simulator.settings import SimulatorSettings, from_args
from tokenswarm.simulator.transport import SimulatorProtocol

_BACKLOG = 4096
_IDLE_S = 3600  # Ollama does not close idle connections
_GRACE_S = 2


class UvicornServer(uvicorn.Server):
    """uvicorn's server, which says one line when it listens and breaks off its streams when it goes down."""

    def __init__(self, config: uvicorn.Config, app: App, url: str) -> None:
        super().__init__(config)
        self._app, self._url = app, url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets=sockets)
        # The pacer collects garbage when no stream runs; what start-up has left behind is never garbage.
        gc.disable()
        gc.freeze()
        print(f"simulator: listening on {self._url}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Go down at once, open streams or not."""
        self._app.close()
        await super().shutdown(sockets=sockets)


def _bind(settings: SimulatorSettings) -> socket.socket:
    """A listening socket; OSError if the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named, since asyncio switches Nagle's algorithm off only where it is: else the second chunk of an
    # answer would wait for the acknowledgement of the first, and arrive together with the third.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _closing_line(stats: dict[str, Any]) -> str:
    requests = sum(number for by_status in stats["requests"].values() for number in by_status.values())
    ticks = stats["tick_lateness"]
    late = "no steps"
    if ticks["count"]:
        late = f"steps late p50 {ticks['p50_ms']:g} p99 {ticks['p99_ms']:g} max {ticks['max_ms']:g} ms"
    return (
        f"simulator: closed after {requests} answers ({stats['complete']} generations complete, {stats['cancelled']} "
        f"cancelled, {stats['faults']} faults), {stats['output_tokens']} output tokens; {late}"
    )


def main() -> int:
    """Serve; the exit code."""
    settings = from_args()
    try:
        app = App(settings)
        sock = _bind(settings)
    except OSError as error:
        print(f"simulator: {error.filename or f'{settings.host}:{settings.port}'}: {error.strerror}", file=sys.stderr)
        return 2
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "https" if settings.tls_cert else "http"
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=SimulatorProtocol,
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        print(f"simulator: --tls-cert, --tls-key: {error}", file=sys.stderr)
        return 2
    # uvicorn raises the signal again after it has gone down: with the default handlers that would be our exit code.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server = UvicornServer(config, app, f"{scheme}://{host}:{sock.getsockname()[1]}")
    asyncio.run(server.serve(sockets=[sock]))
    sock.close()
    print(_closing_line(app.stats()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
