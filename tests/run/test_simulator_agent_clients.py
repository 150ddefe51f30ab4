"""The official clients of what agents speak, `anthropic` and `openai`'s responses, use the simulator as any server."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator_process import Simulator, running

# In CI they are there; elsewhere this file is skipped rather than all others made to wait for more packages.
if os.environ.get("CI") != "true":
    pytest.importorskip("anthropic")
    pytest.importorskip("openai")
import anthropic
import openai

WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
FUNCTION: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": WEATHER["input_schema"],
    "strict": False,
}
ASK: list[Any] = [{"role": "user", "content": "What is the weather in Rome?"}]


FAST = ("--models", "sim,sim-think-tools", "--decode-tps", "2000", "--prefill-tps", "100000", "--load-ms", "1")


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with running(*FAST) as it:
        yield it


@pytest.fixture(scope="module")
def claude(sim: Simulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=sim.url, api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def v1(sim: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{sim.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_anthropic_whole_and_streamed(claude: anthropic.Anthropic) -> None:
    asked: dict[str, Any] = {
        "model": "sim",
        "messages": ASK,
        "system": "Be brief.",
        "max_tokens": 8,
        "extra_body": {"temperature": 0},
    }
    whole = claude.messages.create(**asked)
    assert (whole.role, whole.stop_reason, whole.usage.output_tokens) == ("assistant", "max_tokens", 8)
    with claude.messages.stream(**asked) as stream:
        kinds = {event.type for event in stream}
        last = stream.get_final_message()
    assert {"message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop"} <= kinds
    assert [block.text for block in last.content] == [block.text for block in whole.content]  # type: ignore[union-attr]
    assert (last.stop_reason, last.usage.output_tokens) == (whole.stop_reason, 8)
    assert last.usage.input_tokens == whole.usage.input_tokens


def test_anthropic_thinks_and_calls_tools(claude: anthropic.Anthropic) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    asked: dict[str, Any] = {"model": "sim-think-tools", "max_tokens": 2000, "thinking": thinking, "tools": [WEATHER]}
    with claude.messages.stream(messages=ASK, **asked) as stream:
        said = stream.get_final_message()
    assert said.stop_reason == "tool_use"
    assert said.content[0].type == "thinking"
    call: Any = said.content[-1]
    assert (call.type, call.name, set(call.input)) == ("tool_use", "get_weather", {"city"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "30"}
    talk = [*ASK, {"role": "assistant", "content": said.content}, {"role": "user", "content": [result]}]
    answer = claude.messages.create(messages=talk, **asked)
    assert answer.stop_reason == "end_turn"
    assert answer.content[-1].type == "text"
    with pytest.raises(anthropic.BadRequestError, match="does not support thinking"):
        claude.messages.create(model="sim", messages=ASK, max_tokens=2000, thinking=thinking)


def test_anthropic_errors(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model 'nope' not found"):
        claude.messages.create(model="nope", messages=ASK, max_tokens=8)
    with (
        pytest.raises(anthropic.APIStatusError) as error,
        claude.messages.stream(model="fault-error-object", messages=ASK, max_tokens=40) as stream,
    ):
        stream.get_final_message()
    assert "an error was encountered" in str(error.value)


def test_openai_responses_think_and_call_tools(v1: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": "sim-think-tools", "tools": [FUNCTION], "instructions": "Be brief."}
    with v1.responses.stream(input=ASK, reasoning={"effort": "low"}, **asked) as stream:
        kinds = [event.type for event in stream]
        said = stream.get_final_response()
    assert "response.reasoning_summary_text.delta" in kinds
    assert kinds[-1] == "response.completed"
    assert [item.type for item in said.output] == ["reasoning", "function_call"]
    call: Any = said.output[-1]
    assert set(json.loads(call.arguments)) == {"city"}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "30"}
    again: list[Any] = [*ASK, *(item.model_dump(exclude_none=True) for item in said.output), result]
    answer = v1.responses.create(input=again, **asked)
    assert answer.output_text
    assert answer.usage is not None
    assert said.usage is not None
    assert answer.usage.input_tokens > said.usage.input_tokens


def test_openai_responses_errors(v1: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        v1.responses.create(model="nope", input="Hi")
    *_, last = v1.responses.create(model="fault-error-object", input="Hi", max_output_tokens=40, stream=True)
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert "an error was encountered" in last.response.error.message


def test_what_the_clients_are_told_is_what_the_simulator_logs(tmp_path: Path) -> None:
    told: dict[str, list[tuple[int, int]]] = {"/v1/messages": [], "/v1/responses": []}
    with running(*FAST, "--truth", str(tmp_path / "truth.jsonl")) as own:
        claude = anthropic.Anthropic(base_url=own.url, api_key="none", max_retries=0)
        v1 = openai.OpenAI(base_url=f"{own.url}/v1", api_key="none", max_retries=0)
        with claude, v1:
            for turn in range(10):
                with claude.messages.stream(model="sim", messages=ASK, max_tokens=4 + turn) as stream:
                    used = stream.get_final_message().usage
                told["/v1/messages"].append((used.input_tokens, used.output_tokens))
                said = v1.responses.create(model="sim", input="Why?", max_output_tokens=4 + turn).usage
                assert said is not None
                told["/v1/responses"].append((said.input_tokens, said.output_tokens))
    log = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    for path, counts in told.items():
        assert counts == [(line["prompt_tokens"], line["output_tokens"]) for line in log if line["path"] == path]
    assert len(log) == 20
