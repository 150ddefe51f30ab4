"""Our options as a user leaves them, without a command line's process."""

from functools import cache
from typing import Any

from locust.argument_parser import get_empty_argument_parser

from tokenswarm.settings import options as ours


def parsed(*arguments: str) -> Any:
    """The parsed options; what is not given has its default."""
    return _parser().parse_args(list(arguments))


@cache
def _parser() -> Any:
    parser = get_empty_argument_parser()
    parser.add_argument("--host")
    parser.add_argument("--run-time")
    parser.add_argument("--users", dest="num_users", type=int)
    parser.set_defaults(processes=None, master=False, worker=False)
    ours.add(parser)
    return parser
