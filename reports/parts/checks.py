"""What the checks of the answers found: how many failed of how many, and the same request giving the same text."""

from typing import Any

import numpy as np

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.reports.wilson import interval

CHECKS = tuple(metric.name for metric in METRICS if metric.kind == "check")
MOST_EXAMPLES = 3


def checks(frame: Any) -> dict[str, Any]:
    """`found`: an entry for each check, endpoint and model with n > 0; `reproducible`: see `reproducibility`.

    An entry has `n` answers that it applied to, `failed`, `rate` and its 95 % interval, and up to three examples.
    """
    found = []
    for (endpoint, model), rows in frame.groupby(["endpoint", "model"], sort=True):
        for name in CHECKS:
            n, failed = int(rows[name].count()), rows[rows[name] == 1]
            if n:
                where = {"check": name, "endpoint": str(endpoint), "model": str(model)}
                found.append({**where, **share(len(failed), n), "examples": _examples(failed, name)})
    found.sort(key=lambda entry: CHECKS.index(entry["check"]))
    return {"found": found, "reproducible": reproducibility(frame)}


def share(failed: int, n: int) -> dict[str, Any]:
    """How many of how many, as a rate from 0 to 1 with the ends of its 95 % interval."""
    low, high = interval(failed, n)
    return {
        "n": n,
        "failed": failed,
        "rate": round(failed / n, 6),
        "rate_low": round(low, 6),
        "rate_high": round(high, 6),
    }


def _examples(failed: Any, check: str) -> list[dict[str, Any]]:
    return [{**_who(row), "note": _note(row["check_notes"], check)} for _, row in failed.head(MOST_EXAMPLES).iterrows()]


def _who(row: Any) -> dict[str, Any]:
    """Which request it was; the beginning of its answer where texts were kept."""
    text = row.get("output_text")
    shown = {"text": text} if isinstance(text, str) and text else {}
    return {"prompt_id": str(row["prompt_id"]), "worker": int(row["worker"]), "sequence": int(row["sequence"]), **shown}


def _note(notes: object, check: str) -> str:
    """The part of all notes that one check wrote."""
    if not isinstance(notes, str) or f"{check}: " not in notes:
        return ""
    said = notes.partition(f"{check}: ")[2]
    ends = [at for other in CHECKS if (at := said.find(f"; {other}: ")) >= 0]
    return said[: min(ends)] if ends else said


def reproducibility(frame: Any) -> dict[str, Any] | None:
    """Of ok answers to requests that should give the same text each time and were made twice or more: how many did.

    A request's most frequent text counts as the same one, all others `differ`. `alone` and `together` tell apart the
    answers during which no other request was under way and those during which some were. None where there are none.
    """
    asked = frame[frame["request_digest"].notna() & frame["text_digest"].notna()]
    if not len(asked):
        return None
    asked = asked.assign(together=_together(frame).loc[asked.index])
    key = ["endpoint", "model", "request_digest"]
    asked = asked[asked.groupby(key)["text_digest"].transform("size") > 1]
    if not len(asked):
        return None
    usual = asked.groupby(key)["text_digest"].transform(lambda texts: texts.mode().iloc[0])
    other = asked["text_digest"] != usual
    parts = {
        name: share(int(other[which].sum()), int(which.sum()))
        for name, which in (("alone", ~asked["together"]), ("together", asked["together"]))
        if which.any()
    }
    differing = asked[other].drop_duplicates(key).head(MOST_EXAMPLES)
    return {
        **share(int(other.sum()), len(asked)),
        "requests": int(asked.groupby(key).ngroups),
        "requests_differing": int(asked[other].groupby(key).ngroups),
        **parts,
        "examples": [_who(row) for _, row in differing.iterrows()],
    }


def _together(frame: Any) -> Any:
    """Was any other request under way during it? Where times are missing, yes."""
    sent, ended = frame["sent_unix_ns"], frame["ended_unix_ns"]
    known = sent.notna() & ended.notna()
    sents, ends = np.sort(sent[known].to_numpy("int64")), np.sort(ended[known].to_numpy("int64"))
    begun = np.searchsorted(sents, ended.fillna(2**62).to_numpy("int64"), side="left")
    over = np.searchsorted(ends, sent.fillna(0).to_numpy("int64"), side="right")
    return ~known | (begun - over > 1)
