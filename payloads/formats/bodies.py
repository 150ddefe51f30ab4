"""Request bodies, as OpenAI batch files and AIPerf's payload files hold them: back into what they ask."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TypeGuard

from tokenswarm.payloads.formats.agents import as_functions, from_blocks, from_items
from tokenswarm.payloads.formats.lengths import OUTPUT, output_tokens
from tokenswarm.payloads.formats.messages import conversation, images, text, wrong
from tokenswarm.payloads.formats.tools import read as read_tools
from tokenswarm.payloads.formats.turns import asked_turns
from tokenswarm.payloads.prompt import Message, Prompt, Turn

# What is read here, and what the run itself sets; everything else of a body is sent as it is.
READ = (
    *("messages", "prompt", "input", "system", "instructions", "images", "tools", "options", "stop_sequences"),
    *("format", "response_format", *OUTPUT),
)
RUNS = ("model", "stream", "stream_options")
# These stand at the top of an OpenAI body; a prompt has them as options, which every API's file puts in its place.
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "seed", "stop", "frequency_penalty", "presence_penalty")


def body(given: object, name: str, default_id: str, folder: Path) -> Prompt:
    """The Prompt of one request body (chat, completions, generate, responses, messages, embeddings).

    Raises ValueError.
    """
    if not isinstance(given, dict):
        wrong(name, given, 'make it a request body, such as {"messages": […]}')
    asked: Mapping[str, object] = {field: value for field, value in given.items() if value is not None}
    options = dict(_object(asked.get("options", {}), "options"))
    options |= {field: asked[field] for field in SAMPLING if field in asked}
    if "stop_sequences" in asked:  # Anthropic's name
        options["stop"] = asked["stop_sequences"]
    if isinstance(options.get("stop"), str):  # OpenAI takes a text as well, Ollama only a list
        options["stop"] = [options["stop"]]
    limit = output_tokens(asked) or output_tokens({"max_tokens": options.pop("num_predict", None)})
    return Prompt(
        id=default_id,
        messages=_messages(asked, folder),
        max_tokens=limit,
        options=options,
        format=_format(asked),
        fields={field: value for field, value in asked.items() if field not in (*READ, *RUNS, *SAMPLING)},
        tools=read_tools(as_functions(asked["tools"])) if "tools" in asked else (),
        inputs=() if _has_items(asked) else _inputs(asked.get("input")),
    )


def bodies(given: object, default_id: str, folder: Path) -> Prompt:
    """The session of several bodies, each with the history of those before it. Raises ValueError."""
    if not isinstance(given, list) or not given:
        wrong("payloads", given, "make it a list of request bodies")
    read = [body(one, f"payloads[{at}]", default_id, folder) for at, one in enumerate(given)]
    turns: list[Turn] = []
    for before, one in pairwise(read):
        shared = len(before.messages) if one.messages[: len(before.messages)] == before.messages else 0
        new = (Turn((said,), max_tokens=one.max_tokens) for said in one.messages[shared:])
        turns += asked_turns([Turn(read[0].messages), *new])[1:]
    return replace(read[0], then=tuple(turns))


def _messages(asked: Mapping[str, object], folder: Path) -> tuple[Message, ...]:
    system = _system(asked)
    if "messages" in asked:
        return (*system, *conversation(from_blocks(asked["messages"]), folder))
    if _has_items(asked):
        return (*system, *conversation(from_items(asked["input"]), folder))
    said = "\n\n".join(_inputs(asked["input"])) if "input" in asked else asked.get("prompt")
    if said is None:
        raise ValueError("the body has neither messages, prompt nor input; give one of them")
    if isinstance(said, list) and len(said) == 1:
        (said,) = said
    if not text(said, "prompt").strip():
        raise ValueError("prompt is empty; write it, or leave the line out")
    return (*system, Message("user", text(said, "prompt"), images(asked.get("images"), "images", folder)))


def _system(asked: Mapping[str, object]) -> tuple[Message, ...]:
    """Under `system` or `instructions`: a text, or Anthropic's blocks of text."""
    name = "system" if "system" in asked else "instructions"
    said = asked.get(name)
    if isinstance(said, list) and all(isinstance(block, dict) and "text" in block for block in said):
        said = "\n\n".join(text(block["text"], name) for block in said)
    return () if said is None else (Message("system", text(said, name)),)


def _has_items(asked: Mapping[str, object]) -> TypeGuard[Mapping[str, list[object]]]:
    given = asked.get("input")
    return isinstance(given, list) and any(isinstance(one, dict) for one in given)


def _inputs(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(text(one, "input") for one in (value if isinstance(value, list) else [value]))


def _format(asked: Mapping[str, object]) -> object | None:
    """Ollama's `format`, or OpenAI's `response_format` as one."""
    if "response_format" not in asked:
        return asked.get("format")
    wanted = _object(asked["response_format"], "response_format")
    if wanted.get("type") == "json_schema":
        return _object(_object(wanted.get("json_schema"), "response_format.json_schema").get("schema"), "schema")
    return "json" if wanted.get("type") == "json_object" else None


def _object(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        wrong(name, value, "make it an object")
    return value
