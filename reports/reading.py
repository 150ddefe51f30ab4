"""requests.csv as a DataFrame: a block at a time, what is damaged left out (see `tokenswarm.folder.damage`)."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenswarm.folder.damage import MOST, MOST_COUNT, UNSIGNED, Batch, Odd, batches, header, sound
from tokenswarm.folder.row import IDENTITY, JUDGED, NUMBERS
from tokenswarm.metrics.text import text
from tokenswarm.reports.errors import ReportError

MOST_TEXT = 80  # characters
LATER = ("session", "turn", "turn_kind", "turns_left", "stage", "arrival", "phase", "load_state", "retry_after_s")
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
_DTYPES = {"duration": "float64", "rate": "float64", "whole": "Int64", "histogram": "str"}
COLUMNS = {
    **dict.fromkeys(IDENTITY, "str"),
    **{name: _DTYPES[kind] for name, kind in NUMBERS.items()},
    **dict.fromkeys(JUDGED, "str"),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """What could be read: `frame` with a column more, `file_row`, the row's number in the file (the header is 1);
    `odd` says what was left out, `absent` which columns the file does not have."""

    frame: Any
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
        found = list(_parts(path, names))
    except OSError as error:
        raise ReportError(f"{path}: cannot be read: {error.strerror}; is this the folder of a run?") from error
    parts, odd = [part for part, *_ in found], tuple(one for _, some, _ in found for one in some)
    if odd and not any(len(part["file_row"]) for part in parts):
        raise ReportError(f"{path}: cannot be read: none of its rows is whole; {odd[0].said(path.name)}")
    # Column by column, so that not everything is there twice.
    frame = pd.DataFrame(
        {name: pd.concat([part.pop(name) for part in parts], ignore_index=True) for name in [*parts[0]]}
    )
    absent = tuple(name for name in COLUMNS if name not in frame.columns)
    for name in absent:
        frame[name] = pd.Series(pd.NA if COLUMNS[name] == "Int64" else None, index=frame.index, dtype=COLUMNS[name])
    for name in ("endpoint", "model", "outcome", "error", "token_source"):
        frame[name] = frame[name].fillna("")
    frame["phase"] = frame["phase"].fillna("steady")
    if any(marked for *_, marked in found):
        for name, dtype in COLUMNS.items():
            if dtype == "str" and name not in NUMBERS and frame[name].str.startswith("'").any():
                frame[name] = frame[name].map(text, na_action="ignore")
    return Rows(frame, odd, absent)


def _parts(path: Path, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], list[Odd], bool]]:
    """A block's columns, what was left out of it, and whether a text in it may bear a mark (see `metrics.text`)."""
    with path.open("rb") as file:
        for batch in batches(file, len(names)):
            frame = _frame(batch, names)
            if frame is None or _suspicious(frame):
                batch = sound(batch, names)
                frame = _frame(batch, names)
            if frame is None:
                raise ReportError(f"{path}: cannot be read, though each of its rows can; is it a requests.csv of ours?")
            rows = pd.Series(np.array(batch.rows, dtype=np.int64))
            marked = any(b",'" in line or b",\"'" in line for line in batch.lines)
            yield {**dict(frame.items()), "file_row": rows}, batch.odd, marked


def _frame(batch: Batch, names: Sequence[str]) -> Any:
    """None where a value is not what its column holds."""
    # All texts of a long run would not fit into memory.
    beginning = {"output_text": lambda cell: " ".join(text(cell)[:MOST_TEXT].split())} if "output_text" in names else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that the error, or the look at them, tells of
            return pd.read_csv(
                BytesIO(b"".join(batch.lines)),
                header=None,
                names=list(names),
                index_col=False,
                dtype=COLUMNS,
                converters=beginning,
                usecols=[name for name in names if name in COLUMNS or name in beginning],
                keep_default_na=False,  # a model may be called "null"
                na_values=[""],
            )
    except pd.errors.EmptyDataError:
        dtypes = {name: COLUMNS.get(name, "str") for name in names if name in COLUMNS or name in beginning}
        return pd.DataFrame({name: pd.Series([], dtype=dtype) for name, dtype in dtypes.items()})
    except (ValueError, TypeError, OverflowError):
        return None


def _suspicious(frame: Any) -> bool:
    """May a row of it hold a value that cannot be, though pandas takes it? Then each one is looked at."""
    if frame[["worker", "sequence", "outcome"]].isna().to_numpy().any():
        return True
    for name in frame.columns:
        kind = NUMBERS.get(name)
        if kind == "histogram":
            if _odd_histograms(frame[name]):
                return True
        elif kind == "whole":
            values = frame[name].dropna().to_numpy("int64")
            most = 2**63 - 1 if name.endswith("_ns") else MOST_COUNT
            if len(values) and (values.min() < (0 if name != "max_tokens" else -MOST_COUNT) or values.max() > most):
                return True
        elif kind and bool((frame[name].abs() > MOST).any() or (name in UNSIGNED and (frame[name] < 0).any())):
            return True
    return bool((frame["ended_unix_ns"] < frame["sent_unix_ns"]).any())


def _odd_histograms(column: Any) -> bool:
    """Is there anything in it but items `bucket` and `bucket:count`?"""
    joined = " ".join(column.dropna()).encode() + b" "
    if joined.translate(None, b"0123456789: "):
        return True
    given = np.frombuffer(joined, dtype=np.uint8)
    ends, colons = np.flatnonzero(given == ord(" ")), np.flatnonzero(given == ord(":"))
    starts, item = np.concatenate(([0], ends[:-1] + 1)), np.searchsorted(ends, colons)
    bucket_ends = ends.copy()
    bucket_ends[item] = colons
    buckets, counts = bucket_ends - starts, ends[item] - colons - 1
    filled = ends > starts
    return bool(
        len(np.unique(item)) < len(item)
        or ((buckets < 1) & filled).any()
        or (buckets > 4).any()
        or (counts < 1).any()
        or (counts > 12).any()
    )
