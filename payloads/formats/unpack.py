"""A file's plain bytes: gzip and zstd unpacked, Parquet as a line of JSON a row; known by their first bytes."""

import gzip
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

GZIP, ZSTD, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
PACKED = (".gz", ".gzip", ".zst", ".zstd")
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
    head = packed.read(4)
    packed.seek(0)
    if head.startswith(GZIP):
        return Plain(_unpacked(packed, "gzip"), unpacked_name(path))
    if head == ZSTD:
        return Plain(_unpacked(packed, "zstd"), unpacked_name(path))
    if head == PARQUET:
        packed.close()
        return Plain(_rows(path), path.with_suffix(".jsonl"))
    return Plain(packed, path)


def unpacked_name(path: Path) -> Path:
    """mine.csv of mine.csv.gz."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def _unpacked(packed: BinaryIO, kind: str) -> BinaryIO:
    try:
        with packed:
            return _file_of(_gunzipped(packed) if kind == "gzip" else _unzstd(packed))
    except (EOFError, OSError, zlib.error) as error:
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


def _gunzipped(packed: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=packed) as reader:
        while piece := reader.read(PIECE):
            yield piece


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
