"""What agents send, Anthropic's messages of blocks and OpenAI's items of input, as the messages of a chat."""

from collections.abc import Iterator, Mapping
from typing import Any

from tokenswarm.payloads.formats.messages import wrong

ITEMS = ("message", "function_call", "function_call_output", "reasoning")
BLOCKS = ("text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking")
_OWN_BLOCKS = {*BLOCKS} - {"text"}  # by one of which a message is Anthropic's


def from_blocks(given: object) -> object:
    """Messages whose content may be Anthropic's blocks; what is none of them stays as it is. Raises ValueError."""
    if not isinstance(given, list) or not any(map(_has_blocks, given)):
        return given
    names: dict[object, object] = {}  # of tools, by the ids of their calls
    return [said for at, one in enumerate(given) for said in _parted(one, f"messages[{at}].content", names)]


def _has_blocks(message: object) -> bool:
    content = message.get("content") if isinstance(message, dict) else None
    return isinstance(content, list) and any(_kind(block) in _OWN_BLOCKS for block in content)


def _kind(part: object) -> object:
    kind = part.get("type") if isinstance(part, dict) else None
    return kind if isinstance(kind, str) else None


def _parted(message: Any, name: str, names: dict[object, object]) -> Iterator[object]:
    """The messages of one: the results of tools apart from what else the user says."""
    if not _has_blocks(message):
        yield message
        return
    parts, calls, thoughts = [], [], []
    for at, block in enumerate(message["content"]):
        kind = _kind(block)
        if kind == "tool_result":
            called = block.get("tool_use_id", "")
            yield _result(called, names, _text(block.get("content"), f"{name}[{at}].content"))
        elif kind == "tool_use":
            names[block.get("id")] = block.get("name")
            calls.append({"id": block.get("id"), "name": block.get("name"), "arguments": block.get("input") or {}})
        elif kind == "image":
            parts.append({"type": "image_url", "image_url": _url(block.get("source"), f"{name}[{at}].source")})
        elif kind == "thinking":
            thoughts.append(str(block.get("thinking") or ""))
        elif kind == "text":
            parts.append(block)
        elif kind not in BLOCKS:
            wrong(f"{name}[{at}].type", kind, f"only blocks of the types {', '.join(BLOCKS)} can be sent")
    if parts or calls:
        yield {**message, "content": parts, "tool_calls": calls, "thinking": "".join(thoughts)}


def _result(called: object, names: Mapping[object, object], text: str) -> dict[str, object]:
    return {"role": "tool", "tool_call_id": called, "tool_name": names.get(called, ""), "content": text}


def _text(value: object, name: str) -> str:
    """A result: a text, or blocks of text."""
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list) or not all(isinstance(part, dict) and "text" in part for part in value):
        wrong(name, value, "put a text in quotes, or make it a list of texts")
    return "\n".join(str(part["text"]) for part in value)


def _url(source: Any, name: str) -> str:
    if isinstance(source, dict) and source.get("type") == "url":
        return str(source.get("url"))
    if not isinstance(source, dict) or not isinstance(source.get("data"), str):
        wrong(name, source, 'make it {"type": "base64", "media_type": …, "data": …}')
    return f"data:{source.get('media_type', 'image/png')};base64,{source['data']}"


def from_items(given: list[Any]) -> list[dict[str, Any]]:
    """The messages of OpenAI's input items: calls belong to what the assistant said before them. Raises ValueError."""
    said: list[dict[str, Any]] = []
    names: dict[object, object] = {}
    thought = ""
    for at, item in enumerate(given):
        kind = _kind(item) or ("message" if isinstance(item, dict) and "role" in item else None)
        if kind == "message":
            said.append({name: value for name, value in item.items() if name in ("role", "content")})
        elif kind == "function_call":
            if not said or said[-1]["role"] != "assistant":
                said.append({"role": "assistant", "content": ""})
            names[item.get("call_id")] = item.get("name")
            call = {"id": item.get("call_id"), "name": item.get("name"), "arguments": item.get("arguments")}
            said[-1].setdefault("tool_calls", []).append(call)
        elif kind == "function_call_output":
            said.append(_result(item.get("call_id", ""), names, _text(item.get("output"), f"input[{at}].output")))
        elif kind == "reasoning":
            thought = "".join(str(part.get("text", "")) for part in item.get("summary") or [] if isinstance(part, dict))
            continue
        else:
            wrong(f"input[{at}].type", kind, f"only items of the types {', '.join(ITEMS)} can be sent")
        if said[-1]["role"] == "assistant" and thought:
            said[-1]["thinking"], thought = thought, ""
    return said


def as_functions(given: object) -> object:
    """Tools as Anthropic and /v1/responses have them, as a chat has: the schema by another name, nothing nested."""
    if not isinstance(given, list):
        return given
    return [_function(tool) for tool in given]


def _function(tool: object) -> object:
    if (
        not isinstance(tool, dict)
        or "function" in tool
        or not ("input_schema" in tool or tool.get("type") == "function")
    ):
        return tool
    function = {name: value for name, value in tool.items() if name not in ("type", "input_schema", "cache_control")}
    if "input_schema" in tool:
        function["parameters"] = tool["input_schema"]
    return {"type": "function", "function": function}
