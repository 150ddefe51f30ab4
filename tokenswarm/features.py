"""All capabilities that hook into a run, one row each, in the order in which their hooks are called.

A new one is its own file and a row here (see `tokenswarm.run.feature`).
"""

from collections.abc import Sequence
from typing import Any

from tokenswarm.capacity import options as searching
from tokenswarm.preflight.discovery import FoundServer
from tokenswarm.preflight.prepare import Prepared
from tokenswarm.run import counted, depths, feature, open_loop, same_prompts, server_side, slo_gate, stages
from tokenswarm.run.feature import Feature
from tokenswarm.run.live import Live
from tokenswarm.run.locust_options import wants_otel
from tokenswarm.run.memory_sampler import Sampler
from tokenswarm.run.open_loop import OpenLoop
from tokenswarm.run.rebalance import Rebalancer
from tokenswarm.run.terminal import Terminal
from tokenswarm.run.user_changes import UserChanges
from tokenswarm.settings import weights
from tokenswarm.settings.settings import Settings
from tokenswarm.wire.values import Ask

# What few runs need is imported where it is asked for.


def _search(run: Any) -> None:
    # The web form, or a worker's master, may ask for it later.
    if run.options.find_capacity or run.cluster.is_worker or not run.options.headless:
        from tokenswarm.capacity.controller import Capacity

        Capacity(run.environment, run).listen()


def _probe(settings: Settings, server: FoundServer, ask: Ask) -> dict[str, Any]:
    from tokenswarm.probe.questions import probe

    return probe(settings, server, ask)


def _check_otel(options: Any) -> None:
    if wants_otel(options):
        from tokenswarm.run.otel import check

        check()


def _tell_otel(run: Any) -> None:
    if wants_otel(run.options):
        from tokenswarm.run.otel import Telemetry

        Telemetry(run).listen()


FEATURES = (
    Feature("slo", check=lambda options: slo_gate.slos(options.slo)),
    Feature(
        "open loop",
        check=open_loop.check,
        check_classes=open_loop.check_classes,
        form=open_loop.of_form,
        join=lambda run: OpenLoop(run.environment, run.cluster, run.clocks).listen(),
    ),
    Feature(  # after the open loop, whose arrivals it chooses
        searching.NAME,
        check=searching.check,
        most_users=searching.most_users,
        form=searching.of_form,
        join=_search,
    ),
    Feature(
        "stages",
        check=stages.check,
        most_users=stages.most_users,
        facts=stages.as_run_json,
        join=lambda run: stages.follow(run.environment, run.cluster),
    ),
    Feature(
        "weights",
        check=weights.check,
        check_classes=lambda options, classes: weights.check_classes(options.weights, classes),
    ),
    Feature("same prompts", check=same_prompts.check, check_classes=same_prompts.check_classes),
    Feature("depths", check=depths.check, check_classes=depths.check_classes),
    Feature("requests", check=counted.check, join=lambda run: counted.Counted(run).listen()),
    Feature("probe", before_load=_probe),
    Feature("memory", join=lambda run: Sampler(run.environment, run).listen()),
    Feature(
        server_side.NAME,
        check=server_side.check,
        at_rest=server_side.at_rest,
        join=lambda run: server_side.ServerSide(run).listen(),
    ),
    Feature("otel", check=_check_otel, join=_tell_otel),
    Feature("live", join=lambda run: Live(run).listen()),
    Feature("user changes", join=lambda run: UserChanges(run).listen(run.environment.events)),
    Feature("terminal", join=lambda run: Terminal(run).listen()),
    Feature("rebalance", join=lambda run: Rebalancer(run).listen(run.environment.events)),
)


def offline(options: Any) -> Settings:
    """What can be checked without the server. Raises UsageError."""
    return feature.check(FEATURES, options)[0]


def prepare(options: Any, classes: Sequence[Any], named: Sequence[str]) -> Prepared:
    """All that happens before any load. Raises UsageError."""
    return feature.ready(FEATURES, options, classes, named)[0]
