"""Every recorded generation of a real Ollama, asked of the simulator: same status, same shapes, same error words."""

import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from captures import FOLDER
from simulator_process import Answer, Simulator, parse, running

PATHS = {"/api/chat", "/api/generate", "/v1/chat/completions", "/v1/completions", "/v1/messages", "/v1/responses"}
# Theirs by what they can do and on which output path.
MODELS = {
    "gemma3-270m": "sim",
    "gemma3-270m-base": "sim",
    "t-second": "sim",
    "t-think": "sim-think",
    "t-tools": "sim-tools-talks",
    "t-toolsj": "sim-tools-bare-talks",
    "t-par": "sim-tools-parallel-talks",
    "t-both": "sim-think-tools",
    "t-native": "sim-think-tools-native",
    "t-q3": "sim-think-tools-qwen3",
    "t-har": "sim-think-tools-harmony",
    "t-toolsbad": "fault-dropped-call",
    "t-q3bad": "fault-call-no-json",
}
# Keys whose words are the model's own, or name something.
FREE = {
    "model", "name", "created_at", "response", "content", "text", "thinking", "reasoning", "token", "delta",
    "partial_json", "summary", "encrypted_content", "rendered_template", "description",
}  # fmt: skip
SKIPPED = {
    "disconnect_stream": "the client left",
    "swap_disc_Bgone": "the client left",
    "k_server_sigterm_stream": "the server was killed",
    "mgmt_run_badparam": "of a model that was created with a bad parameter: see test_simulator_management",
}


