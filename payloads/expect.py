"""What a user expects of an answer: `--expect contains:Paris`, or `"expect": {"contains": "Paris"}` on a line."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

KINDS = ("contains", "not_contains", "equals", "regex", "schema")
Expected = tuple[str, object]
_HOW = f"write KIND:VALUE, KIND one of {', '.join(KINDS)}"


def from_option(text: str) -> Expected:
    """(kind, wanted) of one `--expect`; the schema is read from the file that it names.

    Raises ValueError: what is wrong, and what to do.
    """
    kind, colon, wanted = text.partition(":")
    kind = kind.strip()
    if not colon or kind not in KINDS:
        raise ValueError(f"{text!r} is no expectation; {_HOW}")
    if not wanted:
        raise ValueError(f"{text!r} says nothing after the colon; {_HOW}")
    if kind != "schema":
        return kind, wanted
    try:
        return kind, json.loads(Path(wanted).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"schema file {wanted} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"schema file {wanted} holds no JSON: {error}") from None


def pairs(expect: Mapping[str, object]) -> Iterator[Expected]:
    """(kind, wanted) for each expectation of a Prompt; several of a kind are a list. Raises ValueError on others."""
    for kind, wanted in expect.items():
        if kind not in KINDS:
            raise ValueError(f"expect holds {kind!r}; use {', '.join(KINDS)}")
        for one in wanted if isinstance(wanted, list | tuple) else [wanted]:
            if kind == "schema" and not isinstance(one, dict | bool):
                raise ValueError("expect: schema must be an object, the JSON schema itself")
            if kind != "schema" and (not isinstance(one, str) or not one):
                raise ValueError(f"expect: {kind} must be a text, or a list of them")
            yield kind, one
