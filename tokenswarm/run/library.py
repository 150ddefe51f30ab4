"""Locust as a library: an Environment that somebody made by hand, without a command line."""

from typing import Any

from locust.argument_parser import get_parser


def fill(environment: Any) -> None:
    """Give an Environment without parsed options ours and Locust's, as the variables of the environment have them."""
    if environment.parsed_options is not None:
        return
    options = get_parser(default_config_files=[]).parse_args(["--headless", "--skip-log-setup"])
    options.host = environment.host or options.host
    environment.parsed_options = options
