"""Bodies that come compressed though nobody asked for it: taken apart as they arrive."""

import zlib

GZIP = b"\x1f\x8b"  # how it begins
HEAD_BYTES = 3  # from so many on it is known whether a body is compressed
ENCODINGS = ("gzip", "x-gzip", "deflate")
_NONE = ("", "identity", "none")
_MOST_LOOKED = 64  # bytes at the beginning of a body
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def encodings(header: str) -> str:
    """What a Content-Encoding names, in lower case, but those that change nothing."""
    return ", ".join(name for name in map(str.strip, header.lower().split(",")) if name not in _NONE)


def plain(body: bytes) -> bool:
    """Is that text, whatever its header says? No compressed body begins so."""
    begun = body[:_MOST_LOOKED].decode("utf-8", "replace")
    return all(c.isprintable() or c.isspace() for c in begun[:-1]) and "\ufffd" not in begun[:-1]


class Unpacking:
    """Takes a gzip or deflate body apart, piece by piece; one that only says to be so comes through as it is."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._window = zlib.MAX_WBITS if encoding == "deflate" else _GZIP_WINDOW
        self._inflating = zlib.decompressobj(self._window)
        self._held = b""
        self._begun = self.plain = False

    def feed(self, data: bytes, most_bytes: int) -> bytes:
        """What the next piece holds, `most_bytes` and one at most. Raises ValueError if it is broken."""
        if self.plain:
            return data
        data, self._held = self._held + data, b""
        if not self._begun and len(data) < HEAD_BYTES:
            self._held = data
            return b""
        try:
            clear = self._inflate(data, most_bytes)
        except zlib.error as error:
            if self._begun:
                raise ValueError(f"the body said to be {self._encoding} is broken: {error}") from None
            if self._window == zlib.MAX_WBITS:  # deflate without zlib's head, as many write it
                self._window = -zlib.MAX_WBITS
                self._inflating = zlib.decompressobj(self._window)
            else:
                self.plain = True
            return self.feed(data, most_bytes)
        self._begun = True
        return clear

    def _inflate(self, data: bytes, most_bytes: int) -> bytes:
        clear = b""
        while data and len(clear) <= most_bytes:
            clear += self._inflating.decompress(data, most_bytes + 1 - len(clear))
            data = self._inflating.unconsumed_tail
            if self._inflating.eof:
                data = self._inflating.unused_data
                if not data.startswith(GZIP):
                    return clear  # padding
                self._inflating = zlib.decompressobj(self._window)
        return clear