def _with(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Change fields of the body; those of the options if it has some; None takes a field away."""

    def change(body: dict[str, Any]) -> None:
        for name, value in fields.items():
            inner = body["options"] if "options" in body and name in ("num_predict", "stop") else body
            inner[name] = value
            if value is None:
                del inner[name]

    return change


def _unanswered(body: dict[str, Any]) -> None:
    body["messages"] = body["messages"][:1]


# What the recorded model happened to do is brought about here by a model that does it, or by a limit that falls there.
CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    # It called what no tool was offered for, or in bad JSON, which is dropped; when streamed, it said a word before.
    r"tools_chat_unknown_stream|tools_tagbad_(chat|v1)_stream": _with(model="talks-dropped-call"),
    r"tools_(chat|v1)_unknown_nostream": _with(model="fault-dropped-call"),
    # The same without a tag: the call comes out as text. The other paths pass it on.
    r"tools_(chat|v1)_notag_unknown_.*": _with(tools=None),
    r"tools_(har|q3)_unknown": _with(model="fault-unknown-tool"),
    # It never ended its call, until the limit came.
    r"tools_native_(unknown|chat_.*|cut_chat_.*)": _with(num_predict=45),
    r"tools_native_(choice_none|v1_.*|cut_v1_.*)": _with(max_tokens=45),
    # It called again although it had its answer.
    r"tools_native_result": _unanswered,
    # It did not speak harmony without tools.
    r"think_har_.*": _with(model="fault-harmony"),
    # It thought although it was told not to.
    r"tools_(chat|v1)_think_false_.*": _with(model="fault-think-leaks"),
    # It found no end.
    r"x_num_predict_neg1_small_ctx": _with(model="fault-loops"),
    r"gen_repeat_nostream": _with(model="fault-repeat"),
    r"think_gen_repeat_stream": _with(model="fault-repeat", think=None),
    r"k_runner_killed_stream": _with(model="fault-error-object"),
}


def _load() -> dict[str, dict[str, Any]]:
    """The recorded generations of Ollama (llama.cpp's own server, recorded too, is another thing)."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
    ours = {name: one for name, one in found.items() if one["server"].startswith("ollama") and one["path"] in PATHS}
    return {name: one for name, one in ours.items() if one["method"] == "POST"}


CAPTURES = _load()
ASKED = [name for name in CAPTURES if name not in SKIPPED]


@pytest.fixture(scope="module")
def sim() -> Iterator[Simulator]:
    names = ",".join(dict.fromkeys(name for name in MODELS.values() if not name.startswith("fault-")))
    fast = "--decode-tps 100000 --prefill-tps 10000000 --load-ms 0 --output-tokens 30 --output-cv 0 --merge 0"
    with running("--models", names, *fast.split()) as it:
        assert it.post("/api/create", {"model": "talks-dropped-call", "from": "fault-dropped-call"}).status == 200
        yield it


def asked(name: str, recorded: Answer) -> bytes:
    """The recorded body with the models' names exchanged, and changed as CHANGES says."""
    body = CAPTURES[name]["body"]
    try:
        body = json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return str(CAPTURES[name]["body"]).encode()
    if not isinstance(body, dict):
        return b"" if not body else str(body).encode()
    body["model"] = MODELS.get(body.get("model", ""), body.get("model", ""))
    for pattern, change in CHANGES.items():
        if re.fullmatch(pattern, name) and not (name.startswith("think_har") and body.get("tools")):
            change(body)
    if b'_reason":"length"' in recorded.body and not body.get(
        "tools"
    ):  # it ends at its limit here too, where it would have ended before it
        options, key = (body["options"], "num_predict") if "options" in body else (body, "max_tokens")
        options[key] = min(options.get(key) or 29, 29)
    if recorded.status == 503:  # of a burst
        body["model"] = "fault-503"
    return json.dumps(body).encode()


def shape(value: Any, key: str = "") -> Any:
    """Keys in order, types, and all words that are not the model's own or a name; of a list the different entries."""
    if isinstance(value, dict):
        return {
            one: "object" if one == "arguments" and inner != "" else shape(inner, one) for one, inner in value.items()
        }
    if isinstance(value, list):
        shapes: list[Any] = []
        for inner in value:
            if (one := shape(inner, key)) not in shapes:
                shapes.append(one)
        return shapes
    if isinstance(value, str) and (key == "id" or key.endswith("_id")):
        begins, rest = re.fullmatch(r"([a-z]+[_-])?(.*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
        return begins, "digits" if re.fullmatch(r"\d+(_\d)?", rest) else len(rest)
    return value if isinstance(value, str | bool) and key not in FREE else type(value).__name__


def runs(answer: Answer) -> list[list[Any]]:
    """The shapes of what each chunk holds, in order and without repetition."""
    seen: list[list[Any]] = []
    for chunk in answer.chunks:
        parts = [part.removeprefix(b"data: ") for part in re.split(rb"(\n+)", chunk)]
        shapes = [shape(json.loads(part)) if part[:1] == b"{" else part.decode() for part in parts]
        # Keys in order: an object compares without.
        ordered = [json.dumps(one) for one in shapes]
        if not seen or seen[-1] != ordered:
            seen.append(ordered)
    return seen


def words(body: bytes) -> str:
    """An error's text without the names of models and numbers of tokens."""
    names = sorted((*MODELS, *MODELS.values()), key=len, reverse=True)
    return re.sub(r"\d{3,}", "N", re.sub("|".join(map(re.escape, names)), "MODEL", body.decode()))


def fields(answer: Answer) -> set[str]:
    """The names of the header's fields, but for those that a server in between would set."""
    return set(answer.headers) - {"connection", "date", "cache-control"}


@pytest.mark.skipif(not CAPTURES, reason="the recordings of real servers are not beside this checkout")
@pytest.mark.parametrize("name", ASKED)
def test_the_simulator_answers_as_the_recorded_server(sim: Simulator, name: str) -> None:
    theirs = parse(CAPTURES[name]["response_latin1"].encode("latin-1"))
    ours = sim.post(CAPTURES[name]["path"], asked(name, theirs))
    assert (ours.status, ours.complete) == (theirs.status, True)
    assert ours.headers["content-type"] == theirs.headers["content-type"]
    if (len(theirs.body) > 2048) == (len(ours.body) > 2048):  # what is larger Go sends in chunks
        assert fields(ours) == fields(theirs)
    if theirs.status != 200:
        assert words(ours.body) == words(theirs.body)
    elif "json;" in theirs.headers["content-type"] or theirs.headers["content-type"] == "application/json":
        assert json.dumps(shape(ours.json())) == json.dumps(shape(theirs.json()))
        assert ours.body.endswith(b"\n") == theirs.body.endswith(b"\n")
    else:
        assert runs(ours) == runs(theirs)
        # An error inside a stream has words too.
        told = [re.findall(rb'"error":".*', answer.body) for answer in (ours, theirs)]
        assert told[0] == told[1]


def test_no_recording_is_passed_over_by_mistake() -> None:
    if not CAPTURES:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no recordings in {FOLDER}")
        pytest.skip("the recordings of real servers are not beside this checkout")
    assert set(SKIPPED) < set(CAPTURES)
    assert len(ASKED) > 350
    for pattern in CHANGES:
        assert any(re.fullmatch(pattern, name) for name in ASKED), pattern
