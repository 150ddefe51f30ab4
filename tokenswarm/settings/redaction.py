"""Texts fit to be kept and shown: without the run's secrets and, where they are shown, without control characters.

Servers hand a key back ("Incorrect API key provided: sk-…"), whole, cut off or masked; proxies echo whole requests in
their errors; and people put a key where it does not belong. What is looked for is a secret as a whole, or 12 characters
of it that follow each other, wherever they stand. What leaves a process passes here: see `tokenswarm.run.outlets`.
"""

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from itertools import chain, pairwise
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, quote_plus

from tokenswarm.metrics.record import Identity, Record
from tokenswarm.metrics.text import plain

STAND_IN = "[secret]"
# Characters: of the shortest secret, of the shortest that letters alone make (below it is a word), of the part of one
# that gives it away, and of the pieces that are looked for first: one of them is in any such part.
SHORTEST, NO_WORD, TELLING, PIECE = 6, 12, 12, 6
SLICE = 1 << 15  # characters that are looked through in less than a millisecond
_NAME = re.compile("key|token|secret|sig|pass|code|auth|cookie|credential|session|jwt", re.IGNORECASE)
_HARMLESS = re.compile("accept|content-|user-agent|host|referer|origin|trace|x-request-id", re.IGNORECASE)
# What stands in the place of what is hidden, and how it goes on after that.
_MASK = re.compile(r"(?:[*•●…]|[·.xX#]{2})[*•●…·.xX#]{0,200}[^\s'\"<>,}\]\\]{0,64}")
_IDENTITY = tuple(field.name for field in fields(Identity) if field.type is str)


class _Spelled(NamedTuple):
    """One way in which a secret may be written; `least` characters of it in a row are it."""

    text: str
    pieces: tuple[str, ...]
    least: int


_secrets: dict[str, _Spelled] = {}  # of this process, from the moment that it learns of them


def learn(key: str, headers: Iterable[tuple[str, str]] = ()) -> None:
    """From now on this process shows neither the key nor what is secret in the headers."""
    for value in (key, *chain.from_iterable(_in_header(*header) for header in headers)):
        letters = value.isalpha() and value.isascii()
        if len(value) >= (NO_WORD if letters else SHORTEST):
            _secrets.update((text, _spelling(text)) for text in _spellings(value))


def learn_query(query: str) -> None:
    """From now on this process shows no value in a URL's query whose name says that it is a secret."""
    for name, value in parse_qsl(query):
        if _NAME.search(name):
            learn(value)


def learn_header(text: str) -> None:
    """From now on this process shows nothing secret of a `--header`; without a colon, nothing but its first word."""
    name, colon, value = text.partition(":")
    learn("", [(name.strip(), value.strip()) if colon else ("Authorization", text.strip())])


def learn_host(text: str) -> None:
    """From now on this process shows neither a password nor the secrets of a query that stand in an address."""
    address, _, query = text.partition("?")
    learn_query(query)
    for part in address.rpartition("@")[0].rpartition("//")[2].split(":"):
        learn(part)


def learn_options(options: Any) -> None:
    """From now on this process shows nothing that is secret in a run's options."""
    learn(options.api_key)
    learn_host(options.host or "")
    learn_host(options.path)
    for text in options.header:
        learn_header(text)


def header_shown(text: str) -> str:
    """A `--header` as it may be kept: one that looks secret by its name alone."""
    name, _, value = text.partition(":")
    return f"{name}: {STAND_IN}" if secret_header(name.strip(), value.strip()) else text


def secret_header(name: str, value: str) -> bool:
    """Does a header look as if it held a secret: by its name, or by letters and digits as only machines mix them?"""
    if _NAME.search(name):
        return True
    return not _HARMLESS.match(name) and any(map(_is_mixed, re.split("[^A-Za-z0-9]+", value)))


def _is_mixed(word: str) -> bool:
    return len(word) >= 8 and sum(a.isdigit() != b.isdigit() for a, b in pairwise(word)) >= 3


