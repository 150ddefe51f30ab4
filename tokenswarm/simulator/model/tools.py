"""Tool calls: which tool a model calls, with what, and its own words for it on each of Ollama's output paths."""

import json
import random
import string
from dataclasses import dataclass
from typing import Any, NamedTuple

from tokenswarm.simulator.model import json_text
from tokenswarm.simulator.model.faults import Fault, OutputPath

_LETTERS = string.ascii_lowercase + string.digits
_NATIVE_LETTERS = string.ascii_letters + string.digits

CUT = 'llama-server returned invalid tool call arguments for "{}": unexpected end of JSON input'
NO_JSON = "failed to parse JSON: invalid character 'g' looking for beginning of value"


@dataclass(frozen=True)
class PlannedCall:
    """One call; `no_json` = arguments that cannot be read, as the model wrote them."""

    id: str
    index: int
    name: str
    arguments: dict[str, Any]
    no_json: str | None = None

    def text(self) -> str:
        """The arguments as a string, for /v1."""
        compact = json.dumps(self.arguments, ensure_ascii=False, separators=(",", ":"))
        return compact if self.no_json is None else self.no_json


class Piece(NamedTuple):
    """A token of a call: of the part that is not its arguments ("call"), or of these; `done` = it is complete now."""

    kind: str
    text: str
    done: tuple[PlannedCall, ...] = ()


def _id(path: OutputPath, rng: random.Random) -> str:
    if path == "N":
        return "".join(rng.choices(_NATIVE_LETTERS, k=32))
    return "call_" + "".join(rng.choices(_LETTERS, k=8))


def calls(
    tools: tuple[dict[str, Any], ...],
    count: int,
    rng: random.Random,
    ids: random.Random,
    path: OutputPath,
    fault: Fault,
) -> list[PlannedCall]:
    """What the model calls: `rng` chooses tool and arguments, `ids` what is new each time even for the same text."""
    made = []
    for index in range(count):
        tool = rng.choice(tools)
        arguments = json_text.value(tool.get("parameters") or {"type": "object"}, rng)
        arguments = arguments if isinstance(arguments, dict) else {}
        if path == "G":  # Go's maps have no order
            names = list(arguments)
            ids.shuffle(names)
            arguments = {name: arguments[name] for name in names}
        name = str(tool.get("name") or "")
        name = f"{name}_unknown" if fault.unknown_tool and path != "N" else name  # a grammar forces the name on N
        no_json = "{get " + name if fault.bad_arguments or fault.call_no_json else None
        made.append(PlannedCall(_id(path, ids), index, name, arguments, no_json))
    return made


def write_call(call: PlannedCall, path: OutputPath, *, bare: bool) -> list[Piece]:
    """A call as the model writes it, the call itself on the token at which Ollama has understood it."""
    arguments = call.no_json or json_text.write_json(call.arguments)
    if path == "harmony":
        before, after = f"<|channel|>commentary to=functions.{call.name} <|message|>", "<|call|>"
    else:
        before, after = f'{{"name": "{call.name}", "arguments": ', "}"
    open_tag, close_tag = ("", "") if bare or path == "harmony" else ("<tool_call>\n", "\n</tool_call>")
    said = [Piece("call", text) for text in json_text.pieces(open_tag + before)]
    said += [Piece("arguments", text) for text in json_text.pieces(arguments)]
    said += [Piece("arguments", text) for text in json_text.pieces(after)]
    if path == "B":
        said += [Piece("call", text) for text in json_text.pieces(close_tag)]
    said[-1] = said[-1]._replace(done=(call,))
    if path != "B":
        said += [Piece("hush", text) for text in json_text.pieces(close_tag)]
    return said
