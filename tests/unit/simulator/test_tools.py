"""JSON and tool calls of the simulator: they fit their schemas, and come where each output path puts them."""

import json
import re
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenswarm.simulator.api.readers import read
from tokenswarm.simulator.api.request import GenerationRequest
from tokenswarm.simulator.model import json_text, models
from tokenswarm.simulator.model.faults import FAULTS, Fault
from tokenswarm.simulator.model.plan import Plan, Style, make_plan
from tokenswarm.simulator.model.script import Task
from tokenswarm.simulator.model.tools import CUT, NO_JSON
from tokenswarm.simulator.settings import SimulatorSettings

WEATHER = {
    "name": "get_weather",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}
NATIVE = Style(native=True)


def plan(path: str = "G", *, limit: int | None = None, key: int = 7, **more: Any) -> Plan:
    """An answer of a model that has a tool."""
    fault, style = more.pop("fault", Fault()), more.pop("style", NATIVE)
    stop, natural = more.pop("stop", ()), more.pop("natural", 30)
    task = Task(**{"path": path, "tools": (WEATHER,), **more})
    return make_plan(key, natural, limit, task=task, fault=fault, style=style, stop=stop)


def ask(api: Any, body: dict[str, Any], model: str = "sim", **more: Any) -> GenerationRequest:
    known = {f"{model}:latest": models.make_model(f"{model}:latest")}
    return read(api, json.dumps({"model": model, **body}).encode(), known, SimulatorSettings(**more))


# --- JSON

