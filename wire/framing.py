"""Frames out of pieces: NDJSON lines and SSE events, cut on bytes, wherever the reads cut them."""

from collections.abc import Iterable, Iterator

# Ollama's final line holds the whole context (33 kB for 4,086 tokens); a line beyond this is no answer but a fault.
MAX_FRAME_BYTES = 16 * 1024 * 1024


class FrameTooLong(ValueError):
    """A line of more than MAX_FRAME_BYTES; `ns` is when it grew too long."""

    def __init__(self, ns: int) -> None:
        super().__init__(f"a line of more than {MAX_FRAME_BYTES} bytes")
        self.ns = ns


def lines(pieces: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, bool]]:
    """`(arrival ns of the last byte, line, terminated)`, cut at `\\n` only.

    Not `splitlines`: it cuts at U+0085 and U+2028, which stand unescaped inside JSON strings. What follows the last
    `\\n` comes as a line that is not terminated. Raises FrameTooLong.
    """
    held: list[bytes] = []
    held_bytes = 0
    ns = 0
    for ns, data in pieces:
        first, *rest = data.split(b"\n")
        if held_bytes + len(first) > MAX_FRAME_BYTES:
            raise FrameTooLong(ns)
        if not rest:
            held.append(first)
            held_bytes += len(first)
            continue
        if held:
            held.append(first)
            first = b"".join(held)
        yield ns, first, True
        last = rest.pop()
        for line in rest:
            yield ns, line, True
        held = [last] if last else []
        held_bytes = len(last)
    if tail := b"".join(held):
        yield ns, tail, False


def events(pieces: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, bool]]:
    """`(arrival ns, data, terminated)` of each server-sent event; comments and other fields are passed over.

    Lines end with `\\n` or `\\r\\n`, several `data:` lines are joined by `\\n`, as the HTML standard has it; but an
    event that the end of the body cut off is given too (not terminated), so that a reader can say what it was.
    llama.cpp and others also send a line `error: {…}`: it is given like data.
    """
    data: list[bytes] = []
    ns = 0
    for ns, raw, terminated in lines(pieces):
        line = raw[:-1] if raw.endswith(b"\r") else raw
        if line.startswith((b"data:", b"error:")):
            value = line.partition(b":")[2]
            data.append(value[1:] if value.startswith(b" ") else value)
            if not terminated:
                break
        elif not line and data:
            yield ns, b"\n".join(data), True
            data = []
        elif line.lstrip().startswith(b"{"):
            # An error object that was written into the stream without any field name.
            yield ns, line, terminated
    if data:
        yield ns, b"\n".join(data), False
