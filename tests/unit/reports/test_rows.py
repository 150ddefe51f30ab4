"""Rows give what a DataFrame gives, whatever was selected before."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.reports import growing
from tokenswarm.reports.rows import Rows, in_order, known_values

NAMES = ["model", "ms", "tokens"]
Models = st.sampled_from(["a", "b", None])
Tables = st.lists(st.tuples(Models, st.floats(0, 9) | st.none(), st.integers(0, 9) | st.none()), max_size=30)


def frame(made: list[Any]) -> Any:
    columns = dict(zip(NAMES, zip(*made, strict=True) if made else ((), (), ()), strict=True))
    return pd.DataFrame(
        {
            "model": pd.Series(pd.Categorical(columns["model"], categories=["a", "b"])),
            "ms": pd.Series(columns["ms"], dtype="float64"),
            "tokens": pd.Series(columns["tokens"], dtype="Int64"),
        }
    )


def same(rows: Rows, expected: Any) -> None:
    assert len(rows) == len(expected)
    pd.testing.assert_frame_equal(rows.frame(NAMES), expected[NAMES].reset_index(drop=True))


@given(Tables)
def test_selected_twice_and_grouped(made: list[Any]) -> None:
    whole = frame(made)
    rows = Rows.of(whole)
    same(rows, whole)
    some, expected = rows[rows["ms"] < 5], whole[whole["ms"] < 5]
    same(some, expected)
    same(some[some["tokens"] > 2], expected[expected["tokens"] > 2])
    same(some.loc[some["model"] == "a", NAMES], expected[expected["model"] == "a"])
    groups = list(some.groupby(["model", "tokens"]))
    assert [key for key, _ in groups] == [key for key, _ in expected.groupby(["model", "tokens"], observed=True)]
    for key, group in groups:
        same(group, dict(list(expected.groupby(["model", "tokens"], observed=True)))[key])


@given(Tables)
def test_other_columns_hide_those_below(made: list[Any]) -> None:
    whole = frame(made)
    some, expected = (each[each["ms"].notna()] for each in (Rows.of(whole), whole))
    more = some.assign(ms=1.0, twice=some["tokens"].to_numpy("float64", na_value=np.nan) * 2)
    same(more[more["twice"] > 4], expected.assign(ms=1.0)[(expected["tokens"] > 2).to_numpy(bool, na_value=False)])
    assert more.columns == (*NAMES, "twice")


@given(Tables, st.integers(0, 30), st.integers(0, 30), st.integers(0, 5))
def test_rows_that_follow_each_other_are_as_any_others(made: list[Any], one: int, other: int, more: int) -> None:
    whole = frame(made)
    begin, end = sorted(min(each, len(made)) for each in (one, other))
    inside = np.isin(np.arange(len(made)), np.arange(begin, end))
    some, expected = Rows.of(whole)[inside], whole[inside]
    same(some, expected)
    same(some[some["ms"] < 5], expected[expected["ms"] < 5])
    same(some.assign(ms=2.0), expected.assign(ms=2.0))
    last = np.array([], dtype=int) if begin == end else np.array([len(some) - 1, 0])
    same(some.take(last), expected.iloc[last])
    first = slice(min(more, len(some)), len(some))
    same(some.take(first), expected.iloc[first])
    known = whole["ms"].notna()
    most = min(more, int(known.sum()))
    same(Rows.of(whole)[known].take(slice(0, most)), whole[known].iloc[:most])


@given(Tables)
def test_many_rows_are_grouped_as_few_are(made: list[Any]) -> None:
    whole = frame(made).assign(api=pd.Categorical(["y", "x"] * 15)[: len(made)])
    for by in ("model", ["api", "model"]):
        expected = list(Rows.of(whole).groupby(by))
        with pytest.MonkeyPatch.context() as few:
            few.setattr(growing, "MOST_IN_MEMORY", 0)
            found = list(Rows.of(whole).groupby(by))
        assert [key for key, _ in found] == [key for key, _ in expected]
        for (_, some), (_, rows) in zip(found, expected, strict=True):
            pd.testing.assert_frame_equal(some.frame(), rows.frame())


@given(Tables)
def test_known_values_are_those_that_are_there_and_ones_own(made: list[Any]) -> None:
    whole = frame(made)
    with pytest.MonkeyPatch.context() as few:
        few.setattr(growing, "MOST_IN_MEMORY", 3)
        few.setattr(growing, "PIECE", 2)
        for name in ("ms", "tokens"):
            found = known_values(Rows.of(whole), name)
            assert found.tolist() == known_values(whole, name).tolist() == whole[name].dropna().tolist()
            found[:] = -1
            assert not (whole[name] == -1).any()


def test_in_order_of_sending_ties_stay_and_what_was_not_sent_is_last() -> None:
    assert in_order(pd.Series([3, None, 1, 3, 2], dtype="Int64")).tolist() == [2, 4, 0, 3, 1]
