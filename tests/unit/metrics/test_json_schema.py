"""What fits a schema, by every draft, against another implementation; and that no answer keeps the process."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.metrics.checks.json_schema import DEEPEST, LONGEST_TEXT, standard, validator
from tokenswarm.metrics.checks.schema_cost import MOST, Cost, measure

D7, D2019 = "http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2019-09/schema"


@pytest.mark.parametrize(
    ("schema", "value", "wrong"),
    [
        ({"type": "object", "required": ["age"]}, {}, '$: "age" is a required property'),
        ({"properties": {"a": {"items": {"type": "integer"}}}}, {"a": [1, "x"]}, '$.a[1] is not of type "integer"'),
        ({"prefixItems": [{"type": "integer"}], "items": False}, [1], ""),
        ({"prefixItems": [{"type": "integer"}]}, ["x"], '$[0] is not of type "integer"'),
        ({"prefixItems": [{}], "items": False}, [1, 2], "$[1]: False schema does not allow it"),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, '$: "b" is a required property'),
        ({"$schema": D2019, "dependentRequired": {"a": ["b"]}}, {"a": 1}, '$: "b" is a required property'),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, '$: "b" is a required property'),
        ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1}, ""),
        (
            {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
            {"a": 1, "c": 2},
            "$: Unevaluated properties are not allowed ('c' was unexpected)",
        ),
        ({"contains": {"const": 1}, "minContains": 2}, [1, 2], "$: "),
        ({"$defs": {"n": {"type": "number"}}, "$ref": "#/$defs/n", "minimum": 3}, 2, "$ is less than the minimum of 3"),
        # As older drafts have it, said or not: lists of items, dependencies, definitions, exclusive bounds.
        ({"$schema": D7, "items": [{"type": "integer"}]}, ["x"], '$[0] is not of type "integer"'),
        ({"items": [{"type": "integer"}]}, ["x"], '$[0] is not of type "integer"'),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, '$: "b" is a required property'),
        ({"definitions": {"n": {"type": "number"}}, "$ref": "#/definitions/n"}, "x", '$ is not of type "number"'),
        ({"minimum": 1, "exclusiveMinimum": True}, 1, "$ is less than or equal to the minimum of 1"),
        ({"$schema": "https://example.com/a-dialect", "type": "null"}, 1, '$ is not of type "null"'),
        ({"format": "date-time"}, "soon", ""),  # an annotation
        (True, 1, ""),
    ],
)
def test_every_draft_is_checked(schema: Any, value: object, wrong: str) -> None:
    said = validator(schema)(value)
    assert said.startswith(wrong)
    assert bool(said) == bool(wrong)


WORDS: dict[str, Any] = {
    "type": st.sampled_from(["integer", "string", "array", "object"]),
    "minimum": st.integers(0, 3),
    "minLength": st.integers(0, 2),
    "maxItems": st.integers(0, 2),
    "uniqueItems": st.booleans(),
    "required": st.lists(st.sampled_from("ab"), unique=True),
    "dependentRequired": st.fixed_dictionaries({"a": st.lists(st.sampled_from("bc"), unique=True)}),
    "unevaluatedProperties": st.just(False),
}
LEAVES = st.fixed_dictionaries({}, optional=WORDS)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {},
        optional=WORDS
        | {
            "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "items": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "additionalProperties": inner,
        },
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.one_of(st.integers(0, 4), st.text("ab", max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)),
    max_leaves=8,
)


@given(SCHEMAS, VALUES)
def test_another_implementation_says_the_same(schema: dict[str, Any], value: object) -> None:
    assert (validator(schema)(value) == "") == jsonschema.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "("},
        {"type": "strng"},
        {"$ref": "#/nowhere"},
        {"$ref": "http://127.0.0.1:9/x"},
        {"$ref": "https://json-schema.org/elsewhere"},
        {"$ref": "file:///etc/passwd"},
        {"$id": "http://127.0.0.1:9/", "properties": {"a": {"$ref": "b.json"}}},
    ],
    ids=str,
)
def test_what_cannot_be_used_is_said_and_nothing_is_fetched(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="no usable JSON schema: ") as error:
        validator(schema)
    assert "pattern" not in schema or "(" in str(error.value)


def nested(depth: int, value: Any = 0) -> Any:
    for _ in range(depth):
        value = [value]
    return value


TWICE = {"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}, "minItems": 1}]}
ONCE = {"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "integer"}]}


def test_what_would_take_longer_than_anyone_waits_is_not_begun() -> None:
    assert validator(TWICE)(nested(3)).startswith("$")
    assert "undecided" in validator(TWICE)(nested(60))  # 2 ** 60 ways
    assert validator(ONCE)(nested(150)) == ""
    assert "undecided" in validator(ONCE)(nested(DEEPEST + 1))
    assert "undecided" in validator(ONCE)(nested(200_000))  # no native recursion ends the process
    assert validator({"$ref": "#"})(1) == ""


def test_patterns_that_never_end() -> None:
    simple, looking = ({"type": "string", "pattern": pattern} for pattern in (r"^(?:a+)+$", r"(?!b)(x+x+)+y"))
    assert validator(simple)("a" * 1_000_000 + "b") == '$ does not match "^(?:a+)+$"'
    assert validator(looking)("xxy") == ""
    assert validator(looking)("b") == '$ does not match "(?!b)(x+x+)+y"'
    assert "undecided" in validator(looking)("x" * LONGEST_TEXT)
    assert "undecided" in validator(looking)("x" * 1_000_000)
    assert "undecided" in validator({"patternProperties": {r"(?!b)(x+x+)+y": {}}})({"x" * 1_000_000: 1})


def test_an_answer_of_a_megabyte() -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    value: list[Any] = list(range(100_000))
    assert validator(numbers)(value) in ("", "undecided: the answer is too large for it")  # by the machine
    assert validator({"type": "object"})("x" * 1_000_000) == '$ is not of type "object"'
    assert len(validator({"const": 1})("x" * 1_000_000)) <= 100


def test_the_bound_is_that_of_the_way_down() -> None:
    assert measure({"a": [1, "xyz"], "bcdef": {}}) == (5, 2, 5)
    assert Cost({"items": {"items": {}}}).of(measure([[1], [2]])) == 5 * 3
    assert Cost(ONCE).of(measure(nested(100))) < 101 * 500
    assert Cost(TWICE).of(measure(nested(20))) > 2**20
    assert Cost(TWICE).of(measure(nested(2000))) == MOST
    # A child has one name, so properties of a schema that holds itself do not multiply.
    tree = {"properties": {name: {"$ref": "#"} for name in "abcdefgh"}}
    assert Cost(tree).of(measure({"a": {"b": {"c": 1}}})) < 100


@pytest.mark.parametrize(
    ("name", "ref"),
    [({"$id": "http://x/node"}, "http://x/node"), ({"$anchor": "node"}, "#node"), ({}, "#/$defs/a%20b")],
)
def test_a_schema_that_holds_itself_by_another_name_is_as_dear(name: dict[str, str], ref: str) -> None:
    ways = [{"items": {"$ref": ref}}, {"type": "array", "items": {"$ref": ref}}]
    twice = {"$defs": {"a b": {**name, "anyOf": ways}}, "$ref": ref}
    assert Cost(twice).of(measure(nested(60))) == MOST
    assert "undecided" in validator(twice)(nested(60))


def test_types_of_other_languages_and_properties_called_type() -> None:
    schema: Any = {"type": "dict", "properties": {"type": {"type": "float"}, "x": {"type": "any"}}, "required": ["x"]}
    made = standard(schema)
    assert made == {"type": ["object"], "properties": {"type": {"type": ["number"]}, "x": {}}, "required": ["x"]}
    assert validator(schema) is validator(json.loads(json.dumps(schema)))  # compiled once
    assert validator({"properties": {"a": {"type": "string", "required": True}}})({"a": "b"}) == ""
