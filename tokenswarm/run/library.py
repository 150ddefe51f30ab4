"""Locust as a library: an Environment that somebody made by hand, without a command line."""

from typing import Any

from tokenswarm.settings.command_line import parse_nothing


def fill(environment: Any) -> None:
    """Give an Environment without parsed options ours and Locust's, as the variables of the environment have them."""
    if environment.parsed_options is not None:
        return
    options = parse_nothing()
    options.host = environment.host or options.host
    environment.parsed_options = options
