"""Which Host and Origin Ollama answers at all."""

import ipaddress
import re
import socket
from urllib.parse import urlsplit

_LOCAL = ("localhost", "0.0.0.0")
_SUFFIXES = (".localhost", ".local", ".internal")
_SCHEMES = ("app", "file", "tauri", "vscode-webview", "vscode-file")


def strange_host(host: str, listens_on: str) -> bool:
    """Whether a Host header is refused: only a server that listens on loopback cares for it."""
    if not _is_loopback(listens_on):
        return False
    name = re.sub(r":\d+$", "", host).strip("[]").lower()
    if not name or name in (*_LOCAL, socket.gethostname().lower()) or name.endswith(_SUFFIXES):
        return False
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return True
    return not (address.is_loopback or address.is_private or address.is_unspecified)


def strange_origin(origin: str, host: str) -> bool:
    """Whether a browser's page from elsewhere is refused."""
    parts = urlsplit(origin)
    return not (parts.netloc == host or parts.scheme in _SCHEMES or parts.hostname in (*_LOCAL, "127.0.0.1", "::1"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
