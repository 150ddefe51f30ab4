"""What a server said where an answer was wanted, as one line: its status and its words, and what the user can do."""

import re
from urllib.parse import urljoin, urlsplit

from tokenswarm.settings.errors import UsageError
from tokenswarm.transport.target import Target

KEY = (401, 403)
PROXY = 407
# Not now, perhaps later: too early, too many, a gateway without its server (Cloudflare: 52x), loading, overloaded.
BUSY = frozenset({425, 429, 502, 503, 504, 520, 521, 522, 523, 524, 529})
MOST_CHARACTERS = 200


class NotReady(UsageError):
    """The server does not answer yet, but may later; `retry_after_s` is how long it asks to be left alone."""

    def __init__(self, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


def login_error(where: Target, said: str, status: int, *, has_key: bool) -> UsageError:
    """A login is missing: the server's, or that of a proxy on the way to it."""
    if status == PROXY:
        return UsageError(f"a proxy before {where.url} wants a login ({said}); give it by --header, or ask the server")
    if has_key:
        return UsageError(f"{where.url} wants another API key ({said}); set OPENAI_API_KEY or --api-key")
    return UsageError(f"{where.url} wants an API key ({said}); set OPENAI_API_KEY or --api-key")


def not_ready_error(where: Target, said: str, retry_after_s: float | None) -> NotReady:
    """It will answer later."""
    return NotReady(f"{where.url} is there, but not ready: {said}", retry_after_s)


def redirect_error(where: Target, path: str, status: int, location: str) -> UsageError:
    """It sends us elsewhere. A load follows no redirect: each request would be two."""
    asked = where.path(path)
    if not location:
        return UsageError(f"{where.url}: {asked} is redirected (HTTP {status}), but not said where to; check --host")
    asked = asked.partition("?")[0]
    said = f"(HTTP {status}, Location: {location[:MOST_CHARACTERS]})"
    try:
        new = urlsplit(urljoin(f"{where.scheme}://{where.authority}{asked}", location))
    except ValueError:
        return UsageError(f"{where.url}: {asked} is redirected {said}, which is no address; check --host")
    base, end = f"{new.scheme}://{new.netloc}{new.path}"[:MOST_CHARACTERS], re.sub("/+", "/", new.path)
    if end == f"{asked}/":
        return UsageError(f"{where.url}: {asked} has moved to {base} {said}; give --path {end}")
    if base.endswith(asked):
        base = base.removesuffix(asked) + where.base_path
        return UsageError(f"{where.url} has moved to {base}; give that as --host {said}")
    return UsageError(f"{where.url}: {asked} has moved to {base} {said}; give --host, or --path, as it is there")
