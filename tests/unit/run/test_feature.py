"""What a feature's row does to a run, and that each of ours is there once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_cluster import FakeCluster
from one_process import begin, end, process
from options import parsed

from tokenswarm.features import FEATURES, offline
from tokenswarm.preflight.prepare import Prepared
from tokenswarm.run import feature as module
from tokenswarm.run.feature import Feature, check, ready
from tokenswarm.settings.errors import UsageError


def refuse(options: Any) -> None:
    raise UsageError("--model and --host: not today")


def test_each_is_there_once() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)


def test_what_a_feature_refuses_is_said_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "prepare", lambda *_, **__: pytest.fail("the server was asked"))
    with pytest.raises(UsageError, match="not today"):
        ready([Feature("ours"), Feature("new", check=refuse)], parsed("--host", "h"), [], [])


def test_a_search_by_a_trace_is_refused_without_reading_the_trace() -> None:
    with pytest.raises(UsageError, match="--trace and --find-capacity"):
        offline(parsed("--host", "h", "--find-capacity", "--slo", "e2e_ms p95 < 1", "--trace", "there-is-none.csv"))


@pytest.mark.parametrize(
    ("arguments", "most"),
    [
        (("--users", "7"), 7),
        ((), 1),
        (("--stages", "2x1s,3..9x1s,4x1s"), 9),
        (("--find-capacity", "--slo", "e2e_ms p95 < 1", "--users", "500"), 1),
        (("--arrivals", "5/s", "--max-in-flight", "30"), 30),
    ],
)
def test_the_process_makes_room_for_as_many_users_as_there_will_be(
    arguments: Sequence[str], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[int]()

    def prepare(*_: object, most_users: int, **__: object) -> Prepared:
        seen.append(most_users)
        return Prepared((), {}, {}, {})

    monkeypatch.setattr(module, "prepare", prepare)
    ready(FEATURES, parsed("--host", "h", *arguments), [], [])
    assert seen == [most]


def test_classes_that_were_chosen_are_checked_by_all(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mine:
        fixed_count = 0

    monkeypatch.setattr(module, "prepare", lambda *_, check_classes, **__: check_classes([Mine]))
    with pytest.raises(UsageError, match="no class Other runs"):
        ready(FEATURES, parsed("--host", "h", "--weights", "Other=2"), [], [])


def test_a_feature_joins_after_the_run_and_adds_its_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = list[str]()

    def join(run: Any) -> None:
        run.environment.events.test_start.add_listener(lambda **_: order.append(run.publisher.run_id))

    new = Feature("new", facts=lambda options: {"new": options.model}, join=join)
    with process(FakeCluster(), tmp_path, monkeypatch, features=(new,)) as lifecycle:
        begin(lifecycle)
        end(lifecycle)
    (path,) = tmp_path.glob("*/run.json")
    assert json.loads(path.read_text())["new"] == "m"
    assert order == [path.parent.name]


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        (("--arrivals", "5/s"), {"spawn_rate": "40"}),
        (("--find-capacity",), {"user_count": "1", "spawn_rate": "1"}),
        (("--stages", "2x1s"), {}),
    ],
)
def test_what_the_web_form_says_of_users_is_read_as_the_load_wants_it(
    arguments: Sequence[str], changes: dict[str, str]
) -> None:
    found: dict[str, str] = {}
    for feature in FEATURES:
        found |= feature.form(parsed("--host", "h", *arguments), {"user_count": "40"})
    assert found == changes


def test_settings_are_what_all_have_agreed_to() -> None:
    seen = list[str]()
    rows = [Feature(name, check=lambda options, name=name: seen.append(name)) for name in ("first", "second")]
    settings, found = check(
        [*rows, Feature("third", check=lambda options: options.seed)], parsed("--host", "http://h:1")
    )
    assert (settings.target.host, found) == ("h", {"first": None, "second": None, "third": 0})
    assert seen == ["first", "second"]
