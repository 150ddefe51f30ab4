"""Our options as a user leaves them, without a command line's process."""

from typing import Any

from locust.argument_parser import get_empty_argument_parser

from tokenswarm.settings import options as ours


def parsed(*arguments: str) -> Any:
    """The parsed options; what is not given has its default."""
    parser = get_empty_argument_parser()
    parser.add_argument("--host")
    parser.add_argument("--run-time")
    parser.add_argument("--users", dest="num_users", type=int)
    parser.set_defaults(processes=None, master=False, worker=False)
    ours.add(parser)
    return parser.parse_args(list(arguments))
