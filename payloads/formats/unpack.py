"""A file's plain bytes: unpacked, UTF-16 as UTF-8, Parquet as a line of JSON a row; known by their first bytes."""

import bz2
import codecs
import gzip
import lzma
import os
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

PARQUET = b"PAR1"
KINDS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
PACKED = (".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz")
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What is no payload, by its beginning, and what to do.
OTHERS = {
    b"PK\x03\x04": "is a zip archive; unpack it, and name a file in it",
    b"7z\xbc\xaf": "is a 7z archive; unpack it, and name a file in it",
    b"version https://git-lfs": "is a Git LFS pointer, not the file itself; fetch it (git lfs pull)",
    b"<!doctype html": "is an HTML page, not the file itself; download it again",
    b"<html": "is an HTML page, not the file itself; download it again",
}
MOST_HEAD = 64
PIECE = 1 << 18  # bytes
MOST_BYTES = 20 * 10**9  # a few kB may unpack to more than any disk holds
EXTRA = "pip install 'tokenswarm[files]'"


class Plain(NamedTuple):
    """An open file of plain bytes, and its name as if it had never been packed."""

    file: BinaryIO
    name: Path


def plain(path: Path) -> Plain:
    """Open a file; what is packed is unpacked into a file without a name, which goes with its last reader.

    Raises OSError, or ValueError: what is wrong, and what to do.
    """
    packed: BinaryIO = path.open("rb")
    if not packed.seekable():  # a pipe
        with packed as pipe:
            packed = _file_of(iter(lambda: pipe.read(PIECE), b""))
    if _head(packed).startswith(PARQUET):
        packed.close()
        return Plain(_rows(path), path.with_suffix(".jsonl"))
    name = path
    if kind := _kind(packed):
        packed, name = _unpacked(packed, kind), unpacked_name(path)
    head = _head(packed)
    wrong = (
        f"is packed twice ({again} within {kind}); unpack it once" if (again := _kind(packed)) else _other(head, name)
    )
    if wrong:
        packed.close()
        raise ValueError(f": {wrong}")
    return Plain(_as_utf_8(packed) if head.startswith(UTF_16) else packed, name)


def _head(file: BinaryIO) -> bytes:
    head = file.read(MOST_HEAD)
    file.seek(0)
    return head


def _kind(packed: BinaryIO) -> str:
    head = _head(packed)
    return next((kind for magic, kind in KINDS.items() if head.startswith(magic)), "")


def _other(head: bytes, name: Path) -> str:
    """What else it is than payloads; a line of text may well begin as a page does."""
    begun = head.lstrip().lower()
    known = {} if name.suffix.lower() == ".txt" else OTHERS
    return next((text for begin, text in known.items() if begun.startswith(begin.lower())), "")


def unpacked_name(path: Path) -> Path:
    """mine.csv of mine.csv.gz."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def _unpacked(packed: BinaryIO, kind: str) -> BinaryIO:
    try:
        with packed:
            return _file_of(_unzstd(packed) if kind == "zstd" else _opened(packed, kind))
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise ValueError(f": no whole {kind} file: {' '.join(str(error).split())}; pack it again") from None


def _file_of(pieces: Iterable[bytes]) -> BinaryIO:
    with ExitStack() as unless_whole:
        out = unless_whole.enter_context(tempfile.TemporaryFile())
        for piece in pieces:
            out.write(piece)
            if out.tell() > MOST_BYTES:
                raise ValueError(f": unpacks to more than {MOST_BYTES / 1e9:g} GB; name a smaller file")
        out.seek(0)
        unless_whole.pop_all()
        return out


def _opened(packed: BinaryIO, kind: str) -> Iterator[bytes]:
    readers: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
    with readers[kind](packed) as reader:
        while piece := reader.read(PIECE):
            yield piece


def _as_utf_8(file: BinaryIO) -> BinaryIO:
    """As Excel's "Unicode text" and Windows' shells write it."""
    decoder = codecs.getincrementaldecoder("utf-16")()
    try:
        with file:
            pieces = chain(iter(lambda: file.read(PIECE), b""), [b""])  # the last one ends it
            return _file_of(decoder.decode(piece, final=not piece).encode() for piece in pieces)
    except UnicodeError:
        raise ValueError(": begins as UTF-16, and is not; save the file as UTF-8") from None


def _unzstd(packed: BinaryIO) -> Iterator[bytes]:
    """Frame after frame. Raises EOFError if the last one has no end."""
    try:
        import zstandard
    except ImportError:
        raise ValueError(f": is packed by zstd; {EXTRA}, or unpack it") from None
    frame = None
    try:
        while piece := packed.read(PIECE):
            while piece:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                yield frame.decompress(piece)
                piece = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from None
    if frame:
        raise EOFError("it ends within a frame")


def _rows(path: Path) -> BinaryIO:
    try:
        import duckdb
    except ImportError:
        raise ValueError(f": is Parquet; {EXTRA}, or write it as JSON lines") from None
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(config={"threads": 1}) as reader:
        # Under a name of ours: in its own, * and [ would mean other files.
        (link := Path(folder) / "rows.parquet").symlink_to(path.absolute())
        try:
            reader.execute("SELECT to_json(rows)::VARCHAR FROM read_parquet(?) AS rows", [os.fspath(link)])
            return _file_of(f"{row}\n".encode() for some in iter(lambda: reader.fetchmany(256), []) for (row,) in some)
        except duckdb.Error as error:
            what = " ".join(str(error).split())[:200]
            raise ValueError(f": no whole Parquet file: {what}; write it again") from None
