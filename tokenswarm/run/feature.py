"""What a capability adds to a run: a row of `tokenswarm.features.FEATURES`, whose hooks are called in its order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenswarm.preflight.discovery import FoundServer
from tokenswarm.preflight.prepare import Prepared, prepare
from tokenswarm.settings.settings import Settings, settings
from tokenswarm.wire.values import Ask


def _nothing(*_: Any) -> None:
    """The hook of a feature that has nothing to do there."""


@dataclass(frozen=True, slots=True)
class Feature:
    """Its hooks, in the order of a run's life. `options` are Locust's parsed ones.

    `check` raises UsageError where they do not go together, before anything is asked of the server; it may fill in what
    follows from them, and give what they come to (`Preparation.found`). `check_classes` raises it for User classes that
    were chosen. `most_users` are those that the options ask for (None: as many as `--users` says). `form` gives what
    Locust is to change in the web form's fields. `before_load` is asked of the server before any load, and goes into
    run.json. `at_rest` is what comes last before the load, while the server (of that engine) has nothing to do: what
    it gives takes the place of what `check` gave. `facts` are further parts of run.json. `join` connects the feature,
    by the process's `RunLifecycle`, to its events and messages: in the order of the features, after the run's own.
    """

    name: str
    check: Callable[[Any], object] = _nothing
    check_classes: Callable[[Any, Sequence[Any]], object] = _nothing
    most_users: Callable[[Any], int | None] = lambda _: None
    form: Callable[[Any, Mapping[str, str]], Mapping[str, str]] = lambda *_: {}
    before_load: Callable[[Settings, FoundServer, Ask], dict[str, Any]] | None = None
    at_rest: Callable[[Any, str], object] | None = None
    facts: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    join: Callable[[Any], object] = _nothing


def check(features: Sequence[Feature], options: Any) -> tuple[Settings, dict[str, Any]]:
    """What can be checked without the server, and what came of it by the features' names. Raises UsageError."""
    found = {feature.name: feature.check(options) for feature in features}
    return settings(options), found


def ready(
    features: Sequence[Feature], options: Any, classes: Sequence[Any], named: Sequence[str]
) -> tuple[Prepared, dict[str, Any]]:
    """All that happens before any load (see `preflight.prepare`), and what `check` found. Raises UsageError."""

    def check_classes(chosen: Sequence[Any]) -> None:
        for feature in features:
            feature.check_classes(options, chosen)

    checked, found = check(features, options)
    asked = (users for feature in features if (users := feature.most_users(options)) is not None)
    most_users = next(asked, options.num_users or 1)
    probe = next((feature.before_load for feature in features if feature.before_load), None)
    hooks: dict[str, Any] = {"check_classes": check_classes, "probe": probe}
    prepared = prepare(checked, options, classes, named, most_users=most_users, **hooks)
    return prepared, found | {
        one.name: one.at_rest(options, prepared.target.get("engine", "")) for one in features if one.at_rest
    }
