"""How well a process itself is doing: what is seen since a mark."""

import gevent
import pytest

from tokenswarm.transport import health
from tokenswarm.transport.health import Health


def test_lags_since_a_mark_are_all_there_though_older_ones_are_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A capacity search takes longer than the lags that are kept, and judges each trial by its own."""
    monkeypatch.setattr(health, "INTERVAL_S", 0.001)
    monkeypatch.setattr(health, "MOST_LAGS", 20)
    seen = Health()
    try:
        gevent.sleep(0.03)
        mark = seen.mark()
        assert seen.snapshot(mark)["loop_lag_ms_p99"] == 0
        while len(lags := mark[0]) <= 20:
            gevent.sleep(0.002)
        assert seen.snapshot(mark)["loop_lag_ms_p99"] == round(sorted(lags)[int(len(lags) * 0.99)], 3)
    finally:
        seen.stop()
