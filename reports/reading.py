"""requests.csv as a DataFrame: a block at a time, what is damaged left out (see `tokenswarm.folder.damage`)."""

import warnings
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenswarm.folder.damage import MOST, MOST_COUNT, SIGNED, UNSIGNED, Batch, Odd, batches, header, sound
from tokenswarm.folder.row import IDENTITY, NUMBERS
from tokenswarm.metrics.text import text
from tokenswarm.reports.columns import READ, Column, Texts, absent, column
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.gaps import Gaps, decoded, items, sums_ms
from tokenswarm.reports.progress import progress

MOST_TEXT, THREADS = 80, 2  # characters
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
    """Some of the rows: see Rows. `marked` says whether a text in it may bear a mark (see `metrics.text`)."""

    columns: dict[str, Any]
    gaps: Gaps
    odd: list[Odd]
    marked: bool


@dataclass(frozen=True, slots=True)
class Rows:
    """What could be read: `frame` with columns more, `file_row`, the row's number in the file (the header is 1), and
    `gaps_ms`, how long its gaps are together; `gaps` are all of them pooled, which no column holds; `odd` says what was
    left out, `absent` which columns the file does not have."""

    frame: Any
    gaps: Gaps
    odd: tuple[Odd, ...]
    absent: tuple[str, ...]


def read(path: Path) -> Rows:
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
            for name, values in block.columns.items():
                columns.setdefault(name, column(name)).put(values)
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}; is this the folder of a run?") from error
    frame = pd.DataFrame({name: _series(made, marked=marked) for name, made in columns.items()}, copy=False)
    if odd and not len(frame):
        raise ReportError(f"{path}: cannot be read: none of its rows is whole; {odd[0].said(path.name)}")
    return Rows(frame, gaps, tuple(odd), tuple(name for name in READ if name not in names))


def _series(made: Column, *, marked: bool) -> Any:
    if isinstance(made, Texts) and marked:
        return made.series({one: text(one) for one in made.texts})
    return made.series()


def pooled(path: Path, wanted: Collection[int]) -> Gaps:
    """The gaps of a few rows alone, by their numbers in the file."""
    gaps, names = Gaps(), header(path)
    with path.open("rb") as file:
        for batch in batches(file, len(names)):
            few = [(row, line) for row, line in zip(batch.rows, batch.lines, strict=True) if row in wanted]
            if few:
                gaps.take_in(_block(Batch([line for _, line in few], [row for row, _ in few]), path, names).gaps)
    return gaps


def _blocks(path: Path, names: Sequence[str]) -> Iterator[Block]:
    """All of the file, on two cores: what pandas and numpy do they do side by side."""
    size, waiting = path.stat().st_size, deque[Future[Block]]()
    with path.open("rb") as file, ThreadPoolExecutor(THREADS) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that an error, or the look at them, tells of
        for batch in batches(file, len(names)):
            waiting.append(pool.submit(_block, batch, path, names))
            if len(waiting) > THREADS:
                yield waiting.popleft().result()
            progress(f"reading {path.name}: {100 * file.tell() / size:.0f} %")
        yield from (each.result() for each in waiting)


def _block(batch: Batch, path: Path, names: Sequence[str]) -> Block:
    text = b"".join(batch.lines)
    frame = _frame(text, names)
    found = None if frame is None or _suspicious(frame) else items(frame["itl_ms_hist"])
    if found is None:
        batch = sound(batch, names)
        frame = _frame(b"".join(batch.lines), names)
        if frame is None:
            raise ReportError(f"{path}: cannot be read, though each of its rows can; is it a requests.csv of ours?")
        found = items(frame["itl_ms_hist"]) or decoded(frame["itl_ms_hist"])
    del frame["itl_ms_hist"]
    columns = dict(frame.items()) | {name: absent(name, len(frame)) for name in READ if name not in names}
    columns["gaps_ms"] = pd.Series(sums_ms(found, len(frame)))
    columns["file_row"] = pd.Series(np.array(batch.rows, dtype=np.int64))
    gaps = Gaps()
    gaps.add({name: columns[name] for name in GROUPED}, found)
    return Block(columns, gaps, batch.odd, any(mark in text for mark in (b",'", b",\"'")))


def _frame(lines: bytes, names: Sequence[str]) -> Any:
    """None where a value is not what its column holds."""
    # All texts of a long run would not fit into memory.
    beginning = {"output_text": lambda cell: " ".join(text(cell)[:MOST_TEXT].split())} if "output_text" in names else {}
    try:
        return pd.read_csv(
            BytesIO(lines),
            header=None,
            names=list(names),
            index_col=False,
            dtype=READ,
            converters=beginning,
            usecols=[name for name in names if name in READ or name in beginning],
            keep_default_na=False,  # a model may be called "null"
            na_values=[""],
        )
    except pd.errors.EmptyDataError:
        dtypes = {name: READ.get(name, "str") for name in names if name in READ or name in beginning}
        return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in dtypes.items()})
    except (ValueError, TypeError, OverflowError):
        return None


def _suspicious(frame: Any) -> bool:
    """May a row of it hold a value that cannot be, though pandas takes it? Then each one is looked at."""
    if frame[["worker", "sequence", "outcome"]].isna().to_numpy().any():
        return True
    for name in frame.columns:
        kind = NUMBERS.get(name)
        if kind == "histogram" or kind is None:
            continue
        values = frame[name].dropna().to_numpy()
        if not len(values):
            continue
        most, least = values.max(), values.min()
        if kind == "whole":
            if name.endswith("_ns"):
                odd = least < 0
            else:
                odd = least < (0 if name not in SIGNED else -MOST_COUNT) or most > MOST_COUNT or (values % 1 != 0).any()
        else:
            odd = max(abs(most), abs(least)) > MOST or (name in UNSIGNED and least < 0)
        if odd:
            return True
    return bool((frame["ended_unix_ns"] < frame["sent_unix_ns"]).any())
