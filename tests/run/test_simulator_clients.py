"""The official clients, `ollama` and `openai`, use the simulator as they would use Ollama: no special case anywhere."""

import base64
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator_process import Simulator, running

# In CI they are there; elsewhere this file is skipped rather than all others made to wait for two more packages.
if os.environ.get("CI") != "true":
    pytest.importorskip("ollama")
    pytest.importorskip("openai")
import ollama
import openai

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
ASK: list[Any] = [{"role": "user", "content": "What is the weather in Rome?"}]
SHORT = {"num_predict": 8, "temperature": 0}


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    with running("--decode-tps", "2000", "--prefill-tps", "100000", "--load-ms", "1", "--registry") as it:
        yield it


@pytest.fixture(scope="module")
def native(sim: Simulator) -> Iterator[ollama.Client]:
    client = ollama.Client(sim.url)
    yield client
    client._client.close()


@pytest.fixture(scope="module")
def v1(sim: Simulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{sim.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_ollama_chat(native: ollama.Client) -> None:
    whole = native.chat("sim", ASK, options=SHORT)
    streamed = list(native.chat("sim", ASK, options=SHORT, stream=True))
    assert whole.message.role == "assistant"
    assert "".join(part.message.content or "" for part in streamed) == whole.message.content
    assert streamed[-1].done_reason == whole.done_reason == "length"
    assert streamed[-1].eval_count == whole.eval_count == 8
    assert whole.total_duration
    assert whole.eval_duration
    assert whole.prompt_eval_duration


def test_ollama_thinks(native: ollama.Client) -> None:
    message = native.chat("sim-think", ASK, think=True).message
    assert message.thinking
    assert message.content
    assert native.chat("sim-think", ASK, think=False).message.thinking is None
    with pytest.raises(ollama.ResponseError, match="does not support thinking"):
        native.chat("sim", ASK, think=True)


def test_ollama_generate(native: ollama.Client) -> None:
    whole = native.generate("sim", "Why is the sky blue?", options=SHORT, keep_alive="10m")
    parts = list(native.generate("sim", "Why is the sky blue?", options=SHORT, stream=True))
    assert "".join(part.response for part in parts) == whole.response
    assert whole.context is not None
    again = native.generate("sim", "And why?", context=whole.context, options=SHORT)
    assert (again.prompt_eval_count or 0) > (whole.prompt_eval_count or 0)
    assert native.generate("sim").done_reason == "load"
    assert native.generate("sim", keep_alive=0).done_reason == "unload"


def test_ollama_embeds(native: ollama.Client) -> None:
    batch = native.embed("sim-embed", ["a", "b"])
    assert [len(vector) for vector in batch.embeddings] == [384, 384]
    assert native.embed("sim-embed", "b", dimensions=64).prompt_eval_count == 3
    assert native.embeddings("sim-embed", "a").embedding == pytest.approx(list(batch.embeddings[0]), rel=1e-6)
    with pytest.raises(ollama.ResponseError, match="exceeds the context length"):
        native.embed("sim-embed", "word " * 2000, truncate=False)


def test_ollama_lists_and_shows(native: ollama.Client) -> None:
    names = [model.model for model in native.list().models]
    assert {"sim:latest", "sim-think:latest", "sim-embed:latest"} <= set(names)
    shown = native.show("sim-tools")
    assert shown.capabilities == ["completion", "tools"]
    assert shown.modelinfo is not None
    assert shown.details is not None
    native.generate("sim", "x", options=SHORT, keep_alive=-1)
    (entry,) = [model for model in native.ps().models if model.model == "sim:latest"]
    assert entry.context_length == 4096
    assert entry.expires_at is not None
    assert entry.expires_at.year > 2300


def test_ollama_makes_copies_and_deletes(native: ollama.Client) -> None:
    assert native.create("mine", from_="sim", system="Be brief.", parameters={"num_ctx": 1024}).status == "success"
    steps = [step.status for step in native.create("other", from_="sim", template="{{ .Prompt }}", stream=True)]
    assert steps[-2:] == ["writing manifest", "success"]
    assert native.copy("mine", "twin").status == "success"
    assert native.show("twin").details is not None
    for name in ("mine", "other", "twin"):
        assert native.delete(name).status == "success"
    with pytest.raises(ollama.ResponseError, match="model 'mine' not found"):
        native.delete("mine")
    with pytest.raises(ollama.ResponseError, match="not found"):
        native.chat("mine", ASK)


def test_ollama_blobs(native: ollama.Client, tmp_path: Any) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"not a model")
    assert native.create_blob(path).startswith("sha256:")


def test_ollama_pulls_and_pushes(native: ollama.Client) -> None:
    steps = list(native.pull("reg-small", stream=True))
    assert steps[0].status == "pulling manifest"
    assert steps[-1].status == "success"
    assert max(step.completed or 0 for step in steps) == max(step.total or 0 for step in steps) > 0
    assert native.push("reg-small").status == "success"
    for stream in (False, True):
        with pytest.raises(ollama.ResponseError, match="file does not exist"):
            list(native.pull("nowhere", stream=stream))  # type: ignore[call-overload]
        with pytest.raises(ollama.ResponseError, match="no such file or directory"):
            list(native.push("nowhere", stream=stream))  # type: ignore[call-overload]


def test_ollama_calls_tools(native: ollama.Client) -> None:
    message = native.chat("sim-tools", ASK, tools=[WEATHER]).message
    assert message.tool_calls is not None
    (call,) = message.tool_calls
    assert call.function.name == "get_weather"
    assert set(call.function.arguments) == {"city"}
    result = {"role": "tool", "tool_name": "get_weather", "content": '{"temp": 30}'}
    assert native.chat("sim-tools", [*ASK, message, result], tools=[WEATHER]).message.content
    calls = [part.message.tool_calls for part in native.chat("sim-tools", ASK, tools=[WEATHER], stream=True)]
    assert len([one for one in calls if one]) == 1


def test_ollama_gives_json(native: ollama.Client) -> None:
    assert isinstance(json.loads(native.generate("sim", "A person as JSON.", format="json").response), dict)
    person = json.loads(native.chat("sim", ASK, format=SCHEMA).message.content or "")
    assert isinstance(person["name"], str)
    assert isinstance(person["age"], int)


def test_ollama_takes_images(native: ollama.Client) -> None:
    pixel = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    )
    said = native.chat("sim-vision", [{"role": "user", "content": "What is this?", "images": [pixel]}], options=SHORT)
    assert said.message.content


