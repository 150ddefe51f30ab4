"""`--scrape`: the Prometheus endpoints that tell of the server's own side."""

import re
from urllib.parse import quote, urlsplit

from tokenswarm.settings.redaction import learn_query
from tokenswarm.transport.target import PORTS, Target

MOST_URLS, MOST_CHARACTERS = 20, 4000
EXAMPLE = "http://127.0.0.1:8000/metrics"


def scrape_urls(text: str) -> tuple[Target, ...]:
    """The endpoints of `--scrape`, parted by commas; http and /metrics where nothing else is said.

    Raises ValueError, with a text that says what to give.
    """
    given = [one for one in map(str.strip, text.split(",")) if one]
    if len(given) > MOST_URLS or len(text) > MOST_CHARACTERS:
        raise ValueError(f"{len(given)} URLs in {len(text):,} characters are too many; give {MOST_URLS} at most")
    return tuple({(where.url, where.query): where for where in map(_url, given)}.values())


def without_query(where: Target) -> str:
    """An endpoint as files and reports name it: without its query, which may hold a key."""
    return where.url


def _url(given: str) -> Target:
    scheme, separator, rest = given.partition("://")
    if not separator:
        scheme, rest = "http", given
    # A password, or a key in a query, has no place in what is printed.
    marked = f"▸{re.sub(r'(?s)[?#].*', '?…', re.sub(r'(?s)(?<=//).*@|^[^/]*@', '…@', given))}◂"
    if scheme.lower() not in PORTS:
        raise ValueError(f"{marked} is no http:// or https:// URL; write it like {EXAMPLE}")
    try:
        parts = urlsplit(f"//{rest}")
        port = PORTS[scheme.lower()] if parts.port is None else parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except ValueError as error:
        raise ValueError(f"{marked} is no URL ({error}); write it like {EXAMPLE}") from None
    if not host or not port or "@" in parts.netloc or any(c.isspace() for c in rest):
        raise ValueError(f"{marked} is no URL of host, port and path alone; write it like {EXAMPLE}")
    learn_query(parts.query)
    path = quote(parts.path.rstrip("/") or "/metrics", "/%:@!$&'()*+;=~")
    return Target(scheme.lower(), host, port, path, query=quote(parts.query, "/%:@!$&'()*+,;=~?"))
