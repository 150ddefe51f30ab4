"""The words of an error, in whatever form a server, a gateway or a proxy puts them."""

import html
import re
from collections.abc import Mapping
from typing import Any

import orjson

from tokenswarm.wire.decoding import decode, printable
from tokenswarm.wire.endings import interpret_reason

_MOST_BYTES, _MOST_OF_A_PAGE = 64 * 1024, 4096  # read of a body; patterns may take the square of a page's length
_DEEPEST = 6
_MOST_OF_A_LIST = 3
# Where the words of an error object stand, by their names in lower case; the first of each that says something.
_ERRORS, _ENVELOPES = ("error", "errors", "err", "fault", "exception"), ("base_resp", "header", "x_groq", "response")
_WORDS = (
    *("message", "msg", "error_message", "errormessage", "error_msg", "errmsg", "err_msg", "status_msg"),
    *("retmsg", "ret_msg"),
    *("error_description", "faultstring", "detail", "details", "reason", "description", "title", "text"),
)
_CODES = (
    "code",
    "status",
    "status_code",
    "statuscode",
    "error_code",
    "errorcode",
    "errcode",
    "err_code",
    "ret",
    "retcode",
)
_STATES = ("object", "type", "status")
_DENIED = ("success", "ok", "status")  # false, where something failed
_NAMED_WORDS = ("error_message", "errormessage", "error_msg", "errmsg", "err_msg")  # which no answer has
_FAILED = ("error", "failed", "failure", "fail")
_NAMES_ERROR = ("error", "exception")  # how the name of an error object ends, as Amazon's modelStreamErrorException
_FINE = frozenset(
    re.findall(
        r"\S+",
        "0 200 201 202 ok success succeeded successful complete completed done finished connected accepted started"
        " starting waiting queued pending processing in_progress running generating",
    )
) | {""}
# What a message is that some send while a request waits, by its kind or its first word.
_KINDS = frozenset(
    {"status", "info", "log", "notice", "warning", "progress", "heartbeat", "keepalive", "ping", "queue"}
)
_WAITS = frozenset({"queued", "waiting", "pending", "processing", "starting", "loading", "warming", "initializing"})
# Names that none of the rules above reads: a frame with no others is no error object, as nearly all that are asked.
_OF_AN_ANSWER = frozenset(
    re.findall(
        r"\S+",
        "model created_at message response thinking done done_reason context total_duration load_duration"
        " prompt_eval_count prompt_eval_duration prompt_eval_cached_count eval_count eval_duration",
    )
)
_LINE_ENDS = re.compile(r"[\r\n\t]+")
_UNSEEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title\s*>?", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>?")
# What a title has before its words: the site's name, the status that the row has anyway.
_BEFORE = re.compile(r"^(?:.*\|\s*)?(?:error\s*)?[1-5]\d\d\s*[-–—:|]*\s*", re.IGNORECASE)
_LEAST_TITLE, _MOST_WORDS = 8, 160


def text(body: bytes) -> str:
    """The message in an error body: a text, JSON of any form (also in events), a page; "" if there is nothing."""
    said = printable(body[:_MOST_BYTES].decode("utf-8", "replace")).strip()
    if said.startswith(("data:", "event:", "id:", ":")):
        said = "\n".join(line[5:] for line in said.splitlines() if line.startswith("data:")).strip()
    return _of_text(said, _DEEPEST)


def find_error(frame: Mapping[str, Any]) -> str | None:
    """What a JSON object says is wrong, if it is an error object; to be asked of one that is no part of an answer."""
    if _OF_AN_ANSWER.issuperset(frame) and not isinstance(frame.get("message"), str):
        return None
    said = _lowered(frame)
    alone = "message" in said and "choices" not in said and not any(name in said for name in _CODES)
    failed = _is_error(said) or (alone and _words(said) is not None and not _waits(said))
    return _of(frame, _DEEPEST) if failed else None