def test_openai_chat(v1: openai.OpenAI) -> None:
    whole = v1.chat.completions.create(model="sim", messages=ASK, max_tokens=8, temperature=0)
    assert whole.choices[0].finish_reason == "length"
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 8
    stream = v1.chat.completions.create(
        model="sim", messages=ASK, max_tokens=8, temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_openai_completions(v1: openai.OpenAI) -> None:
    whole = v1.completions.create(model="sim", prompt="Once upon", max_tokens=8, temperature=0)
    parts = list(v1.completions.create(model="sim", prompt="Once upon", max_tokens=8, temperature=0, stream=True))
    assert "".join(part.choices[0].text for part in parts if part.choices) == whole.choices[0].text


def test_openai_embeddings(v1: openai.OpenAI) -> None:
    # The client asks for base64 by itself unless told otherwise, and decodes it.
    by_default = v1.embeddings.create(model="sim-embed", input=["a", "b"])
    floats = v1.embeddings.create(model="sim-embed", input=["a", "b"], encoding_format="float")
    raw: Any = v1.embeddings.create(model="sim-embed", input=["a", "b"], encoding_format="base64")
    assert by_default.usage.prompt_tokens == 6
    for place in range(2):
        exact = list(struct.unpack("<384f", struct.pack("<384f", *floats.data[place].embedding)))
        assert list(by_default.data[place].embedding) == pytest.approx(exact, rel=1e-7)
        assert list(struct.unpack("<384f", base64.b64decode(raw.data[place].embedding))) == exact


def test_openai_models_and_errors(v1: openai.OpenAI) -> None:
    assert "sim:latest" in [model.id for model in v1.models.list()]
    assert v1.models.retrieve("sim").owned_by == "library"
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        v1.chat.completions.create(model="nope", messages=ASK)
    with pytest.raises(openai.BadRequestError):
        v1.embeddings.create(model="sim-embed", input=[])


def test_openai_calls_tools(v1: openai.OpenAI) -> None:
    tools: list[Any] = [WEATHER]
    choice = v1.chat.completions.create(model="sim-tools", messages=ASK, tools=tools).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    call: Any = choice.message.tool_calls[0]
    assert set(json.loads(call.function.arguments)) == {"city"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "30"}
    said = v1.chat.completions.create(model="sim-tools", messages=[*ASK, choice.message, result], tools=tools)
    assert said.choices[0].message.content
    stream = v1.chat.completions.create(model="sim-tools", messages=ASK, tools=tools, stream=True)
    deltas = [chunk.choices[0].delta.tool_calls for chunk in stream if chunk.choices]
    assert len([delta for delta in deltas if delta]) == 1


def test_openai_gives_json(v1: openai.OpenAI) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
    said = v1.chat.completions.create(model="sim", messages=ASK, response_format=form).choices[0].message.content
    assert set(json.loads(said or "")) == {"name", "age"}
    any_object: Any = {"type": "json_object"}
    said = v1.chat.completions.create(model="sim", messages=ASK, response_format=any_object).choices[0].message.content
    assert isinstance(json.loads(said or ""), dict)


def test_openai_responses(v1: openai.OpenAI) -> None:
    whole = v1.responses.create(model="sim", input="Why is the sky blue?", max_output_tokens=8, temperature=0)
    assert whole.status == "completed"
    events = list(
        v1.responses.create(model="sim", input="Why is the sky blue?", max_output_tokens=8, temperature=0, stream=True)
    )
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == whole.output_text != ""
    assert events[-1].type == "response.completed"


def test_what_the_clients_are_told_adds_up_to_the_simulators_log(tmp_path: Path) -> None:
    with running("--decode-tps", "2000", "--load-ms", "1", "--truth", str(tmp_path / "truth.jsonl")) as own:
        told = dict[str, list[tuple[int | None, int | None]]]()
        client = ollama.Client(own.url)
        for turn in range(10):
            *_, last = client.chat("sim", ASK, options={"num_predict": 4 + turn}, stream=True)
            told.setdefault("/api/chat", []).append((last.prompt_eval_count, last.eval_count))
            whole = client.generate("sim", f"Why is {turn} odd?", options={"num_predict": 4 + turn})
            told.setdefault("/api/generate", []).append((whole.prompt_eval_count, whole.eval_count))
        client._client.close()
        with openai.OpenAI(base_url=f"{own.url}/v1", api_key="none", max_retries=0) as asking:
            for turn in range(10):
                usage: Any = {"include_usage": True}
                for piece in asking.chat.completions.create(
                    model="sim", messages=ASK, max_tokens=4 + turn, stream=True, stream_options=usage
                ):
                    used = piece.usage
                assert used
                told.setdefault("/v1/chat/completions", []).append((used.prompt_tokens, used.completion_tokens))
    log = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text().splitlines()]
    for path, counts in told.items():
        assert counts == [(line["prompt_tokens"], line["output_tokens"]) for line in log if line["path"] == path]
    assert len(log) == 30
