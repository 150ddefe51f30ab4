"""Whose the secrets of the command line are: those of the server that it names, and of no other that a form names."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from tokenswarm.metrics.validity.rules import make_finding
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.target import target


class Own(NamedTuple):
    """What Locust was started with."""

    host: str | None
    api_key: str
    header: Sequence[str]


def keep_at_home(options: Any, own: Own) -> list[dict[str, Any]]:
    """Put key and headers into the options if their host is of the same origin, else take them out. A remark, if so.

    A key that the options have already was typed for their host. Raises UsageError if that is no address.
    """
    where = _origin(options.host)
    if home(options.host, own):
        options.api_key, options.header = options.api_key or own.api_key, list(own.header)
        return []
    options.header = []
    if not own.header and (options.api_key or not own.api_key):
        return []
    what = f"the API key and --header that Locust was started with are not for {where[0]}://{where[1]}:{where[2]}"
    print(f"tokenswarm: warning: {what}; they stay here", file=sys.stderr)
    return [make_finding("other host", "remark", what, "start Locust with that --host, or type its key into the form")]


def home(host: str | None, own: Own) -> bool:
    """Is it the server that Locust was started for?"""
    with suppress(UsageError):  # no address, which the form has mended
        return _origin(own.host) == _origin(host)
    return False


def _origin(host: str | None) -> tuple[str, str, int]:
    where = target(host, os.environ)
    return where.scheme, where.host, where.port
