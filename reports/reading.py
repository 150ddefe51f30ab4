"""requests.csv as a DataFrame: a block at a time, what is damaged left out (see `tokenswarm.folder.damage`)."""

import ctypes
import multiprocessing
import warnings
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenswarm.folder.damage import (
    CHOICES,
    MOST,
    MOST_COUNT,
    SIGNED,
    STEP_MS,
    Batch,
    Odd,
    batches,
    header,
    sound,
)
from tokenswarm.folder.row import IDENTITY, NUMBERS
from tokenswarm.metrics.text import text
from tokenswarm.reports.columns import READ, Column, Texts, absent, column, kind_of
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.gaps import Gaps, decode_each, items, sums_ms
from tokenswarm.reports.progress import progress
from tokenswarm.reports.rows import Rows

MOST_TEXT = 80  # characters
# From so many bytes on two processes pay: of what a block costs most is Python, of which a process does one at a time.
AT_ONCE, LARGE_BYTES = 2, 1 << 26
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
GROUPED = ("endpoint", "model", "phase", "outcome", "max_tokens", "batch_size")
LATER = (
    "session",
    "turn",
    "turn_kind",
    "turns_left",
    "stage",
    "arrival",
    "round",
    "phase",
    "load_state",
    "retry_after_s",
    "ledger_source",
)
# What a dtype's name is costs more to find out, block by block, than many a column.
_DTYPES = {name: pd.api.types.pandas_dtype(name) for name in ("category", "float64", "Int64", "str")}
# Without these a file is not a requests.csv. Others may be missing: older runs did not have them yet.
NEEDED = (
    *(name for name in IDENTITY if name not in LATER),
    "ttft_ms",
    "itl_ms_hist",
    "e2e_ms",
    "prompt_tokens",
    "output_tokens",
    "output_chunks",
)


@dataclass(frozen=True, slots=True)
class Block:
    """Some of the rows: see Contents; `pieces` of columns as these take them. `marked`: a text in it may bear a
    mark (see `metrics.text`)."""

    rows: int
    pieces: dict[str, Any]
    gaps: Gaps
    odd: list[Odd]
    marked: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """What could be read: `rows` with columns more, `file_row`, the row's number in the file (the header is 1), and
    `gaps_ms`, how long its gaps are together; `gaps` are all of them pooled, which no column holds; `odd` says what was
    left out, `absent` which columns the file does not have."""

    rows: Rows
    gaps: Gaps
    odd: tuple[Odd, ...]
    absent: tuple[str, ...]


def read(path: Path) -> Contents:
    """Read a requests.csv. Raises ReportError, with one line, where there is nothing that can be read."""
    try:
        names = header(path)
        if not names:
            raise ReportError(f"{path}: is empty; the run ended before its first line was written")
        if lacking := [name for name in NEEDED if name not in names]:
            raise ReportError(f"{path}: lacks the columns {', '.join(lacking)}; it is no requests.csv of this suite")
        gaps, odd, marked, columns = Gaps(), list[Odd](), False, dict[str, Column]()
        for block in _blocks(path, names):
            gaps.take_in(block.gaps)
            odd += block.odd
            marked = marked or block.marked
            for name, piece in block.pieces.items():
                if name not in columns:
                    columns[name] = column(name)
                columns[name].put(piece, block.rows)
    except ValueError as error:
        raise ReportError(f"{path}: {error}") from error
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}; is this the folder of a run?") from error
    except BrokenProcessPool as error:
        raise ReportError(f"{path}: a process that read it was killed; is the memory full?") from error
    if marked:
        for made in columns.values():
            if isinstance(made, Texts):
                made.rename(text)
    rows = Rows(lambda name, at: columns[name].series(at), tuple(columns), columns["file_row"].rows)
    if odd and not len(rows):
        raise ReportError(f"{path}: cannot be read: none of its rows is whole; {odd[0].describe(path.name)}")
    return Contents(rows, gaps, tuple(odd), tuple(name for name in READ if name not in names))


def pool_gaps(path: Path, wanted: Collection[int]) -> Gaps:
    """The gaps of a few rows alone, by their numbers in the file."""
    gaps, names = Gaps(), header(path)
    with path.open("rb") as file:
        for batch in batches(file, len(names)):
            few = [(row, line) for row, line in zip(batch.rows, batch.lines, strict=True) if row in wanted]
            if few:
                gaps.take_in(_block(Batch([line for _, line in few], [row for row, _ in few]), path, names).gaps)
    return gaps


def _blocks(path: Path, names: Sequence[str]) -> Iterator[Block]:
    """All of the file, in order, on two cores."""
    size, waiting = path.stat().st_size, deque[Future[Block]]()
    with path.open("rb") as file, _executor(size) as pool, warnings.catch_warnings():
        # Of values that an error, or the look at them, tells of; and of the fork of a process with numpy's threads.
        warnings.simplefilter("ignore")
        for batch in batches(file, len(names)):
            waiting.append(pool.submit(_block, _to_send(batch), path, names))
            if len(waiting) > AT_ONCE:
                yield waiting.popleft().result()
            progress(f"reading {path.name}: {100 * file.tell() / size:.0f} %")
        yield from (each.result() for each in waiting)


def _executor(size: int) -> Executor:
    if size < LARGE_BYTES or "fork" not in multiprocessing.get_all_start_methods():
        return ThreadPoolExecutor(AT_ONCE)
    return ProcessPoolExecutor(AT_ONCE, multiprocessing.get_context("fork"), initializer=_keep_memory)


