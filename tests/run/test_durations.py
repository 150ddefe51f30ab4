"""A run against a server that makes its durations up: it says so."""

from pathlib import Path

from wire_http import cases
from wire_http import load as load_run


def test_a_run_against_a_server_that_makes_them_up_says_so(tmp_path: Path) -> None:
    run, terminal, _ = load_run(cases()["A4-ollama-made-up-durations"], tmp_path)
    good = [row for row in run.rows if row["outcome"] == "ok"]
    assert len(good) > 3
    for row in good:
        assert (row["durations_impossible"], row["output_tokens"]) == ("1", "12")
        assert not any(row[f"{name}_tokens_per_s"] for name in ("eval", "decode", "prompt"))
    (finding,) = (one for one in run.run["validity"]["findings"] if one["rule"] == "durations")
    assert (finding["level"], finding["figure"]) == ("remark", 100)
    assert "durations of the server's that cannot be" in terminal
