"""The trial of the probe: what it draws, and what it calls a hit."""

from typing import Any

from bench.probe_trial import DECODE_PER_S, PREFILL_PER_S, draw, errors, is_hit, summary


def figures(**values: Any) -> dict[str, dict[str, Any]]:
    truth = {"slots": 4, "waiting_limit": None, "load_queue_limit": 9, "decode_tokens_per_s": 50.0}
    truth |= {"prefill_tokens_per_s": 1000.0, "prompt_cache": True, "cold_load_ms": 500.0}
    return {name: {"value": value, "at_least": False} for name, value in {**truth, **values}.items()}


def test_servers_are_drawn_by_the_seed_over_all_that_was_asked() -> None:
    drawn = [draw(4, place) for place in range(100)]
    assert drawn == [draw(4, place) for place in range(100)]
    assert drawn != [draw(5, place) for place in range(100)]
    assert {server.slots for server in drawn} == set(range(1, 17))
    assert min(server.queue for server in drawn) < 5 < 60 < max(server.queue for server in drawn)
    for rates, (low, high) in (([s.decode for s in drawn], DECODE_PER_S), ([s.prefill for s in drawn], PREFILL_PER_S)):
        assert low <= min(rates) < 2 * low < high / 2 < max(rates) <= high
    assert sum(server.openai for server in drawn) == 20
    assert "--max-waiting" in str(drawn[4].options())
    assert "--openai-only" in drawn[4].options()
    assert "--max-queue" in str(drawn[0].options())


def test_a_hit_is_exact_or_near_enough() -> None:
    server = draw(4, 0).__class__(False, 4, 9, 50, 1000, 0.05, True, 500)
    exact = errors(server, figures())
    assert all(is_hit(name, error) for name, error in exact.items())
    off = errors(server, figures(slots=5, load_queue_limit=None, decode_tokens_per_s=53, prompt_cache=False))
    assert (off["slots"], off["queue"], off["decode"], off["cache"]) == (1, None, 6.0, -1)
    assert [name for name, error in off.items() if not is_hit(name, error)] == ["slots", "queue", "decode", "cache"]
    at_least = figures()
    at_least["slots"]["at_least"] = True
    assert errors(server, at_least)["slots"] is None
    rows = [{"errors": found, "seconds": took} for found, took in ((exact, 5.0), (off, 9.0), (off, 7.0))]
    said = summary(rows)
    assert "| parallel slots, exact | 1 / 3 | 1.00 | +1 | 0 |" in said
    assert "| queue limit, exact | 1 / 3 | 0.00 | 0 | 2 |" in said
    assert "| decode rate, within 5 % | 1 / 3 | 6.00 % | +6 % | 0 |" in said
    assert "A probe took 7.0 s (median; 5.0 to 9.0 s)" in said
