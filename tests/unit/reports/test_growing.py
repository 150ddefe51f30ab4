"""Columns that grow beyond what is kept in memory give what they were given."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.reports import growing
from tokenswarm.reports.columns import Digests, Floats, Seldom, Texts, Wholes
from tokenswarm.reports.growing import Growing

Blocks = st.lists(st.lists(st.integers(-100, 100), max_size=9), max_size=9)


@given(Blocks, st.lists(st.integers(0, 80), max_size=20), st.integers(0, 60))
def test_what_is_in_a_file_is_read_from_any_place(blocks: list[list[int]], places: list[int], most: int) -> None:
    values = np.array([value for block in blocks for value in block], dtype=np.int8)
    with pytest.MonkeyPatch.context() as few:
        few.setattr(growing, "MOST_IN_MEMORY", most)
        few.setattr(growing, "PIECE", 7)
        made = Growing(np.int8)
        for block in blocks:
            made.put(np.array(block, dtype=np.int8), len(block))
        made.put(3, 2)
        made.wider(np.int32)
        made.put(1 << 20, 1)
        expected = np.concatenate((values, [3, 3, 1 << 20]))
        assert made.values().tolist() == expected.tolist()
        for at in (np.array(places, dtype=np.int32) % len(expected), np.unique(places).astype(np.int32)):
            inside = at[at < len(expected)]
            assert made.values(inside).tolist() == expected[inside].tolist()
        for begin in places:
            some = slice(min(begin, len(expected)), len(expected))
            assert made.values(some).tolist() == expected[some].tolist()


def test_a_column_that_begins_late_is_absent_before() -> None:
    floats, wholes, texts = Floats(), Wholes(), Texts()
    for column, piece in (
        (floats, np.array([1.5, np.nan])),
        (wholes, (np.array([7, 0]), np.array([False, True]))),
        (texts, (np.array([0, -1]), ["a"])),
    ):
        column.put(None, 2)
        assert column.series().isna().tolist() == [True] * 2
        column.put(piece, 2)
        column.put(None, 1)
        assert column.series().isna().tolist() == [True, True, False, True, True]
        assert column.series(np.array([3, 2])).isna().tolist() == [True, False]
    assert (floats.series()[2], wholes.series()[2], texts.series()[2]) == (1.5, 7, "a")


def test_counts_of_which_some_are_absent_later_on() -> None:
    counts = Wholes()
    counts.put(Wholes.piece(pd.Series([1.0, 2.0])), 2)
    assert counts.series().isna().tolist() == [False, False]
    counts.put(Wholes.piece(pd.Series([np.nan, 4.0])), 2)
    counts.put(Wholes.piece(pd.Series([5.0])), 1)
    assert counts.series().tolist() == [1, 2, pd.NA, 4, 5]
    assert counts.series(slice(2, 4)).isna().tolist() == [True, False]


@given(st.lists(st.lists(st.sampled_from([None, "a", "it's 它", "0" * 15 + "f", "f" * 16]), max_size=5), max_size=6))
def test_texts_and_digests_of_which_many_are_different(blocks: list[list[str | None]]) -> None:
    texts, digests = Seldom(), Digests()
    with pytest.MonkeyPatch.context() as few:
        few.setattr(growing, "MOST_IN_MEMORY", 3)
        for block in blocks:
            texts.put(Seldom.piece(pd.Series(block, dtype="str")), len(block))
            digests.put(Digests.piece(pd.Series(pd.Categorical(block))), len(block))
        every = [one for block in blocks for one in block]
        places = np.arange(len(every))[::-2]
        for at in (None, places, slice(len(every) // 2, len(every))):
            expected = [every[place] for place in np.arange(len(every))[slice(None) if at is None else at]]
            assert [None if one != one else one for one in texts.series(at)] == expected
            found = digests.series(at)
            assert found.isna().tolist() == [one is None for one in expected]
            numbers = dict(zip(expected, found.tolist(), strict=True))
            assert len(set(numbers.values())) == len(numbers)
            assert numbers.get("0" * 15 + "f", 15) == 15
