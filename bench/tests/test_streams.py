"""Which points `bench.streams` measures."""

from bench.measure import Asked
from bench.streams import points


def test_points_are_named_after_their_streams_and_how_they_run() -> None:
    found = points([100, 600], ["staggered", "in-step", "tls"], Asked(tokens=7, ramp_s=4.0))
    assert list(found) == ["100", "100-in-step", "100-tls", "600", "600-in-step", "600-tls"]
    assert (found["600"].streams, found["600"].stagger_s, found["600"].tokens) == (600, 1.0, 7)
    assert (found["600-in-step"].stagger_s, found["600-in-step"].ramp_s) == (0.0, 2.0)
    assert not found["600-tls"].tls  # it has its certificate once there is one
