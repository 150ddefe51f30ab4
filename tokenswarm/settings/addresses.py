"""Names and addresses of hosts: which are this machine alone, and what an option may list."""

import ipaddress
import re
from argparse import ArgumentTypeError
from typing import Any

from tokenswarm.settings.secrets import web_password

LOOPBACK, EVERYWHERE = "127.0.0.1", ("", "*")
_NAME = re.compile(r"\*|(?:\*\.)?[\w.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)


def loopback(host: str) -> bool:
    """Is it this machine alone that reaches it?"""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def allowed_hosts(text: str) -> str:
    """What `--allowed-hosts` holds; kept as text."""
    for name in split_names(text):
        if not _NAME.fullmatch(name):
            raise ArgumentTypeError(f"▸{name}◂ is no host's name; write it like gpu-box.example.com, *.example.com")
    return text


def split_names(text: str) -> list[str]:
    return re.findall(r"[^\s,;]+", text)


def choose_web_host(options: Any) -> None:
    """Without a login the web UI is for this machine alone, unless an address or `--open-ui` says otherwise."""
    if options.web_host in EVERYWHERE and not options.open_ui and not web_password(options):
        options.web_host = LOOPBACK