def _keep_memory() -> None:
    """What a block took is kept for the next one: to be given it anew, page by page, is a tenth of the reading."""
    with suppress(OSError, AttributeError):  # not every C library has it
        c = ctypes.CDLL(None)
        for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            c.mallopt(parameter, 1 << 30)


def _to_send(batch: Batch) -> Batch:
    """Without the lines that another process reads from the file itself."""
    return replace(batch, lines=[]) if batch.size else batch


def _block(batch: Batch, path: Path, names: Sequence[str]) -> Block:
    text = _bytes(batch, path)
    frame = _frame(text, names)
    found = None if frame is None or _suspicious(frame) else items(frame["itl_ms_hist"])
    if found is None:
        batch = sound(replace(batch, lines=BytesIO(text).readlines()) if batch.size else batch, names)
        frame = _frame(b"".join(batch.lines), names)
        if frame is None:
            raise ReportError(f"{path}: cannot be read, though each of its rows can; is it a requests.csv of ours?")
        found = items(frame["itl_ms_hist"]) or decode_each(frame["itl_ms_hist"])
    rows, gaps, columns = len(frame), Gaps(), dict(frame.items())
    del columns["itl_ms_hist"]
    columns |= {name: absent(name, rows) for name in GROUPED if name not in names}
    gaps.add(columns, found)
    columns["gaps_ms"] = pd.Series(sums_ms(found, rows))
    columns["file_row"] = pd.Series(np.array(batch.rows, dtype=np.int64))
    pieces = {name: kind_of(name).piece(values) for name, values in columns.items()}
    pieces |= dict.fromkeys(name for name in READ if name not in columns and name != "itl_ms_hist")
    return Block(rows, pieces, gaps, batch.odd, b"'" in text and any(mark in text for mark in (b",'", b",\"'")))


def _bytes(batch: Batch, path: Path) -> bytes:
    if not batch.size:
        return b"".join(batch.lines)
    with path.open("rb") as file:
        file.seek(batch.begins)
        return file.read(batch.size)


def _frame(lines: bytes, names: Sequence[str]) -> Any:
    """None where a value is not what its column holds."""
    wanted = {name: _DTYPES[READ.get(name, "str")] for name in names if name in READ or name == "output_text"}
    try:
        frame = _parse(lines, names, wanted)
        # A text that reads as a number is one all the same: a prompt may be called 007.
        numeric = [name for name in frame.columns if _is_category_of_numbers(frame[name])]
        for name, column in _parse(lines, names, dict.fromkeys(numeric, _DTYPES["str"])).items() if numeric else ():
            frame[name] = column.astype("category")
    except pd.errors.EmptyDataError:
        return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in wanted.items()})
    except (ValueError, TypeError, OverflowError):
        return None
    if "output_text" in wanted:  # all texts of a long run would not fit into memory
        known = frame["output_text"].dropna()
        beginnings = [" ".join(text(cell)[:MOST_TEXT].split()) for cell in known]
        frame["output_text"] = pd.Series(beginnings, index=known.index, dtype="str").reindex(frame.index)
    if "check_notes" in wanted and len(known := frame["check_notes"].dropna()):
        notes = pd.Series([text(cell) for cell in known], index=known.index, dtype="str")
        frame["check_notes"] = notes.reindex(frame.index)
    return frame


def _parse(lines: bytes, names: Sequence[str], wanted: dict[str, Any]) -> Any:
    return pd.read_csv(
        BytesIO(lines),
        header=None,
        names=list(names),
        index_col=False,
        dtype=wanted,
        usecols=list(wanted),
        keep_default_na=False,  # a model may be called "null"
        na_values=[""],
        low_memory=False,
    )


def _is_category_of_numbers(column: Any) -> bool:
    dtype = column.dtype
    return isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype.kind in "iufb"


def _suspicious(frame: Any) -> bool:
    """May a row of it hold a value that cannot be, though pandas takes it? Then each one is looked at."""
    if not len(frame):
        return False
    if frame[["worker", "sequence", "outcome"]].isna().to_numpy().any():
        return True
    if not all(frame[name].dropna().isin(values).all() for name, values in CHOICES.items() if name in frame.columns):
        return True
    moments = [name for name in frame.columns if name.endswith("_ns")]
    if any(frame[name].to_numpy("int64", na_value=0).min() < 0 for name in moments):
        return True
    kinds = {name: NUMBERS.get(name) for name in frame.columns if name not in moments}
    counts, others = (
        [name for name, kind in kinds.items() if kind in some] for some in (("whole",), ("duration", "rate"))
    )
    for wanted, limit in ((counts, MOST_COUNT), (others, MOST)):
        values = frame[wanted].to_numpy("float64")
        most, least = (each.reduce(values, axis=0, initial=0.0) for each in (np.fmax, np.fmin))
        signed = np.array([name in SIGNED for name in wanted])
        if (most > limit).any() or (least < np.where(signed, -limit, 0.0)).any():
            return True
        if limit is MOST_COUNT and np.fmax.reduce(np.abs(values - np.rint(values)), axis=None, initial=0.0) > 0:
            return True
    if (frame["ttft_ms"] > frame["e2e_ms"] + STEP_MS).any():
        return True
    return bool((frame["ended_unix_ns"] < frame["sent_unix_ns"]).any())
