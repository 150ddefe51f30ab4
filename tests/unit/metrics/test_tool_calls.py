"""Tool calls told apart by index, id, name or line, and put together from their pieces."""

import json
from typing import Any

import pytest
from captures import APIS, read
from literals import DONE, FINISH, SENTINEL, USAGE, delta, event, line, ndjson, sse

from tokenswarm.metrics.tool_calls import join_calls
from tokenswarm.wire.values import ToolCall

CHAT, V1_CHAT = APIS["/api/chat"], APIS["/v1/chat/completions"]


def piece(name: str | None = None, arguments: object = None, id: object = None, **more: object) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"function": function, **({} if id is None else {"id": id}), **more}


PARIS, ROME = '{"city": "Paris"}', '{"city": "Rome"}'
TWO = [("f", PARIS), ("f", ROME)]
IN_PIECES = [("f", PARIS), ("g", ROME)]
CALLS: list[tuple[str, list[Any], list[tuple[str, object]]]] = [
    ("ids at one index", [[piece("f", PARIS, "a", index=0)], [piece("f", ROME, "b", index=0)]], TWO),
    ("ids, no index", [[piece("f", PARIS, "a")], [piece("f", ROME, "b")]], TWO),
    ("ids, index null", [[piece("f", PARIS, "a", index=None)], [piece("f", ROME, "b", index=None)]], TWO),
    ("ids, index a text", [[piece("f", PARIS, "a", index="0")], [piece("f", ROME, "b", index="1")]], TWO),
    ("ids, index -1", [[piece("f", PARIS, "a", index=-1)], [piece("f", ROME, "b", index=-1)]], TWO),
    ("ids that are numbers", [[piece("f", PARIS, 1)], [piece("f", ROME, 2)]], TWO),
    ("names only", [[piece("f", PARIS)], [piece("f", ROME)]], TWO),
    ("names only, at one index", [[piece("f", PARIS, index=0)], [piece("f", ROME, index=0)]], TWO),
    ("in one line", [[piece("f", PARIS), piece("f", ROME)]], TWO),
    ("in one line at one index", [[piece("f", PARIS, "a", index=0), piece("f", ROME, "b", index=0)]], TWO),
    (
        "in one line, the rest too",
        [[piece("f", PARIS[:5]), piece("g", ROME[:5])], [piece(None, PARIS[5:]), piece(None, ROME[5:])]],
        IN_PIECES,
    ),
    (
        "pieces by index",
        [
            [piece("f", "", "a", index=0)],
            [piece(None, PARIS, index=0)],
            [piece("g", "", "b", index=1)],
            [piece(None, ROME, index=1)],
        ],
        IN_PIECES,
    ),
    (
        "pieces by turns",
        [
            [piece("f", PARIS[:5], "a", index=0)],
            [piece("g", ROME[:5], "b", index=1)],
            [piece(None, PARIS[5:], index=0)],
            [piece(None, ROME[5:], index=1)],
        ],
        IN_PIECES,
    ),
    (
        "pieces by id",
        [
            [piece("f", PARIS[:5], "a")],
            [piece("g", ROME[:5], "b")],
            [piece(None, PARIS[5:], "a")],
            [piece(None, ROME[5:], "b")],
        ],
        IN_PIECES,
    ),
    (
        "pieces by line",
        [[piece("f", PARIS[:5], "a")], [piece(None, PARIS[5:])], [piece("g", ROME[:5], "b")], [piece(None, ROME[5:])]],
        IN_PIECES,
    ),
    (
        "index only at first",
        [[piece("f", "", "a", index=0)], [piece("g", ROME[:5], "b", index=1)], [piece(None, ROME[5:])]],
        [("f", ""), ("g", ROME)],
    ),
    ("one id at two indexes", [[piece("f", PARIS, "a", index=0)], [piece("f", ROME, "a", index=1)]], TWO),
    ("one id, one line", [[piece("f", PARIS, "a", index=0), piece("g", ROME, "a", index=1)]], IN_PIECES),
    ("one id, said again elsewhere", [[piece("f", PARIS, "a", index=1)], [piece("f", PARIS, "a", index=0)]], TWO[:1]),
    ("id and name in each piece", [[piece("f", PARIS[n : n + 7], f"a{n}", index=0)] for n in range(0, 21, 7)], TWO[:1]),
    ("an index a piece", [[piece("f", "", "a", index=0)], [piece(None, PARIS, index=1)]], TWO[:1]),
    ("the name in each piece", [[piece("f", PARIS[:5], index=0)], [piece("f", PARIS[5:], index=0)]], [("f", PARIS)]),
    (
        "id and name in each piece",
        [[piece("f", PARIS[:5], "a", index=0)], [piece("f", PARIS[5:], "a", index=0)]],
        [("f", PARIS)],
    ),
    (
        "a new id in each piece",
        [[piece("f", PARIS[:5], "a", index=0)], [piece(None, PARIS[5:], "b", index=0)]],
        [("f", PARIS)],
    ),
    (
        "an id that comes later",
        [[piece("f", PARIS[:5], index=0)], [piece(None, PARIS[5:], "a", index=0)]],
        [("f", PARIS)],
    ),
    ("an empty object first", [[piece("f", "{}", "a", index=0)], [piece(None, PARIS, index=0)]], [("f", PARIS)]),
    ("said again at the end", [[piece("f", PARIS, "a", index=0)], [piece("f", PARIS, "a", index=0)]], [("f", PARIS)]),
    ("no list", [piece("f", PARIS, "a")], [("f", PARIS)]),
    ("no function", [[{"name": "f", "arguments": PARIS}]], [("f", PARIS)]),
    ("a function's name", [[{"function": "f", "arguments": PARIS, "id": "a"}]], [("f", PARIS)]),
    ("arguments an object", [[piece("f", {"city": "Paris"}, "a")]], [("f", {"city": "Paris"})]),
    ("arguments a list", [[piece("f", ["Paris"], "a")]], [("f", ["Paris"])]),
    ("rubbish beside it", [["x", 3, None, {}, piece("f", PARIS, "a")]], [("f", PARIS)]),
    ("only rubbish", ["x", 3, [[], None], [{"function": None}]], []),
]


