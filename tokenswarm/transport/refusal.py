"""What a server said where an answer was wanted, in a few words: its status, its reason, who says it, until when."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from tokenswarm.wire import errors

MOST_CHARACTERS = 200
_A_PAGE = " (an HTML page)"


def words(status: int, headers: Mapping[str, str], body: bytes, retry_after_s: float | None = None) -> str:
    """`HTTP 502 Bad Gateway (nginx)`, `HTTP 429 Rate limit reached, Retry-After 20`. Headers by lower-case names."""
    text = re.sub(rf"^(HTTP\S* )?{status}\b[\s:-]*", "", errors.text(body))
    software = headers.get("server", "").partition("/")[0].strip()
    if software and status >= 400 and (not text or text.endswith(_A_PAGE)):
        text = f"{text.removesuffix(_A_PAGE) or _phrase(status)} ({software})"
    wait = "" if retry_after_s is None else f", Retry-After {retry_after_s:g}"
    return f"HTTP {status} {text or _phrase(status)}"[:MOST_CHARACTERS].strip() + wait


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
