"""A server's list of its models, in whichever form it comes: OpenAI's, Ollama's, a bare list, names alone."""

from dataclasses import dataclass
from typing import Any

from tokenswarm.transport.control import text_in

# Where the list stands, and what an entry calls its model, in lower case; the first that is there counts.
_LISTS = (
    "data",
    "models",
    "result",
    "results",
    "items",
    "list",
    "body",
    "available_models",
    "model_names",
    "model_list",
)
_NAMES = ("id", "name", "model", "model_name", "modelname", "model_id", "model_uid", "key", "slug", "root")
_MORE = ("has_more", "nextpagetoken", "next_page_token", "next_page", "next")
# What Ollama says of each model; others that serve its list for its clients' sake leave most of it empty.
_OLLAMAS = ("digest", "modified_at")
MOST_OF_DIGEST = 80  # characters; SHA-256 has 64


@dataclass(frozen=True, slots=True)
class ModelList:
    """Names of models; `more`: there are others, on further pages."""

    names: tuple[str, ...]
    more: bool = False


def read_list(said: object) -> ModelList | None:
    """The models in what a server answered; None if that is no list. What is no name is left out."""
    if isinstance(said, list):
        return ModelList(_names(said))
    if not isinstance(said, dict) or said.get("error"):
        return None
    said = {str(key).lower(): value for key, value in said.items()}
    where = next((key for key in _LISTS if isinstance(said.get(key), list | dict)), None)
    if where is None:  # null, as some write an empty list
        none = any(key in said for key in _LISTS[:2]) or said.get("object") == "list"
        return ModelList(()) if none else ModelList(_names([said])) if said.get("object") == "model" else None
    found = said[where]
    if isinstance(found, dict):
        by_name = all(value is None or isinstance(value, dict) for value in found.values())
        return read_list(found) or ModelList(_names(list(found) if by_name else [found]))
    return ModelList(_names(found), any(bool(said.get(key)) for key in _MORE))


def ollama_names(said: object) -> tuple[str, ...] | None:
    """The names in what /api/tags or /api/ps answered; None if that is not as Ollama answers."""
    if not isinstance(said, dict) or "models" not in said or said.keys() & {"data", "object", "error"}:
        return None  # llama.cpp has its own list beside Ollama's
    found = said["models"]
    return _names(found or []) if found is None or isinstance(found, list) else None


def ollama_digests(said: Any) -> dict[str, str]:
    """By name, what tells apart two models that had the same one at different times."""
    entries = said["models"] or () if ollama_names(said) is not None else ()
    pairs = ((text_in(one, "name"), text_in(one, "digest")) for one in entries if isinstance(one, dict))
    return {name: digest[:MOST_OF_DIGEST] for name, digest in pairs if name and digest}


def has_ollamas_marks(said: Any) -> bool:
    """Does a list of Ollama's form say of its models what only Ollama knows?"""
    return any(isinstance(one, dict) and all(one.get(mark) for mark in _OLLAMAS) for one in said["models"] or ())


def is_pattern(name: str) -> bool:
    """`*`, `openai/*`: a gateway's word for whatever it passes on."""
    return "*" in name


def _names(entries: list[Any]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for entry in entries:
        one = {"id": entry} if isinstance(entry, str) else entry
        if not isinstance(one, dict):
            continue
        low = {str(key).lower(): value for key, value in one.items()}
        if name := next(filter(None, (text_in(low, key) for key in _NAMES)), None):
            found[name] = None
    return tuple(found)
