"""Who may take part in a run: the worker token, and where the master listens.

Locust's port for workers asks nobody who they are. With a token only those who know it get in (see `run.curve`).
`--processes` forks its workers, which inherit a token that was made up for them.
"""

import logging
import secrets
from typing import Any

import zmq.green as zmq

from tokenswarm.run import curve as sealed
from tokenswarm.run import locust_options
from tokenswarm.run.cluster import Cluster
from tokenswarm.settings.addresses import LOOPBACK, choose_web_host, loopback
from tokenswarm.settings.cores import choose_processes
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.secrets import TOKEN, worker_token

LEAST_CHARS = 16
EVERYWHERE = "*"
_MADE_UP = secrets.token_hex(32)  # once, before Locust forks
logger = logging.getLogger(__name__)


def listen(parser: Any, **_: Any) -> None:
    """Choose as soon as the options are parsed: before Locust forks workers and opens its port."""
    parse = parser.parse_args

    def parse_and_choose(*args: Any, **kwargs: Any) -> Any:
        options = parse(*args, **kwargs)
        try:
            choose_processes(options)
            choose(options)
            choose_web_host(options)
            locust_options.check(options)
            locust_options.limit_batches(options)
        except UsageError as error:
            parser.error(str(error))
        return options

    locust_options.limit_time_spans(parser)
    parser.parse_args = parse_and_choose
    sealed.install()


def choose(options: Any) -> None:
    """The token of this process and, without one from outside, a master that only its own machine reaches."""
    token = worker_token(options)
    if options.worker_token_file and not token:
        raise UsageError(f"--worker-token-file: {options.worker_token_file} is empty; put a token in")
    if token and len(token) < LEAST_CHARS:
        raise UsageError(f"{TOKEN}: {len(token)} characters are too few; make one with: openssl rand -hex 32")
    if token and not zmq.has("curve"):
        raise UsageError(f"{TOKEN}: this machine's ZeroMQ has no CURVE; install pyzmq from PyPI, which has")
    if not token and options.master_bind_host == EVERYWHERE:
        options.master_bind_host = LOOPBACK
    if not token and options.processes and not options.worker and zmq.has("curve"):
        token = _MADE_UP
    sealed.Seal.keys = sealed.keys(token) if token else None


def check(cluster: Cluster, options: Any) -> None:
    """Say how the workers' port is kept. Raises UsageError where it should be sealed and is not, or bears a key."""
    if not cluster.is_master:
        return
    if sealed.Seal.keys:
        if not cluster.is_sealed:
            raise UsageError(f"{TOKEN}: Locust's port was not sealed; use the Locust of requirements.lock")
    elif not loopback(options.master_bind_host):
        logger.warning(
            f"Whoever reaches {options.master_bind_host}:{options.master_bind_port} can take part in the run and read "
            f"its options; give master and workers a {TOKEN} (see docs/distributed.md)"
        )
    else:
        logger.info(f"Only workers on this machine are let in, since there is no {TOKEN}")


def check_key(cluster: Cluster, options: Any) -> None:
    """No key may go to whoever asks for it. Raises UsageError."""
    if not cluster.is_master or sealed.Seal.keys or loopback(options.master_bind_host):
        return
    if options.api_key or options.header:
        raise UsageError(
            f"the API key or --header would go in the clear to whoever connects to {options.master_bind_host}:"
            f"{options.master_bind_port}; give master and workers a {TOKEN} (openssl rand -hex 32)"
        )
