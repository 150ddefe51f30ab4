"""Workers that came or went in the middle of a run: when, and what is said of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from tokenswarm.metrics.validity.workers import worker_name
from tokenswarm.reports.render.numbers import number

KEPT = ("what", "worker", "client")

WAYS = {
    "joined": "joined the run",
    "lost": "was lost: the master had not heard of it for 4 to 5 s",
    "back": "was back",
    "left": "left the run",
}


def attendance(info: Mapping[str, Any], first_sent_ns: int | None) -> list[dict[str, Any]]:
    """run.json's entries but those of the beginning, each with `since_s`, since the first request was sent."""
    found = info.get("attendance")
    entries = [one for one in found if isinstance(one, dict) and one.get("what") in WAYS] if found else []
    if not entries or first_sent_ns is None:
        return []
    began_s = entries[0]["at_unix_s"]
    return [
        {"since_s": round(one["at_unix_s"] - first_sent_ns / 1e9, 3)} | {key: one.get(key) for key in KEPT}
        for one in entries
        if one["at_unix_s"] > began_s
    ]


def change_lines(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence each, without its full stop."""
    return [
        f"{number(one['since_s'])} s after the first request {worker_name(one)} {WAYS[one['what']]}" for one in changes
    ]
