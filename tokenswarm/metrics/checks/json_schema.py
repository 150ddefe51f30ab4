"""JSON schemas (draft 4 to 2020-12), each compiled once: what is wrong with a value, and where.

The library, 7 MB in memory, is imported with the first schema.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tokenswarm.metrics.checks.schema_cost import Cost, measure
from tokenswarm.metrics.checks.time_limit import TookTooLong, at_most

Validator = Callable[[object], str]
MOST_KEPT = 10_000
# The checker is native code that no signal ends, so what it would do is bounded beforehand: schemas tried on a value
# (about 10 to 100 ns each), those of which an error can be told in full (20 us each where they are alternatives), how
# deep a value may be (it recurses), and for a pattern that cannot be matched in linear time its steps, each of which
# may take as long as the text is.
MOST_TRIED, MOST_TOLD, DEEPEST, READ_S = 500_000, 1000, 200, 0.02
BACKTRACKS, LONGEST_TEXT = 1000, 10_000
_IT = "it"  # stands for the value in what the checker says
_KNOWN = ("/draft-04/", "/draft-06/", "/draft-07/", "/2019-09/", "/2020-12/")
_DRAFTS = ("Draft202012Validator", "Draft7Validator", "Draft4Validator")
_NAMED = ("properties", "patternProperties", "definitions", "$defs")  # maps of any name to a schema
_VALUES = ("enum", "const", "default", "examples", "required")
# As the Berkeley function calling leaderboard (BFCL) writes types, after Python's and Java's.
_TYPES = {"dict": "object", "float": "number", "double": "number", "long": "integer", "tuple": "array", "list": "array"}
_TYPES |= {"int": "integer", "bool": "boolean", "str": "string", "char": "string", "hashmap": "object"}

_by_object: dict[int, tuple[object, Validator]] = {}
_by_text: dict[str, Validator] = {}


def validator(schema: Mapping[str, object] | bool) -> Validator:
    """A function that says what is wrong with a value (`$.age is not of type "integer"`), "" if nothing.

    Raises ValueError if the schema cannot be used. The schema must not be changed afterwards.
    """
    known = _by_object.get(id(schema))
    if known and known[0] is schema:
        return known[1]
    text = json.dumps(schema, sort_keys=True, default=dict)
    made = _by_text.get(text) or _compile(json.loads(text))
    if len(_by_object) >= MOST_KEPT:  # schemas made anew for every request
        _by_object.clear()
        _by_text.clear()
    _by_object[id(schema)], _by_text[text] = (schema, made), made
    return made


def standard(schema: Any) -> Any:
    """The same schema with BFCL's types (`dict`, `float`, …) as JSON schema has them, and `any` left out."""
    if isinstance(schema, list):
        return [standard(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type":
            types = [_TYPES.get(str(one).lower(), str(one).lower()) for one in _as_list(value)]
            if "any" not in types:
                made[key] = types
        elif key in _NAMED and isinstance(value, dict):
            made[key] = {name: standard(one) for name, one in value.items()}
        else:
            made[key] = value if key in _VALUES else standard(value)
    if not isinstance(made.get("required", []), list):
        del made["required"]  # older drafts wrote `required: true` into the property
    return made


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _compile(schema: Any) -> Validator:
    import jsonschema_rs as checker

    try:
        plain = standard(schema)
        check, linear = _checker(plain)
        cost = Cost(plain)
    except Exception as error:  # noqa: BLE001 - whatever a schema holds: it cannot be used, and the reason is shown
        why = " ".join(str(getattr(error, "message", "") or error).split())[:120] or type(error).__name__
        raise ValueError(f"no usable JSON schema: {why}") from None

    def wrong(value: object) -> str:
        try:
            with at_most(READ_S):
                extent = measure(value, texts=not linear)
        except TookTooLong:
            return "undecided: the answer is too large for it"
        tried = cost.of(extent)
        if tried > MOST_TRIED or extent.depth > DEEPEST or not (linear or extent.longest <= LONGEST_TEXT):
            return "undecided: with this schema the answer takes too long"
        try:
            if check.is_valid(value):
                return ""
            if tried > MOST_TOLD and cost.alternatives:
                return "$ fits none of the alternatives, or breaks another rule"
            check.validate(value)
        except checker.ValidationError as error:
            return _told(error)
        except (RecursionError, TypeError, ValueError, ArithmeticError) as error:
            return f"undecided: {type(error).__name__}"
        return ""

    return wrong


def _checker(schema: Any) -> tuple[Any, bool]:
    """(what checks values, whether all its patterns take linear time).

    Without a `$schema` that is known it is the newest draft in which the schema can be read. Nothing is ever fetched.
    Formats are annotations, as the standard has it; servers that constrain an answer heed few of them.
    """
    import jsonschema_rs as checker

    known = isinstance(schema, dict) and any(draft in str(schema.get("$schema")) for draft in _KNOWN)
    if isinstance(schema, dict) and not known:
        schema = {key: value for key, value in schema.items() if key != "$schema"}
    drafts = _DRAFTS[1:] if "dependencies" in json.dumps(schema) else _DRAFTS  # the newest has other words for it
    made = [checker.validator_for] if known else [getattr(checker, draft) for draft in drafts]
    reasons: list[Exception] = []
    for make in made:
        for linear in (True, False):
            patterns = checker.RegexOptions() if linear else checker.FancyRegexOptions(backtrack_limit=BACKTRACKS)
            try:
                return make(schema, validate_formats=False, offline=True, mask=_IT, pattern_options=patterns), linear
            except (checker.ValidationError, checker.ReferencingError, ValueError) as error:
                reasons.append(error)
    if _IT in str(reasons[0]):
        made[0](schema, validate_formats=False, offline=True)  # which quotes what is wrong
    raise reasons[0]


def _told(error: Any) -> str:
    """`$.age is not of type "integer"`."""
    place = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    if "backtracking" in error.message:
        return "undecided: the schema's pattern takes too long"
    said = error.message.removeprefix(_IT)
    return f"{place}{'' if said != error.message else ': '}{said}"[:100]