schemas = st.deferred(
    lambda: st.one_of(
        st.builds(lambda low: {"type": "integer", "minimum": low, "maximum": low + 5}, st.integers(-50, 50)),
        st.builds(lambda low: {"type": "number", "exclusiveMinimum": low}, st.integers(-50, 50)),
        st.builds(lambda size: {"type": "string", "minLength": size, "maxLength": size + 4}, st.integers(0, 30)),
        st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"enum": ["a", 1]}, {"const": {"x": 1}}, {}]),
        st.builds(lambda of, few: {"type": "array", "items": of, "minItems": few, "maxItems": few + 1}, schemas,
                  st.integers(0, 3)),
        st.builds(lambda of: {"type": "dict", "properties": {"a": of, "b": of}, "required": ["a"]}, schemas),
        st.builds(lambda one, other: {"anyOf": [one, other]}, schemas, schemas),
    )
)  # fmt: skip


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether a value is valid against one of the schemas above."""
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    kind = schema.get("type", "string")
    if kind == "array":
        in_bounds = isinstance(value, list) and schema["minItems"] <= len(value) <= schema["maxItems"]
        return in_bounds and all(fits(one, schema["items"]) for one in value)
    if kind == "dict":
        properties = schema["properties"]
        return (
            isinstance(value, dict)
            and "a" in value
            and set(value) <= set(properties)
            and all(fits(v, properties[k]) for k, v in value.items())
        )
    if kind in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        bounded = low <= value <= schema.get("maximum", value) and value != schema.get("exclusiveMinimum")
        return bounded and (isinstance(value, int) or kind == "number")
    if kind == "string":
        return isinstance(value, str) and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 99)
    return value is None if kind == "null" else isinstance(value, bool)


@settings(max_examples=80)
@given(schemas, st.integers(0, 2**64))
def test_json_fits_its_schema(schema: dict[str, Any], key: int) -> None:
    made = make_plan(key, 30, None, task=Task(format=schema))
    assert fits(json.loads(made.join("text")), schema)
    assert "".join(json_text.pieces(made.join("text"))) == made.join("text")


def test_json_without_a_schema_is_an_object_and_when_cut_none() -> None:
    free = make_plan(3, 60, None, task=Task(format="json"))
    assert isinstance(json.loads(free.join("text")), dict)
    assert len(free.lines) > 5
    cut = make_plan(3, 60, 4, task=Task(format="json"))
    assert cut.reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.join("text"))


def test_thinking_and_json_are_two_runs_and_the_counts_are_of_the_second() -> None:
    made = make_plan(3, 40, None, task=Task(thinks=True, twice=True, format="json"))
    thinking = [line for line in made.lines if line.kind == "thinking"]
    (between,) = [line for line in made.lines if line.kind == "empty"]
    assert between.at_token == made.first_run_tokens > len(thinking)
    assert made.counted_tokens == made.output_tokens - made.first_run_tokens
    json.loads(made.join("text"))


# --- tools


@pytest.mark.parametrize("path", ["G", "B", "N", "harmony"])
def test_a_call_fits_its_schema_and_comes_where_the_path_puts_it(path: str) -> None:
    made = plan(path, thinks=True)
    (call,) = made.calls()
    assert call.name == "get_weather"
    assert (type(call.arguments["city"]), type(call.arguments["days"])) == (str, int)
    assert re.fullmatch(r"[A-Za-z0-9]{32}" if path == "N" else r"call_[a-z0-9]{8}", call.id)
    kinds = [line.kind for line in made.lines]
    assert kinds[:-1] == ["thinking"] * (len(kinds) - 1)
    assert (kinds[-1] == "call") == (path in ("G", "B")) == (not made.last_calls)
    assert plan(path, number=1).calls()[0].id != plan(path, number=2).calls()[0].id
    assert plan(path, number=1).calls()[0].arguments == plan(path, number=2).calls()[0].arguments


def test_two_calls_are_two_lines() -> None:
    assert [call.index for line in plan(calls=2).lines if line.more for call in line.more.calls] == [0, 1]


def test_a_call_that_is_cut() -> None:
    cut = plan(limit=14)
    assert (cut.join("text"), cut.calls(), cut.reason, cut.error) == ("", (), "length", None)
    assert plan("B", limit=30).calls() == plan("harmony", limit=20).calls() == ()
    bare = plan(limit=14, bare=True)
    assert bare.last_text.startswith('{"name": "get_weather"')
    assert bare.lines == ()
    before, within = plan("N", limit=18), plan("N", limit=28)
    assert (before.error, before.reason, before.calls()) == (None, "length", ())
    assert within.error == CUT.format("get_weather")
    first, both = plan(limit=70, calls=2), plan("N", limit=70, calls=2)
    assert (len(first.calls()), first.reason) == (1, "length")
    assert (both.calls(), both.error) == ((), CUT.format("get_weather"))


def test_a_stop_sequence_after_the_call_keeps_it() -> None:
    for path in ("G", "N"):
        made = plan(path, stop=("</tool_call>",))
        assert (len(made.calls()), made.reason, made.error) == (1, "stop", None)


def test_the_result_of_a_tool_is_answered_in_text() -> None:
    tool = {"type": "function", "function": WEATHER}
    said = [{"role": "user", "content": "Paris?"}]
    assert ask("chat", {"messages": said, "tools": [tool]}, "sim-tools").tools == (WEATHER,)
    done = [*said, {"role": "tool", "content": "21"}]
    assert ask("chat", {"messages": done, "tools": [tool]}, "sim-tools").tools == ()
    result = [*said, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "content": "21"}]}]
    body = {"messages": result, "max_tokens": 9, "tools": [{"name": "a", "input_schema": {}}]}
    assert ask("v1_messages", body, "sim-tools").tools == ()


def test_python_types_of_bfcl() -> None:
    tool = {
        "name": "math.area",
        "parameters": {"type": "dict", "properties": {"r": {"type": "float"}}, "required": ["r"]},
    }
    (call,) = make_plan(1, 30, None, task=Task(tools=(tool,))).calls()
    assert (call.name, type(call.arguments["r"])) == ("math.area", float)


def test_json_faults() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}

    def said(name: str) -> Plan:
        return make_plan(3, 30, 80, task=Task(format=schema), fault=FAULTS[name])

    blank = said("fault-whitespace")
    assert blank.reason == "length"
    assert re.search(r"\s{100}", blank.join("text"))
    # Ollama's guard ends what has more than 30 equal tokens, and all white space is equal to it.
    assert max(len(list(run)) for _, run in groupby(line.text.strip() for line in blank.lines)) <= 30
    with pytest.raises(json.JSONDecodeError):
        json.loads(said("fault-bad-json").join("text"))
    assert said("fault-bad-json").reason == "stop"
    assert not isinstance(json.loads(said("fault-off-schema").join("text")), dict)


def test_tool_faults() -> None:
    dropped = plan(fault=FAULTS["fault-dropped-call"])
    assert (dropped.lines, dropped.calls(), dropped.reason) == ((), (), "stop")
    assert dropped.output_tokens > 20
    assert plan("B", fault=FAULTS["fault-unknown-tool"]).calls()[0].name == "get_weather_unknown"
    bad = FAULTS["fault-bad-tool-args"]
    assert plan("B", fault=bad).error == NO_JSON
    passed_on = plan("B", fault=bad, style=Style())
    assert passed_on.error is None
    with pytest.raises(json.JSONDecodeError):
        json.loads(passed_on.calls()[0].text())
    assert plan("B", fault=FAULTS["fault-call-no-json"], style=Style()).error == NO_JSON
