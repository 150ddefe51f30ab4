"""What the values of our options are: each check takes a text, and says what to give where it is wrong."""

import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from typing import Any

from tokenswarm.metrics.checks.expect import check as check_expected
from tokenswarm.payloads.batch import MOST as MOST_TEXTS
from tokenswarm.payloads.columns import columns
from tokenswarm.payloads.distribution import parse
from tokenswarm.payloads.expect import from_option
from tokenswarm.payloads.formats.lengths import MOST as MOST_TOKENS
from tokenswarm.settings.command_line import seconds_in
from tokenswarm.settings.scraping import scrape_urls

# This process's own folder. With the order to spawn the master's options come over a worker's, and to one that joins a
# run that goes on before anything of ours has looked at them.
OWN: dict[str, str] = {}


def number(convert: Callable[[str], float], least: float, what: str, most: float = 1e9) -> Callable[[str], Any]:
    """A check for argparse: a number in these bounds, else the text says what to give."""

    def check(text: str) -> Any:
        text = " ".join(text.split())
        try:
            value = convert(text)
        except (ValueError, OverflowError):
            raise ArgumentTypeError(f"▸{text}◂ is no number; give {what}") from None
        if not least <= value <= most:
            raise ArgumentTypeError(f"▸{text}◂ is too small or too large; give {what}")
        return value

    return check


tokens = number(int, 1, "a whole number of tokens, 1 or more")
prefix_tokens = number(int, 0, "a whole number of tokens, 0 or more", MOST_TOKENS)
tokens_or_none = number(int, 0, "a whole number of tokens, 0 or more")
seconds = number(float, 0.001, "seconds above 0")
factor = number(lambda text: float(text.lower().removesuffix("x")), 1e-6, "a number above 0, such as 2x or 0.5")
in_flight = number(int, 0, "a whole number of requests")
seed = number(int, 0, "a whole number, 0 or more", float("inf"))
pause = number(float, 0, "seconds, 0 or more")
rounds = number(int, 0, "a whole number of rounds, 0 or more")
requests = number(int, 0, "a whole number of requests, 0 or more")


def _bytes(text: str) -> int:
    number, unit = text, 1
    for suffix, size in (("gb", 10**9), ("mb", 10**6), ("kb", 10**3), ("b", 1)):
        if text.lower().endswith(suffix):
            number, unit = text[: -len(suffix)], size
            break
    return round(float(number) * unit)


answer_bytes = number(_bytes, 1000, "bytes, 1kB to 100GB, such as 64MB", 1e11)


price = number(float, 0, "a price, 0 or more")


def endpoints(text: str) -> str:
    """Prometheus endpoints; kept as text, since the form gives it back so."""
    try:
        scrape_urls(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def expectation(text: str) -> str:
    """One `--expect`; kept as text, since workers get it so."""
    try:
        check_expected(*from_option(text))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def depths(text: str) -> str:
    """Contexts, in tokens; kept as text, as those are."""
    found = [one.strip() for one in text.split(",")] if text.strip() else []
    if not all(one.isdecimal() and int(one) <= MOST_TOKENS for one in found) or len({*found}) < len(found):
        raise ArgumentTypeError(f"▸{text}◂ are no depths; give whole numbers of tokens, each once: 0,4096,16384")
    return ",".join(found)


def column_names(text: str) -> str:
    """Our names of a file's columns; kept as text, since workers get it so."""
    try:
        columns(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def timespan(text: str) -> str:
    """A time span as Locust writes it; kept as text, since the web form gives it back so."""
    try:
        seconds_in(text)
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"▸{text}◂ is no time span; give 20, 20s, 3m, 1h20m …") from None
    return text


def think_time(text: str) -> str:
    """A distribution of pauses; kept as text for the same reason."""
    try:
        if text.strip():
            parse(text, "s")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def amount(most: int) -> Callable[[str], str]:
    """A number of texts or tokens, or a distribution of them; kept as text, as a time span is."""

    def check(text: str) -> str:
        try:
            if text.strip():
                parse(text, least=1, most=most)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None
        return text

    return check


tokens_amount, batch_amount = amount(MOST_TOKENS), amount(MOST_TEXTS)


def listen_address(text: str) -> str:
    """Where to listen: a port, on the loopback interface unless a host stands before it."""
    port = text.rpartition(":")[2]
    if text and not (port.isdecimal() and 0 < int(port) < 65536):
        raise ArgumentTypeError(f"▸{text}◂ is no port; give 9464, or HOST:9464")
    return text


def folder(text: str) -> str:
    """A folder that is there."""
    if text and not os.path.isdir(text):
        raise ArgumentTypeError(f"▸{text}◂ is no folder; name one that is there")
    return text


def one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in choices:
            raise ArgumentTypeError(f"▸{text}◂ is no choice; give one of {', '.join(filter(None, choices))}")
        return text

    return check


def run_dir(text: str) -> str:
    """Where this process keeps its folders."""
    OWN["run_dir"] = text
    return text
