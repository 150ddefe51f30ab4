"""Whom the web UI answers: its own pages, by the names of this machine, and beyond the machine only with a login.

A page of any site may have its visitor's browser ask here what it likes; and one whose name is made to lead here (DNS
rebinding) would read the answers as well, as its own. An address can be no such name, so any is taken; a name must be
one of this machine's, or be given.
"""

import ipaddress
import logging
import re
import socket
from typing import Any

from tokenswarm.settings.addresses import loopback, split_names
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import clean_line
from tokenswarm.settings.secrets import PASSWORD, web_password

MOST_SAID = 20  # names that were refused, each of them said once
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d*)?", re.IGNORECASE)
logger = logging.getLogger(__name__)


def check(options: Any) -> None:
    """Say who reaches the web UI. Raises UsageError where it would be open and nobody has said that it should be."""
    if web_password(options):
        return
    where = f"{options.web_host or '*'}:{options.web_port}"
    if loopback(options.web_host):
        logger.info(f"Only this machine reaches the web UI, since it has no login; {_login()} gives it one")
    elif options.open_ui:
        logger.warning(
            f"Whoever reaches {where} can start runs and read reports: the web UI has no login; {_login()} gives it one"
        )
    else:
        raise UsageError(
            f"--web-host {options.web_host}: whoever reaches it could start runs and read reports, since the web UI "
            f"has no login; {_login()} gives it one, and --open-ui leaves it open"
        )


def _login() -> str:
    return f"--web-password-file (or {PASSWORD})"


class Door:
    """Who may pass, by the headers of a request; `why_not` is one line, or "" for those who may."""

    def __init__(self, web_host: str, allowed: str) -> None:
        own = socket.gethostname().lower()
        bare = own.partition(".")[0]
        self._given = frozenset(name.lower().strip("[]") for name in split_names(allowed))
        self._names = self._given | {"localhost", own, bare, f"{bare}.local", web_host.lower() or own}
        self._said: set[str] = set()

    def why_not(self, method: str, headers: Any) -> str:
        """Why this request gets no answer."""
        host = headers.get("Host")
        if host is not None and not self.knows(host):
            return self._unknown(host)
        if self._own_page(headers, host or "") or self._followed(method, headers):
            return ""
        return "tokenswarm: pages of other sites may not use this one, only lead to it"

    def knows(self, host: str) -> bool:
        """Is it an address, or a name of this machine? `host` is what a Host header says."""
        found = _AUTHORITY.fullmatch(host)
        if not found:
            return False
        name = found[1].lower().strip("[]").removesuffix(".")
        return self._named(name, self._names) or name.endswith(".localhost") or _address(name)

    def _own_page(self, headers: Any, host: str) -> bool:
        """Does a page of ours ask, or no page at all (curl, a scraper)?"""
        # Browsers send the first over HTTPS and to the loopback interface only. "same-site" is another port's page.
        site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
        if site or origin is None:
            return site in (None, "same-origin", "none")
        authority = origin.partition("://")[2].lower()
        found = _AUTHORITY.fullmatch(authority)
        # Behind a proxy that puts its own Host in its place, only the name that was given tells.
        return authority == host.lower() or bool(found and self._named(found[1].strip("[]"), self._given))

    def _followed(self, method: str, headers: Any) -> bool:
        """Is it a link that somebody has followed, so that they see the page, and nobody else does?"""
        wanted = headers.get("Sec-Fetch-Mode"), headers.get("Sec-Fetch-Dest", "document")
        return method == "GET" and wanted == ("navigate", "document")

    def _named(self, name: str, names: frozenset[str]) -> bool:
        return name in names or "*" in names or any(n[:1] == "*" and name.endswith(n[1:]) for n in names)

    def _unknown(self, host: str) -> str:
        name = clean_line(host)[:100]
        why = f"{name!r} is no name of this machine that is known here; if it should be: --allowed-hosts"
        if name not in self._said and len(self._said) < MOST_SAID:
            self._said.add(name)
            logger.warning(f"Refused a request to the web UI: {why} (said once)")
        return f"tokenswarm: {why}"


def _address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
