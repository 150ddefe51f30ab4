"""Rows of a run as its parts take them: columns as they are asked for, one at a time, and never a copy of all.

What is done with them is what is done with a DataFrame, as far as the parts of a report need it: they take either.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tokenswarm.reports import growing
from tokenswarm.reports.columns import Floats, Texts, Wholes, count


class Rows:
    """Rows by their positions in columns that are all as long; `column` gives one of these, as a Series, by its name
    and the positions that are wanted (None: all).

    A Series that comes from it counts its rows from 0 on, whichever they are in the columns.
    """

    def __init__(self, column: Callable[[str, Any], Any], names: Sequence[str], length: int, at: Any = None) -> None:
        self._column, self._names, self._length = column, tuple(names), length
        self._at = at  # positions, or a slice of them; None: all rows

    @classmethod
    def of(cls, frame: Any) -> "Rows":
        """Those of a DataFrame whose rows are counted from 0 on."""
        return cls(lambda name, at: _of(frame[name], at), tuple(frame.columns), len(frame))

    def __len__(self) -> int:
        return count(self._length, self._at)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self._names

    @property
    def loc(self) -> "_Loc":
        """`rows.loc[mask, names]`."""
        return _Loc(self)

    def __getitem__(self, wanted: Any) -> Any:
        """A column (its name), the same rows with some columns (a list of names), or some of the rows (a mask)."""
        if isinstance(wanted, str):
            if wanted not in self._names:
                raise KeyError(wanted)
            return self._column(wanted, self._at)
        if isinstance(wanted, list):
            return Rows(self._column, wanted, self._length, self._at)
        mask = wanted.to_numpy(bool, na_value=False) if isinstance(wanted, pd.Series) else wanted
        return self if mask.all() else self.take(_compact(np.flatnonzero(mask)))

    def get(self, name: str) -> Any:
        """A column, or None without one."""
        return self[name] if name in self._names else None

    def take(self, positions: Any) -> "Rows":
        """Those rows, in that order: an array of positions, or a slice from one to another."""
        return Rows(self._column, self._names, self._length, self._places(positions))

    def _places(self, positions: Any) -> Any:
        if positions is None:
            return self._at
        if isinstance(positions, slice):
            first = self._at.start if isinstance(self._at, slice) else 0
            own = slice(first + positions.start, first + positions.stop)
            return own if self._at is None or isinstance(self._at, slice) else self._at[own]
        narrow = positions.astype(np.int32, copy=False) if self._length < 2**31 else positions
        if isinstance(self._at, slice):
            return narrow + narrow.dtype.type(self._at.start)
        return narrow if self._at is None else self._at[narrow]

    def parts(self) -> Iterator["Rows"]:
        """All rows, so many after the other that any number of their columns fits into memory."""
        if len(self) <= growing.MOST_IN_MEMORY:
            yield self
            return
        for begin in range(0, len(self), growing.PIECE):
            yield self.take(slice(begin, min(begin + growing.PIECE, len(self))))

    def assign(self, **columns: Any) -> "Rows":
        """With columns more, or others: an array or a Series of as many values, a column of `reports.columns`, or one
        value for all rows."""

        def column(name: str, at: Any) -> Any:
            if name not in columns:
                return self._column(name, self._places(at))
            values = columns[name]
            if isinstance(values, Floats | Wholes | Texts):
                return values.series(at)
            if isinstance(values, pd.Series | np.ndarray):
                return _of(pd.Series(values, copy=False), at)
            return pd.Series(values, index=range(count(len(self), at)))

        return Rows(column, tuple(dict.fromkeys((*self._names, *columns))), len(self))

    def groupby(self, by: str | list[str], sort: bool = True, observed: bool = True) -> Iterator[tuple[Any, "Rows"]]:
        """(key, rows) of each group that has any, as pandas groups them."""
        names = [by] if isinstance(by, str) else by
        if len(self) > growing.MOST_IN_MEMORY:
            columns = [self[name] for name in names]
            texts = all(isinstance(column.dtype, pd.CategoricalDtype) for column in columns)
            if texts and math.prod(len(column.cat.categories) for column in columns) <= np.iinfo(np.int16).max:
                yield from self._grouped(columns, isinstance(by, str))
                return
        frame = self.frame(names)
        for key, positions in frame.groupby(by, sort=sort, observed=observed).indices.items():
            yield key, self.take(positions)

    def _grouped(self, columns: list[Any], single: bool) -> Iterator[tuple[Any, "Rows"]]:
        """The same of many rows, sorted by texts, in less memory than pandas needs."""
        sizes = [len(column.cat.categories) for column in columns]
        group, absent = np.zeros(len(self), dtype=np.int16), np.zeros(len(self), dtype=bool)
        for column, size in zip(columns, sizes, strict=True):
            codes = column.cat.codes.to_numpy()
            group = (group * np.int16(size) + codes).astype(np.int16)
            absent |= codes < 0
        group[absent] = -1
        order = np.argsort(group, kind="stable").astype(np.int32)
        counts = np.bincount(group[~absent], minlength=1) if len(group) else np.zeros(1, dtype=int)
        begin = int(absent.sum())
        del group, absent
        for number in np.flatnonzero(counts):
            end = begin + int(counts[number])
            places = np.unravel_index(number, sizes)
            key = tuple(column.cat.categories[place] for column, place in zip(columns, places, strict=True))
            yield key[0] if single else key, self.take(order[begin:end])
            begin = end

    def frame(self, names: Sequence[str] | None = None) -> Any:
        """A DataFrame of some columns."""
        return pd.DataFrame({name: self[name] for name in names or self._names}, copy=False)


def _of(series: Any, at: Any) -> Any:
    if at is None:
        return series
    return pd.Series(series.array[at] if isinstance(at, slice) else series.array.take(at), copy=False)


def _compact(positions: Any) -> Any:
    """A slice, where they follow each other."""
    if len(positions) and positions[-1] - positions[0] == len(positions) - 1:
        return slice(int(positions[0]), int(positions[-1]) + 1)
    return positions


def parts(rows: Any) -> Iterator[Any]:
    """Of Rows their parts; of a DataFrame all of it."""
    return rows.parts() if isinstance(rows, Rows) else iter((rows,))


def known_values(rows: Any, name: str) -> Any:
    """The values of a column that are not absent, as floats of one's own: with no more memory than they take."""
    found, n = np.empty(len(rows)), 0
    for some in parts(rows):
        values = some[name].to_numpy("float64", na_value=np.nan)
        values = values[~np.isnan(values)]
        found[n : n + len(values)] = values
        n += len(values)
    return found[:n]


def in_order(moments: Any) -> Any:
    """Positions that put moments (Int64) into their order, absent ones last."""
    order = np.argsort(moments.to_numpy("int64", na_value=2**63 - 1), kind="stable")
    return order.astype(np.int32) if len(order) < 2**31 else order


class _Loc:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __getitem__(self, wanted: tuple[Any, Any]) -> Any:
        mask, names = wanted
        return self._rows[mask][names]