def _in_header(name: str, value: str) -> Iterator[str]:
    if not secret_header(name, value):
        return
    scheme, _, credential = value.partition(" ")
    yield credential.strip()  # Bearer …
    if len(credential) < TELLING:
        yield value
    if name.lower() == "cookie":
        yield from (cookie.partition("=")[2].strip() for cookie in value.split(";"))
    if scheme.lower() == "basic":
        try:
            both = base64.b64decode(credential, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield both
        yield both.partition(":")[2]


def _spellings(secret: str) -> set[str]:
    """As it is, and as JSON, URLs, HTML and Python's errors write it."""
    quoted = json.dumps(secret)[1:-1]
    return {
        *(secret, quoted, quoted.replace("/", "\\/"), secret.replace("/", "\\/"), repr(secret)[1:-1]),
        *(quote(secret, safe, errors="replace") for safe in ("", "/")),
        *(quote_plus(secret, errors="replace"), html.escape(secret)),
    }


def _spelling(text: str) -> _Spelled:
    if len(text) < TELLING:
        return _Spelled(text, (text,), len(text))
    return _Spelled(text, tuple(text[at : at + PIECE] for at in range(0, len(text) - PIECE + 1, PIECE)), TELLING)


def redact(text: str) -> str:
    """The text without the secrets."""
    for secret in _secrets.values():  # mostly there is none, which is soon seen
        for piece in secret.pieces:
            if piece in text:
                return _without(text)
    return text


def _without(text: str) -> str:
    spans = [span for secret in _secrets.values() for span in _spans(text, secret)]
    kept, end = [], 0
    for begin, stop in sorted(spans):
        if begin >= end:
            kept += [text[end:begin], STAND_IN]
        end = max(end, stop)
    return "".join([*kept, text[end:]])


def _spans(text: str, secret: _Spelled) -> Iterator[tuple[int, int]]:
    """Where (a part of) a secret stands, its mask included. Each piece that is found is looked at as far as it goes."""
    whole = secret.text
    for number, piece in enumerate(secret.pieces):
        at = text.find(piece)
        while at >= 0:
            begin, end, first = at, at + len(piece), number * PIECE
            last = first + len(piece)
            while first and begin and text[begin - 1] == whole[first - 1]:
                begin, first = begin - 1, first - 1
            while last < len(whole) and end < len(text) and text[end] == whole[last]:
                end, last = end + 1, last + 1
            mask = _MASK.match(text, end)
            hidden = not first and (mask or end == len(text))  # masked, or cut off
            if last - first >= secret.least or hidden:
                yield begin, mask.end() if mask else end
            at = text.find(piece, end)


def clean(value: Any) -> Any:
    """The same with all texts in it redacted: lists, tuples, sets and mappings of texts and of whatever else."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        if type(next(iter(value.values()), "")) in (int, float) and type(next(iter(value))) is int:
            return value  # Locust's counts by milliseconds: thousands of numbers
        return {clean(name): clean(one) for name, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and type(value) in (list, tuple, set, frozenset):
        return type(value)(map(clean, value))
    return value


def clean_line(text: str) -> str:
    """One line without secrets and control characters."""
    return plain(redact(text))


def clean_record(record: Record, pause: Callable[[], object] | None = None) -> Record:
    """The record, its texts fit to be kept. Of long ones each slice is followed by a pause."""
    changes: dict[str, Any] = {}
    if record.error:
        changes["error"] = clean_line(record.error)
    if record.finish_reason:
        changes["finish_reason"] = clean_line(record.finish_reason)
    if record.judged.notes:
        changes["judged"] = replace(record.judged, notes=clean_line(record.judged.notes))
    if _secrets:
        who, kept = record.identity, record.kept
        texts = [getattr(who, name) for name in _IDENTITY]
        if redact(together := "\n".join(texts)) != together:
            fit: dict[str, Any] = dict(zip(_IDENTITY, map(redact, texts), strict=True))
            changes["identity"] = replace(who, **fit)
        if kept:
            long = {one.name: _redact_long(getattr(kept, one.name), pause) for one in fields(kept)}
            changes["kept"] = replace(kept, **long)
    changed = {name: value for name, value in changes.items() if value != getattr(record, name)}
    return replace(record, **changed) if changed else record


def _redact_long(text: str, pause: Callable[[], object] | None) -> str:
    if pause is None or len(text) <= SLICE:
        return redact(text)
    for at in range(0, len(text), SLICE):
        part = text[at : at + SLICE + TELLING]
        if any(piece in part for secret in _secrets.values() for piece in secret.pieces):
            return _without(text)
        pause()
    return text
