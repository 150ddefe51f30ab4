"""Distributions as a user writes them: what is drawn, and one line for what cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.payloads.distribution import Distribution, parse
from tokenswarm.payloads.seeded import fraction


@pytest.mark.parametrize(
    ("text", "unit", "mean", "spread"),
    [
        ("512", "", 512, 0),
        ("512±64", "", 512, 64),
        ("512 +-64", "", 512, 64),
        ("512+/-64", "", 512, 64),
        ("100..1000", "", 550, 900 / 12**0.5),
        ("lognormal 512 cv=0.5", "", 512, 256),
        ("Exponential 3", "", 3, 3),
        ("2", "s", 2, 0),
        ("500ms", "s", 0.5, 0),
        ("1.5m", "s", 90, 0),
        ("20s±500ms", "s", 20, 0.5),
        ("10..40ms", "s", 0.025, 0.03 / 12**0.5),
        ("lognormal 20s cv=1", "s", 20, 20),
    ],
)
def test_what_is_written_is_drawn(text: str, unit: str, mean: float, spread: float) -> None:
    parsed = parse(text, unit)
    drawn = [parsed.draw((place + 0.5) / 20_000) for place in range(20_000)]
    found = sum(drawn) / len(drawn)
    assert parsed.mean == pytest.approx(mean)
    assert found == pytest.approx(mean, rel=2e-3)
    assert (sum((value - found) ** 2 for value in drawn) / len(drawn)) ** 0.5 == pytest.approx(spread, rel=0.02)


def test_whole_numbers_reach_both_ends_alike_and_never_fall_below_the_least() -> None:
    drawn = [parse("1..4").whole(place / 1000) for place in range(1000)]
    assert [drawn.count(number) for number in range(1, 5)] == [250] * 4
    assert parse("1..4").whole(1.0) == 4
    assert min(parse("5±40", least=1).whole(place / 100) for place in range(101)) == 1


@given(
    st.sampled_from(["7", "7±9", "2..9", "lognormal 7 cv=3", "exponential 7"]).map(lambda text: parse(text, least=1)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_higher_quantile_is_no_smaller_value(drawn: Distribution, u: float, v: float) -> None:
    low, high = sorted((u, v))
    assert 1 <= drawn.draw(low) <= drawn.draw(high) < 1e9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "▸◂ is no number or distribution; write 20, 20±5, 10..40, lognormal 20 cv=1 or exponential 20"),
        ("-5", "▸-5◂ is no number or distribution; "),
        ("lognormal 20", "▸lognormal 20◂ is no number or distribution; "),
        ("20s", "▸20s◂: s is no unit here; write 20, "),
        ("0", "▸0◂ is too small; make it 1 or more"),
        ("9..3", "▸9..3◂ goes backwards; write the smaller number first"),
        ("9" * 400, f"▸{'9' * 400}◂ is too large; make it 1,000,000,000 or less"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="; ") as caught:
        parse(text, least=1)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_chance_depends_on_the_place_alone() -> None:
    assert fraction(42, 1, 7) == fraction(42, 1, 7) != fraction(42, 1, 8)
    drawn = [fraction("think", sequence) for sequence in range(4000)]
    assert 0.48 < sum(drawn) / len(drawn) < 0.52
