"""uvicorn's HTTP protocol with one change: what belongs together leaves in one write.

uvicorn writes the response's head as soon as it is started and the body after it: two segments on the wire, where
Ollama sends its head and the first token line as one. So the transport here can be told to hold what is written.

The loop must be asyncio's: its transport calls `send` inside `write`, so a time stamp taken after the call is the time
at which the kernel had the bytes. uvloop collects writes until the end of the loop's iteration: with many streams in
one decode step all stamps would be of before the first byte left. A test checks this.
"""

import asyncio
import socket
import struct
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# A stream is never larger, so `send` never waits for a slow reader, and a decode step may drive it without a task. A
# reader that stops costs the memory of its own answer.
_NEVER_FULL_BYTES = 1 << 30


class HoldingTransport:
    """An asyncio transport that can hold what is written and hand it over in one call."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None
        self._closes = False
        self.write = transport.write

    def hold(self) -> None:
        """Keep what is written from now on."""
        held: list[bytes] = []
        self._held = held
        self.write = held.append  # type: ignore[assignment]  # it takes bytes only, and uvicorn writes nothing else

    def release(self) -> None:
        """Write all that was held, at once, and hold no more."""
        held, self._held = self._held, None
        self.write = self._transport.write
        if held:
            self._transport.write(b"".join(held))
        if self._closes:
            self._transport.close()

    def close(self) -> None:
        """Close once all is written: uvicorn closes a connection that is not kept alive right after its last write."""
        self._closes = True
        if self._held is None:
            self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._closes or self._transport.is_closing()

    def reset(self) -> None:
        """Break the connection with a TCP reset: what the peer has not read yet may be lost to it too."""
        sock: socket.socket | None = self._transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class SimulatorProtocol(HttpToolsProtocol):
    """Hands the transport to the application as `scope["extensions"]["simulator"]["transport"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wrap the transport before uvicorn sees it."""
        transport.set_write_buffer_limits(high=_NEVER_FULL_BYTES)
        super().connection_made(cast(asyncio.Transport, HoldingTransport(transport)))

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {"simulator": {"transport": self.transport}}
