"""The options of a capacity search: do they go together, and where does it search?"""

from typing import Any

from tokenswarm.capacity.search import SearchRange, round_load
from tokenswarm.load.arrivals import Arrivals, ArrivalsError, parse
from tokenswarm.metrics.slo.judge import allowed_share
from tokenswarm.run.slo_gate import slos
from tokenswarm.settings.command_line import seconds_in
from tokenswarm.settings.errors import UsageError

NAME = "capacity"  # in the list of features
MOST_USERS, MOST_RATE = 1000, 1e6
LEAST_REQUESTS = 10  # a rate at which a trial would see fewer is not tried
SCHEDULED = ("response_ms", "lateness_ms")  # what only a request that was due has
KINDS = 'give a steady rate to begin with: "poisson 1/s", "constant 1/s" or "gamma 1/s cv=2"'


def check(options: Any) -> SearchRange | None:
    """Where `--find-capacity` searches, None without it; Locust is then to begin with one user. Raises UsageError."""
    if not options.find_capacity:
        return None
    if not options.slo:
        raise UsageError('--find-capacity: keep to what? Add --slo "ttft_ms p95 < 500"')
    for slo in slos(options.slo):
        if slo.aggregate == "rate":
            raise UsageError(f"--slo {slo.text!r}: more load gives more of it, so it bounds no load; give its limits")
        if slo.subject in SCHEDULED and not options.arrivals:
            raise UsageError(f"--slo {slo.text!r}: in a closed loop nothing is due; use e2e_ms, or give --arrivals")
    for name, given, what in (
        ("--stages", options.stages, "the search chooses the numbers of users itself"),
        ("--trace", options.trace, f"a trace has its own rate; {KINDS}"),
        ("--slo-abort", options.slo_abort, "the search ends by itself"),
        ("--warmup", seconds_in(options.warmup), "each trial has a settling of its own"),
    ):
        if given:
            raise UsageError(f"{name} and --find-capacity: {what}; leave one of them out")
    if trial_s(options) < 1:
        raise UsageError(f"--trial-time {options.trial_time} is too short; give 1s or more, rather 60s")
    if options.arrivals:
        start = round_load(_steady(options.arrivals).rates_per_s[0])
        pooled = all(allowed_share(slo) for slo in slos(options.slo))
        return SearchRange(True, start, min(start, round_load(LEAST_REQUESTS / trial_s(options))), MOST_RATE, pooled)
    most_users, options.num_users = int(options.num_users or MOST_USERS), 1
    return SearchRange(False, 1.0, 1.0, float(most_users))


def trial_s(options: Any) -> float:
    """The longest time of a trial."""
    return seconds_in(options.trial_time)


def at(options: Any, rate_per_s: float) -> str:
    """The arrivals of `--arrivals` at another rate."""
    process = _steady(options.arrivals)
    return (
        f"gamma {rate_per_s:.6f}/s cv={process.cv:g}"
        if process.cv not in (0, 1)
        else (f"{'poisson' if process.cv else 'constant'} {rate_per_s:.6f}/s")
    )


def _steady(text: str) -> Arrivals:
    try:
        process = parse(text)
    except ArrivalsError as error:
        raise UsageError(f"--arrivals: {error}") from None
    if process.shape != "steady":
        raise UsageError(f"--arrivals ▸{text}◂ and --find-capacity: the search changes the rate itself; {KINDS}")
    return process


def most_users(options: Any) -> int | None:
    """How many the process must have room for: one, as where the search comes to what may be open, it ends there."""
    return 1 if options.find_capacity else None


def of_form(options: Any, form: Any) -> dict[str, str]:
    """What Locust is to change in the web form: its number of users is where the search ends, not where it begins."""
    if not options.find_capacity or options.arrivals:
        return {}
    users = str(form.get("user_count") or "")
    options.num_users = int(users) if users.isdigit() else None
    return {"user_count": "1", "spawn_rate": "1"}
