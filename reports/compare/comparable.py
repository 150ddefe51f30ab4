"""Are two sides comparable? What differs between them, and what follows from it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenswarm.reports.compare import options
from tokenswarm.reports.compare.words import say
from tokenswarm.reports.load import Run

Side = Sequence[Run]
STOPS, SILENCES, COMPARED, NOTED = "not comparable", "no verdict", "compared", "noted"


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` differs: `a` and `b` say how, `effect` what follows, `why` says so in a sentence where it stops."""

    what: str
    a: str
    b: str
    effect: str
    why: str = ""


def differences(a: Side, b: Side) -> list[Difference]:
    """What run.json says of both sides and is not the same; the gravest first."""
    found = [*_invalid(a, b), *_capacity(a, b), *_options(a, b), *_circumstances(a, b)]
    order = (STOPS, SILENCES, COMPARED, NOTED)
    return sorted(found, key=lambda each: order.index(each.effect))


def same(a: Side, b: Side, read: Callable[[Run], Any]) -> bool:
    """Do all runs of both sides say the same, and anything?"""
    values = {_text(read(run)) for run in (*a, *b)}
    return len(values) == 1 and "" not in values


def option(run: Run, name: str) -> Any:
    """An option of a run, None where it is not known."""
    return _mapping(run.info, "options").get(name)


def digest(run: Run) -> str:
    """Of the prompts that its processes chose from; "" where it is not known."""
    return ", ".join(sorted({str(w["payloads"]) for w in _workers(run) if w.get("payloads")}))


def _invalid(a: Side, b: Side) -> Iterator[Difference]:
    bad = [[run for run in side if _mapping(run.info, "validity").get("verdict") != "VALID"] for side in (a, b)]
    said = [say("valid", n1=len(side) - len(own), n2=len(side)) for side, own in zip((a, b), bad, strict=True)]
    for name, side, own in zip("AB", (a, b), bad, strict=True):
        if own:
            findings = [f for run in own for f in _mapping(run.info, "validity").get("findings") or ()]
            levels = (f for f in findings if isinstance(f, dict) and f.get("level") == "invalid")
            rules = _list(str(found.get("rule")) for found in levels) or say("unknown")
            key = "invalid why" if len(side) == 1 else "invalid some"
            why = say(key, side=name, n1=len(own), n2=len(side), why=rules)
            yield Difference(say("invalid"), said[0], said[1], STOPS, why)


def _capacity(a: Side, b: Side) -> Iterator[Difference]:
    answers = [[_mapping(run.info, "capacity").get("answer") for run in side] for side in (a, b)]
    if any("capacity" in run.info for run in (*a, *b)):
        texts = [_list(map(_text, side)) for side in answers]
        why = say("capacity why", a=texts[0] or "–", b=texts[1] or "–")
        yield Difference(say("capacity"), texts[0], texts[1], STOPS, why)


def _options(a: Side, b: Side) -> Iterator[Difference]:
    known = [_mapping(run.info, "options") for run in (*a, *b)]
    names = [name for name in known[0] if all(name in each for each in known) and name not in options.IGNORED]
    open_loop = any(each.get(name) for each in known for name in options.OPEN_LOOP)
    for name in names:
        values = _both(a, b, lambda run, name=name: option(run, name))
        if values is None:
            continue
        stops = name in options.LOAD and not (name == "num_users" and open_loop)
        # A file may lie elsewhere: what counts is what was in it.
        stops = stops or (name in options.PROMPTS and not (name == "payloads" and same(a, b, digest)))
        shown = f"--{name.replace('_', '-')}" if name != "num_users" else "--users"
        yield _stop(shown, *values) if stops else Difference(shown, *values, NOTED)


def _stop(what: str, a: str, b: str) -> Difference:
    return Difference(what, a, b, STOPS, say("option why", what=what, a=a or "–", b=b or "–"))


Read = Callable[[Run], Any]


def _circumstances(a: Side, b: Side) -> Iterator[Difference]:
    if (digests := _both(a, b, digest)) and all(digests):
        yield _stop(say("payloads"), *digests)
    reads: tuple[tuple[str, str, Read], ...] = (
        (say("seed"), NOTED, lambda run: run.info.get("seed", option(run, "seed"))),
        (say("host"), COMPARED, lambda run: _mapping(run.info, "target").get("host")),
        (say("model"), COMPARED, _models),
        (say("model digest"), COMPARED, _digests),
        (say("user classes"), COMPARED, lambda run: _list(sorted(map(str, run.info.get("user_classes") or ())))),
        (say("clients"), NOTED, lambda run: _list(f"{w.get('host')} ({w.get('cpus')})" for w in _workers(run))),
        (say("code"), NOTED, lambda run: _list(sorted({str(w.get("code")) for w in _workers(run)}))),
    )
    for what, effect, read in reads:
        if values := _both(a, b, read):
            yield Difference(what, *values, effect)
    yield from _mappings(a, b, "target", ("host", "model", "models", "loaded"), COMPARED)
    yield from _mappings(a, b, "software", (), NOTED)


def _mappings(a: Side, b: Side, name: str, without: Sequence[str], effect: str) -> Iterator[Difference]:
    """Each fact of a mapping in run.json that is a plain value on both sides."""
    keys = dict.fromkeys(key for run in (*a, *b) for key in _mapping(run.info, name))
    for key in keys:
        values = _both(a, b, lambda run, key=key: _mapping(run.info, name).get(key))
        plain = all(not isinstance(_mapping(run.info, name).get(key), (list, dict)) for run in (*a, *b))
        if key not in without and plain and values:
            yield Difference(f"{say('server')} {key}" if name == "target" else key, *values, effect)


def _both(a: Side, b: Side, read: Callable[..., Any]) -> tuple[str, str] | None:
    """What each side says, where that is not the same."""
    said = [[_text(read(run)) for run in side] for side in (a, b)]
    return (_list(said[0]), _list(said[1])) if set(said[0]) != set(said[1]) else None


def _models(run: Run) -> str:
    return _list(sorted({str(model) for model in run.frame["model"].unique()} - {""}))


def _digests(run: Run) -> str:
    found = _mapping(run.info, "target").get("digests")
    return _list(sorted(str(one)[:12] for one in found.values())) if isinstance(found, dict) else ""


def _workers(run: Run) -> list[dict[str, Any]]:
    found = run.info.get("workers")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _mapping(info: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = info.get(name)
    return found if isinstance(found, dict) else {}


def _list(texts: Any) -> str:
    return ", ".join(dict.fromkeys(texts))


def _text(value: Any) -> str:
    if value is None or value == [] or value == "":
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
