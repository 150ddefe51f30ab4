"""Texts that others wrote, made fit to be kept and shown: without the run's secrets, without control characters.

Servers hand a key back ("Incorrect API key provided: sk-…"), and proxies echo whole requests in their errors.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, quote

from tokenswarm.metrics.record import Record
from tokenswarm.metrics.text import plain

SHORTEST, TELLING = 6, 8  # characters: of a secret, and of its beginning that gives it away
STAND_IN = "[secret]"
_SECRET_NAME = re.compile("key|token|secret|sig|pass|code|auth", re.IGNORECASE)
# By the ways in which a secret's beginning may be written: a plain search for these comes first, since it is quicker.
_patterns: dict[tuple[str, ...], re.Pattern[str]] = {}


def learn(key: str, headers: Iterable[tuple[str, str]] = ()) -> None:
    """From now on this process shows neither the key nor the values of these headers."""
    for value in (key, *(value for name, value in headers if name.lower() not in ("accept", "content-type"))):
        for part in {value, value.rpartition(" ")[2]}:  # "Bearer sk-…": the last word alone, too
            if len(part) >= SHORTEST:
                start = part[:TELLING]
                spelled = tuple(sorted({start, quote(start, safe=""), start.replace("/", "\\/"), html.escape(start)}))
                # On to its end: texts are cut off in the middle of it, and some servers mask a part of it.
                _patterns[spelled] = re.compile(f"(?:{'|'.join(map(re.escape, spelled))})[^\\s'\"<>,}}]*")


def learn_query(query: str) -> None:
    """From now on this process shows no value in a URL's query whose name says that it is a secret."""
    learn("", [(name, value) for name, value in parse_qsl(query) if _SECRET_NAME.search(name)])


def redacted(text: str) -> str:
    """The text without the secrets."""
    for spelled, pattern in _patterns.items():
        if any(start in text for start in spelled):
            text = pattern.sub(STAND_IN, text)
    return text


def shown(text: str) -> str:
    """One line without secrets and control characters."""
    return plain(redacted(text))


def cleaned(record: Record) -> Record:
    """The record, its texts fit to be kept."""
    changes: dict[str, Any] = {}
    if record.error:
        changes["error"] = shown(record.error)
    if record.finish_reason:
        changes["finish_reason"] = shown(record.finish_reason)
    if record.judged.notes:
        changes["judged"] = replace(record.judged, notes=shown(record.judged.notes))
    if record.kept and _patterns:
        kept = record.kept
        changes["kept"] = replace(kept, output=redacted(kept.output), thinking=redacted(kept.thinking))
    changed = {name: value for name, value in changes.items() if value != getattr(record, name)}
    return replace(record, **changed) if changed else record
