"""Names and addresses of hosts: which are this machine alone, and what an option may list."""

import ipaddress
import re
from argparse import ArgumentTypeError

LOOPBACK = "127.0.0.1"
_NAME = re.compile(r"\*|(?:\*\.)?[\w.-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)


def loopback(host: str) -> bool:
    """Is it this machine alone that reaches it?"""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def allowed_hosts(text: str) -> str:
    """What `--allowed-hosts` holds; kept as text."""
    for name in listed(text):
        if not _NAME.fullmatch(name):
            raise ArgumentTypeError(f"▸{name}◂ is no host's name; write it like gpu-box.example.com, *.example.com")
    return text


def listed(text: str) -> list[str]:
    return re.split(r"[\s,;]+", text.strip()) if text.strip() else []