def _is_error(said: Mapping[str, Any]) -> bool:
    if any(_says(said.get(name)) for name in (*_ERRORS, "detail", *_NAMED_WORDS)):
        return True
    if any(said.get(name) is False for name in _DENIED):
        return True
    if any(name.endswith(_NAMES_ERROR) and isinstance(inner, dict) and _says(inner) for name, inner in said.items()):
        return True
    if any(isinstance(word := said.get(name), str) and word.lower() in _FAILED for name in _STATES):
        return True
    if any(isinstance(inner := said.get(name), dict) and _is_error(_lowered(inner)) for name in _ENVELOPES):
        return True
    return _words(said) is not None and any(map(_failing, map(said.get, _CODES)))


def _waits(said: Mapping[str, Any]) -> bool:
    """Is it news of a request that waits?"""
    if any(isinstance(kind := said.get(name), str) and kind.lower() in _KINDS for name in ("type", "event")):
        return True
    words = (_words(said) or "").lower()
    return words.split(maxsplit=1)[0].strip(".,:") in _WAITS and interpret_reason(words) != "failure"


def _says(value: object) -> bool:
    """Does an error say anything? Some fill in an object of zeros and empty texts where there is none."""
    if isinstance(value, dict):
        return any(isinstance(one, dict | list) or _failing(one) for one in value.values() if one)
    return bool(value)


def _lowered(value: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name).lower(): inner for name, inner in value.items()}


def _words(said: Mapping[str, Any]) -> str | None:
    words = next((said[name] for name in _WORDS if said.get(name)), None)
    return words if isinstance(words, str) and words.strip().lower() not in _FINE else None


def _failing(code: object) -> bool:
    """Does a code say that something failed? 0, 200 and the like say that nothing did."""
    return code is not None and not isinstance(code, bool) and str(code).strip().lower() not in _FINE


def _of(value: object, levels: int) -> str:
    if isinstance(value, str):
        return _of_text(value, levels)
    if isinstance(value, Mapping) and levels:
        return _of_object(value, levels) or _json(value)
    if isinstance(value, list) and levels:
        return "; ".join(filter(None, (_of(inner, levels - 1) for inner in value[:_MOST_OF_A_LIST])))
    return "" if value is None or isinstance(value, bool) else _json(value)


def _of_object(value: Mapping[str, Any], levels: int) -> str:
    """Its words, "" if it has none; before them what names the error's kind, as Spring has it, or FastAPI's place."""
    low = _lowered(value)
    said = next((found for name in _WORDS if (found := low.get(name)) and not _silent(found)), None)
    words = _of(said, levels - 1)
    places = (*_ERRORS, *_ENVELOPES, *(name for name in low if name.endswith(_NAMES_ERROR)))
    kind = next((inner for name in places if (inner := _of(low.get(name), levels - 1))), "")
    if words and isinstance(place := low.get("loc"), list):
        return f"{'.'.join(map(str, place))}: {words}"
    if kind and words and words not in kind:
        return f"{kind}: {words}"
    return kind or words


def _silent(value: object) -> bool:
    """Is it an object without any words, such as a message of an answer?"""
    return isinstance(value, dict) and not _of_object(value, 1)


def _of_text(said: str, levels: int) -> str:
    said = said[:_MOST_BYTES].strip()
    if said.startswith(("{", "[", '"')) and levels:
        try:
            return _of(decode(said.encode("utf-8", "replace")), levels - 1)
        except ValueError:
            pass
    if is_page(said):
        return page(said)
    return " ".join(part.strip() for part in _LINE_ENDS.split(said))


def is_page(said: str) -> bool:
    """Is it HTML, or XML?"""
    return _TAG.match(said[:200].lstrip("\ufeff \r\n\t")) is not None and ">" in said[:_MOST_OF_A_PAGE]


def page(said: str) -> str:
    """What a page of HTML, or XML, says, in a few words, and that it is one."""
    said = said[:_MOST_OF_A_PAGE]
    name = "an HTML page" if "<html" in said.lower() or "<!doctype html" in said.lower() else "XML"
    said = _UNSEEN.sub(" ", said)
    title = _TITLE.search(said)
    words = _BEFORE.sub("", _plain(title[1])) if title else ""
    if len(words) < _LEAST_TITLE:
        seen = _plain(_TITLE.sub(" ", said))
        words = seen if words in seen else f"{words} {seen}"
    return f"{words[:_MOST_WORDS].strip()} ({name})".strip()


def _plain(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # whole numbers beyond 64 bits
        return str(value)
