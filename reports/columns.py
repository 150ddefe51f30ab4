"""Columns of requests.csv in little memory, filled a block at a time: texts as categories, counts in few bytes.

A million rows are 0.4 GB so, and 1.7 as they come. Each column is one array that grows: many small ones would leave
holes between them, as large as themselves.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np
import pandas as pd

from tokenswarm.folder.row import IDENTITY, JUDGED, NUMBERS
from tokenswarm.reports.growing import Growing

_KINDS = {"duration": "float64", "rate": "float64", "whole": "float64", "histogram": "str"}
# How a column is read. A count becomes a nullable integer after that; a moment is one from the beginning, since a
# double cannot hold it.
READ = {
    **dict.fromkeys(IDENTITY, "category"),
    **{name: "Int64" if name.endswith("_ns") else _KINDS[kind] for name, kind in NUMBERS.items()},
    **dict.fromkeys(JUDGED, "category"),
    "check_notes": "str",
}
DIGESTS = frozenset({"text_digest", "request_digest"})
# What is absent of these is said to be so, for every row has to be of a group.
FILLED = {
    **dict.fromkeys(("endpoint", "model", "outcome", "error", "token_source", "ledger_source"), ""),
    "phase": "steady",
}
_WHOLE, _ABSENT = (np.int8, np.int32, np.int64), -1
_DIGITS, _HEXADECIMAL = 16, "0123456789abcdef"


class Floats:
    """Durations and rates: NaN is absent."""

    def __init__(self) -> None:
        self.rows, self._values = 0, Growing(np.float64)  # none of it is there for as long as all are absent

    @staticmethod
    def piece(column: Any) -> Any:
        """The values of some rows, as `put` takes them; None where all are absent."""
        values = column.to_numpy("float64")
        return None if np.isnan(values).all() else values

    def put(self, piece: Any, rows: int) -> None:
        """So many rows more."""
        if piece is not None or self._values.rows:
            self._values.put(np.nan, self.rows - self._values.rows)
            self._values.put(np.nan if piece is None else piece, rows)
        self.rows += rows

    def series(self, at: Any = None) -> Any:
        """All of it, or of some positions, for pandas: made when it is asked for."""
        values = self._values.values(at) if self._values.rows else np.full(count(self.rows, at), np.nan)
        return pd.Series(values, copy=False)


class Wholes:
    """Counts, read as floats or, if they are moments, as nullable integers; in as few bytes as they need."""

    def __init__(self) -> None:
        self.rows, self._values = 0, Growing(_WHOLE[0])
        self._absent = Growing(np.bool_)  # none of it is there for as long as none is absent, or all are

    @staticmethod
    def piece(column: Any) -> Any:
        """(values, which are absent), or None."""
        moments = isinstance(column.dtype, pd.Int64Dtype)
        absent = column.isna().to_numpy() if moments else np.isnan(column.to_numpy("float64"))
        if absent.all():
            return None
        if moments:
            known = column.to_numpy("int64", na_value=0)
        else:
            known = np.where(absent, 0, column.to_numpy()).astype(np.int64)
        greatest = max(known.max(initial=0), -known.min(initial=0))
        narrow = known.astype(next(dtype for dtype in _WHOLE if greatest <= np.iinfo(dtype).max))
        return narrow, absent if absent.any() else False

    def put(self, piece: Any, rows: int) -> None:
        """So many rows more."""
        if piece is not None or self._values.rows:
            known, absent = (np.int8(0), True) if piece is None else piece
            if np.iinfo(known.dtype).max > np.iinfo(self._values.dtype).max:
                self._values.wider(known.dtype)
            before = self.rows - self._values.rows  # all absent
            if before or self._absent.rows or np.any(absent):
                if not self._absent.rows:
                    self._absent.put(before > 0, self.rows)
                self._absent.put(absent, rows)
            self._values.put(0, before)
            self._values.put(known, rows)
        self.rows += rows

    def series(self, at: Any = None) -> Any:
        """All of it, or of some positions."""
        if self._values.rows:
            known = self._values.values(at)
            absent = self._absent.values(at) if self._absent.rows else np.zeros(len(known), dtype=bool)
        else:
            rows = count(self.rows, at)
            # As wide as a moment, from which another may be taken.
            known, absent = np.zeros(rows, dtype=np.int64), np.ones(rows, dtype=bool)
        return pd.Series(pd.arrays.IntegerArray(known, absent), copy=False)


class Texts:
    """Texts that are often the same, as categories in order (groups come in theirs); `filled` is for absent ones."""

    def __init__(self, filled: str | None = None) -> None:
        self.rows, self._codes, self._numbers, self._filled = 0, Growing(np.int8), dict[str, int](), filled
        self._named: Callable[[str], str] = str
        self._final: tuple[Any, Any] | None = None

    @staticmethod
    def piece(column: Any) -> Any:
        """(codes, their texts), or None."""
        codes = column.cat.codes.to_numpy()
        return None if (codes < 0).all() else (codes, [str(text) for text in column.cat.categories])

    def put(self, piece: Any, rows: int) -> None:
        """So many rows more."""
        codes, texts = (np.full(rows, _ABSENT), ()) if piece is None else piece
        own = [self._number(text) for text in texts]
        absent = _ABSENT if self._filled is None or (codes >= 0).all() else self._number(self._filled)
        if len(self._numbers) > np.iinfo(self._codes.dtype).max:
            self._codes.wider(np.int32)
        self._codes.put(np.array([*own, absent])[codes], rows)  # the code -1 takes the last one
        self.rows, self._final = self.rows + rows, None

    def _number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def rename(self, named: Callable[[str], str]) -> None:
        """Have other texts instead of these, of which several may become one."""
        self._named = named

    def series(self, at: Any = None) -> Any:
        """All of it, or of some positions."""
        if self._final is None:
            named = [self._named(text) for text in self._numbers]
            ordered = sorted(set(named))
            places = {text: place for place, text in enumerate(ordered)}
            codes = np.array([*(places[text] for text in named), _ABSENT], dtype=self._codes.dtype)
            self._final = codes, pd.CategoricalDtype(pd.Index(ordered, dtype="str"))
        codes, dtype = self._final
        return pd.Series(
            pd.Categorical.from_codes(codes[self._codes.values(at)], dtype=dtype, validate=False), copy=False
        )


class Digests:
    """Digests of 16 hexadecimal digits as numbers (UInt64), in their order; of what is none of these, its own digest.

    Nearly each row may have one of its own: as categories a million of them are 0.2 GB.
    """

    def __init__(self) -> None:
        self.rows, self._values = 0, Growing(np.uint64)  # 0 is absent

    @staticmethod
    def piece(column: Any) -> Any:
        """The numbers of some rows; None where all are absent."""
        codes = column.cat.codes.to_numpy()
        if not len(texts := column.cat.categories):
            return None
        return np.append(_numbers(texts), np.uint64(0))[codes]  # the code -1 takes the last one

    def put(self, piece: Any, rows: int) -> None:
        """So many rows more."""
        if piece is not None or self._values.rows:
            self._values.put(0, self.rows - self._values.rows)
            self._values.put(0 if piece is None else piece, rows)
        self.rows += rows

    def series(self, at: Any = None) -> Any:
        """All of it, or of some positions."""
        values = self._values.values(at) if self._values.rows else np.zeros(count(self.rows, at), dtype=np.uint64)
        return pd.Series(pd.arrays.IntegerArray(values, values == 0), copy=False)


def _numbers(digests: Any) -> Any:
    digests = [digest if _is_digest(digest) else _digest(digest) for digest in digests]
    return np.frombuffer(bytes.fromhex("".join(digests)), dtype=">u8").astype(np.uint64)


def _is_digest(text: str) -> bool:
    return len(text) == _DIGITS and not text.strip(_HEXADECIMAL)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=_DIGITS // 2).hexdigest()


class Seldom:
    """Texts that few rows have, or all of them: as they are, one after the other. An empty one is absent."""

    def __init__(self) -> None:
        self.rows, self._texts, self._ends = 0, Growing(np.uint8), Growing(np.int64)

    @staticmethod
    def piece(column: Any) -> Any:
        """(the length of each in bytes, all of them joined); None where all are absent."""
        texts = column.fillna("").to_numpy(object)
        encoded = [text.encode("utf-8", "replace") for text in texts]
        return (np.array([*map(len, encoded)], dtype=np.int64), b"".join(encoded)) if any(encoded) else None

    def put(self, piece: Any, rows: int) -> None:
        """So many rows more."""
        if piece is not None or self._ends.rows:
            self._ends.put(0, self.rows - self._ends.rows)
            lengths, joined = (np.int64(0), b"") if piece is None else piece
            self._ends.put(self._texts.rows + np.cumsum(np.broadcast_to(lengths, rows)), rows)
            self._texts.put(np.frombuffer(joined, dtype=np.uint8), len(joined))
        self.rows += rows

    def series(self, at: Any = None) -> Any:
        """All of it, or of some positions."""
        if not self._ends.rows:
            return pd.Series(np.full(count(self.rows, at), None, dtype=object), dtype="str")
        at = slice(0, self.rows) if at is None else at
        places = np.arange(at.start, at.stop) if isinstance(at, slice) else at
        ends = self._ends.values(places)
        begins = np.where(places > 0, self._ends.values(np.maximum(places - 1, 0)), 0)
        texts = (self._texts.values(slice(begin, end)).tobytes() for begin, end in zip(begins, ends, strict=True))
        return pd.Series([text.decode() or None for text in texts], dtype="str")


def count(rows: int, at: Any) -> int:
    """How many positions these are: of all rows (None), of a slice of them, or so many."""
    if at is None:
        return rows
    return at.stop - at.start if isinstance(at, slice) else len(at)


Column = Floats | Wholes | Texts | Digests | Seldom


def column(name: str) -> Column:
    """The empty column of a name."""
    return Texts(FILLED.get(name)) if (kind := kind_of(name)) is Texts else kind()


def kind_of(name: str) -> type[Column]:
    """How the column of a name is kept."""
    if name in DIGESTS:
        return Digests
    if READ.get(name) == "category":
        return Texts
    if NUMBERS.get(name) == "whole" or name == "file_row":
        return Wholes
    return Floats if READ.get(name) == "float64" or name == "gaps_ms" else Seldom


def absent(name: str, rows: int) -> Any:
    """What a block is read as of a column that the file does not have."""
    return pd.Series(pd.Categorical([None] * rows)) if READ[name] == "category" else pd.Series(np.full(rows, np.nan))
