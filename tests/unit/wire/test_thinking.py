"""Think tags inside the text are told apart from it, wherever chunks cut them."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.metrics.record import Identity
from tokenswarm.metrics.record_builder import RecordBuilder
from tokenswarm.wire.thinking import separate
from tokenswarm.wire.values import Chunk, Transcript


def told(chunks: list[Chunk]) -> tuple[str, str]:
    """Answer and thinking, as a RecordBuilder takes them."""
    builder = RecordBuilder(streamed=True)
    for chunk in chunks:
        builder.add(chunk)
    kept = builder.answer()
    return kept.text, kept.thinking


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
    assert told(cut) == told(whole)


@pytest.mark.parametrize("piece", ["<", "a<", "<think>", "<think></think>", "</think", "</think>", "x"])
def test_a_chunk_of_a_million_characters_is_sorted_in_linear_time(piece: str) -> None:
    """Ten seconds for what takes some milliseconds, or, by the square of its length, hours."""
    text = "<" + piece * (1_000_000 // len(piece))
    began_s = time.process_time()
    cut = [Chunk(1, text[at : at + 100]) for at in range(0, len(text), 100)]
    assert told(list(separate(cut))) == told(list(separate([Chunk(1, text)])))
    assert time.process_time() - began_s < 10


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


def test_a_closing_tag_alone_ends_a_thinking_that_began_in_the_prompt() -> None:
    pieces = ["I ", "wonder", ".</th", "ink>\n", "Blue", " <b>"]
    chunks = list(separate([Chunk(number, text) for number, text in enumerate(pieces)]))
    assert told(chunks) == ("\nBlue <b>", "I wonder.")
    builder = RecordBuilder(streamed=True)
    for chunk in chunks:
        builder.add(chunk)
    record = builder.record(Identity(0, 0, "", "", "", "", 1), Transcript(), "ok", "")
    assert (record.first_output_ns, record.first_answer_ns) == (0, 3)
    assert (record.text_chars, record.thinking_chars) == (9, 9)


def test_after_a_block_a_closing_tag_is_text() -> None:
    assert told(list(separate([Chunk(0, "<think>a</think>b</think>c")]))) == ("b</think>c", "a")
