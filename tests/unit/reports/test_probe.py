"""What a report says of a probed server."""

from pathlib import Path
from typing import Any

import pytest
from golden.make import RUN, folder, golden_records

from tokenswarm.reports.load import load
from tokenswarm.reports.parts import probe as probed
from tokenswarm.reports.render import console
from tokenswarm.reports.summary import summarise
from tokenswarm.reports.write import report


def figure(value: Any, unit: str = "requests", **more: Any) -> dict[str, Any]:
    return {
        "value": value,
        "unit": unit,
        "how": "asked",
        "n": 3,
        "spread_percent": None,
        "at_least": False,
        "label": "the figure",
        **more,
    }


def summary(path: Path, users: int | None, **figures: dict[str, Any]) -> dict[str, Any]:
    found = {"model": "sim", "target": "http://box:11434", "seconds": 4.2, "figures": figures}
    run = {**RUN, "probe": found, "options": {"num_users": users}}
    return summarise(load(folder(path, golden_records(), run)))


@pytest.mark.parametrize(
    ("slots", "users", "said"),
    [
        (figure(4), 16, "4 slots (probed), so beyond 4 users TTFT is queueing: this run had 16 users."),
        (
            figure(4),
            4,
            "4 slots (probed), and this run had 4 users: TTFT holds no wait for a slot, if nobody else asked.",
        ),
        (figure(4), None, "4 slots (probed), so beyond 4 requests at once TTFT is queueing."),
        (figure(64, at_least=True), None, "At least 64 slots (probed)."),
        (figure(64, at_least=True), 16, "At least 64 slots (probed); this run had 16 users."),
    ],
)
def test_slots_beside_the_runs_users(slots: dict[str, Any], users: int | None, said: str, tmp_path: Path) -> None:
    found = summary(tmp_path, users, slots=slots)
    assert probed.sentences(found) == [said]
    assert said in " ".join(console.render(found).split())


def test_in_an_open_loop_users_are_no_load(tmp_path: Path) -> None:
    found = summary(tmp_path, 1000, slots=figure(4))
    found["circumstances"]["options"]["arrivals"] = "poisson 5/s"
    assert probed.sentences(found) == ["4 slots (probed), so beyond 4 requests at once TTFT is queueing."]


def test_rates_and_context(tmp_path: Path) -> None:
    alone = figure(125.0, "tokens/s", spread_percent=1.5)
    context = figure(4096, "tokens", how="in force, says /api/ps")
    found = summary(tmp_path, 8, decode_tokens_per_s=alone, context_tokens=context, slots=figure(None))
    # Ten tokens in 100 ms, in the golden run.
    assert probed.sentences(found) == [
        "One stream alone: 125 tokens/s (probed, ± 1.50 %); p50 in this run 100, 80.0 % of it.",
        "Context: 4,096 tokens (in force, says /api/ps).",
    ]
    (table,) = probed.section(found).tables
    assert ("the figure", "125 tokens/s", "asked (n=3, ± 1.50 %)") in table.rows
    assert ("the figure", "not known", "asked (n=3)") in table.rows


def test_an_odd_probe_harms_no_report(tmp_path: Path) -> None:
    for odd in ({"figures": []}, {"figures": {"slots": 4}}, {"figures": {"slots": {}}}, "none", {}):
        path = folder(tmp_path, golden_records(), {**RUN, "probe": odd})
        report(path)
