"""Think tags inside the text are told apart from it, wherever chunks cut them."""

from hypothesis import given
from hypothesis import strategies as st

from wire.thinking import separate
from wire.values import Chunk


@given(
    st.lists(
        st.sampled_from(["<think>", "</think>", "a", "<", "b<", "<th", "ink>", "</", "think", ">", ""]), max_size=14
    )
)
def test_tags_are_found_wherever_the_chunks_cut_them(pieces: list[str]) -> None:
    chunks = [Chunk(number, text) for number, text in enumerate(pieces)]
    cut = list(separate(chunks))
    whole = list(separate([Chunk(0, "".join(pieces))]))
    assert [c.ns for c in cut] == list(range(len(pieces)))  # none lost, none moved
    assert "".join(c.text for c in cut) == "".join(c.text for c in whole)
    assert "".join(c.thinking for c in cut) == "".join(c.thinking for c in whole)


def test_a_lone_bracket_keeps_its_time_and_a_tag_is_no_output() -> None:
    found = list(
        separate(
            [Chunk(1, "<"), Chunk(2, "3"), Chunk(3, "<thi"), Chunk(4, "nk>"), Chunk(5, "hm"), Chunk(6, "</think>x")]
        )
    )
    assert [(c.ns, c.text, c.thinking) for c in found] == [
        (1, "<", ""),
        (2, "3", ""),
        (3, "", ""),
        (4, "", ""),
        (5, "", "hm"),
        (6, "x", ""),
    ]  # fmt: skip
