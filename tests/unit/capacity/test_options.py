"""What goes with a capacity search, and what does not."""

import pytest
from options import parsed

from tokenswarm.features import offline
from tokenswarm.settings.errors import UsageError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--find-capacity: keep to what?"),
        (("--slo", "goodput > 3/s"), "--slo 'goodput > 3/s': more load gives more of it"),
        (("--slo", "response_ms p95 < 500"), "--slo 'response_ms p95 < 500': in a closed loop nothing is due"),
        (("--slo", "ttft_ms p95 < 500", "--stages", "1x5s"), "--stages and --find-capacity"),
        (("--slo", "ttft_ms p95 < 500", "--arrivals", "ramp 1/s..5/s over 1m"), "the search changes the rate itself"),
        (("--slo", "ttft_ms p95 < 500", "--trace", "x.csv"), "--trace and --find-capacity"),
        (("--slo", "ttft_ms p95 < 500", "--trial-time", "0s"), "--trial-time 0s is too short"),
        (("--slo", "ttft_ms p95 < 500", "--warmup", "5s"), "--warmup and --find-capacity"),
    ],
)
def test_what_does_not_go_with_a_search_is_one_line(options: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError) as error:
        offline(parsed("--host", "http://127.0.0.1:9", "--find-capacity", *options))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
