"""Locust's own options, checked as ours are: one line before anything runs, where Locust has a traceback or silence."""

import errno
import os
import socket
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from locust.user.task import is_markov_taskset
from locust.util.load_locustfile import is_user_class

from tokenswarm.run.cluster import forget_who_stops
from tokenswarm.settings.command_line import remember_defaults, seconds_in
from tokenswarm.settings.errors import UsageError

# Were the ports looked at? Locust parses the command line again for each page that it serves, on those very ports.
_looked: list[bool] = []
MOST_S = 1_000_000_000
MOST_USERS = 1_000_000


def limit_time_spans(parser: Any) -> None:
    """Have Locust's parser take no time span beyond reason."""
    for action in parser._actions:
        if action.dest in ("run_time", "stop_timeout"):
            action.type = span_s


def wants_otel(options: Any) -> bool:
    """Was Locust started with `--otel`? Older ones have no such option."""
    return bool(getattr(options, "otel", False))


def limit_batches(options: Any) -> None:
    """With `--otel` have the SDK write fewer spans at once than its 512, which stop the loop for 34 ms."""
    if wants_otel(options):
        os.environ.setdefault("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "32")  # about 2 ms


def spare_the_loop() -> None:
    """Spare it what Locust would stop it with in the middle of a load."""
    remember_defaults()
    forget_who_stops()


def check(options: Any) -> None:
    """Classes that are there, numbers within reason, and ports that are free. Raises UsageError."""
    check_classes(options.user_classes)
    if options.num_users is not None and not 0 <= options.num_users <= MOST_USERS:
        raise UsageError(f"--users ▸{options.num_users}◂: give a number from 0 to {MOST_USERS:,}")
    if options.worker or _looked:
        return
    _looked.append(True)
    if options.master or options.processes:
        _check_port("--master-bind-port", options.master_bind_host, options.master_bind_port, "workers")
    if not options.headless:
        _check_port("--web-port", options.web_host, options.web_port, "the web UI")


def span_s(text: str) -> int:
    """A time span of Locust's, s, within reason: more than its own timers can bear would be a traceback."""
    try:
        seconds = int(seconds_in(text))
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"▸{text}◂ is no time span, or too long; give 20, 20s, 3m, 1h20m …") from None
    if seconds > MOST_S:
        raise ArgumentTypeError(f"▸{text}◂ is too long; make it {MOST_S:,} s or less")
    return seconds


def check_classes(asked: Sequence[str]) -> None:
    """Are they User classes of the locustfile, which Locust has loaded by now? Raises UsageError."""
    names = sorted(_class_names())
    for name in asked:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise UsageError(f"no class ▸{name}◂ in the locustfile; {hint}")


def _class_names() -> set[str]:
    """As Locust names them: by the variable of the locustfile, which need not be the class's own name."""
    held = (item for module in [*sys.modules.values()] for item in [*getattr(module, "__dict__", {}).items()])
    return {name for name, each in held if isinstance(each, type) and is_user_class(each)}  # the cheap question first


def select_tagged(options: Any, classes: Sequence[Any], named: Sequence[str]) -> list[Any]:
    """Those classes to which --tags and --exclude-tags leave a task, as Locust chooses them. Raises UsageError.

    A user of another class would end with a traceback, again and again; which of the `named` are left out is said.
    """
    wanted, unwanted = set(options.tags or ()), set(options.exclude_tags or ())
    if not wanted | unwanted:
        return [*classes]

    def has_task(holder: Any) -> bool:
        if is_markov_taskset(holder) or getattr(holder, "functions", None):  # what a PytestUser has in place of tasks
            return True
        return any(has_task(one) if hasattr(one, "tasks") else fits(one) for one in holder.tasks)

    def fits(task: Any) -> bool:
        tags: set[str] = getattr(task, "locust_tag_set", set())
        return not tags & unwanted and bool(not wanted or tags & wanted)

    kept = [each for each in classes if has_task(each)]
    if not [each for each in kept if not named or each.__name__ in named]:
        raise UsageError("--tags and --exclude-tags leave no task of any class; take them back, or tag a task of yours")
    if gone := ", ".join(each.__name__ for each in classes if each not in kept and each.__name__ in named):
        print(f"tokenswarm: warning: --tags and --exclude-tags leave no task of {gone}: left out", file=sys.stderr)
    return kept


def _check_port(name: str, host: str | None, port: int, who: str) -> None:
    """As the server that will listen there binds it: one that somebody else listens on is taken."""
    address = "" if host in (None, "*") else host
    family = socket.AF_INET6 if ":" in (address or "") else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OverflowError:
            raise UsageError(f"{name} ▸{port}◂ is no port; give one from 1 to 65535") from None
        except OSError as error:
            why = "somebody listens there already" if error.errno == errno.EADDRINUSE else error.strerror
            raise UsageError(f"{name} ▸{port}◂ cannot be had for {who} ({why}); end that, or give another") from None