@pytest.mark.parametrize(("lines", "calls"), [case[1:] for case in CALLS], ids=[case[0] for case in CALLS])
def test_tool_calls_are_told_apart(lines: list[Any], calls: list[tuple[str, object]]) -> None:
    body = b"".join(event(delta(tool_calls=pieces)) for pieces in lines)
    _, builder, verdict = read(V1_CHAT, sse(body + FINISH + USAGE + SENTINEL))
    found = builder.answer().tool_calls
    assert verdict.outcome == "ok"
    assert [(call.name, call.arguments) for call in found] == calls
    assert [call.place for call in found] == list(range(len(calls)))


@pytest.mark.parametrize("index", [{}, {"index": 0}, {"index": None}], ids=["none", "the same", "null"])
def test_two_calls_of_ollama_on_two_lines(index: dict[str, object]) -> None:
    def called(city: str) -> bytes:
        calls = [{"function": {"name": "f", "arguments": {"city": city}, **index}}]
        return line(message={"content": "", "tool_calls": calls}, done=False)

    calls = read(CHAT, ndjson(called("Paris"), called("Rome"), DONE))[1].answer().tool_calls
    assert [call.arguments for call in calls] == [{"city": "Paris"}, {"city": "Rome"}]


def test_arguments_a_byte_at_a_time() -> None:
    pieces = [ToolCall(0, "a", "f", "{"), *(ToolCall(0, "", "", c) for c in '"a":{"b":1}}')]
    (call,) = join_calls(pieces)
    assert json.loads(str(call.arguments)) == {"a": {"b": 1}}
