"""Request fields: what fits which API, and how `--options` are read."""

import re

import pytest

from tokenswarm.payloads.field_check import ignored_names, misfit, prompt_misfit
from tokenswarm.payloads.field_kinds import KINDS
from tokenswarm.payloads.prompt import Message, Prompt, Turn
from tokenswarm.payloads.request_fields import FIELDS, PATHS, fields
from tokenswarm.settings.overrides import read_overrides

CHAT, GENERATE, V1 = "/api/chat", "/api/generate", "/v1/chat/completions"
TOOL = {"type": "function", "function": {"name": "now"}}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {}),
        ("temperature=0,seed=7", {"": {"temperature": 0, "seed": 7}}),
        ('num_ctx=8192 stop=["\\n", "a b"]', {"": {"num_ctx": 8192, "stop": ["\n", "a b"]}}),
        ('{"temperature": 0,\n "keep_alive": -1}', {"": {"temperature": 0, "keep_alive": -1}}),
        ("keep_alive=-1m raw=true", {"": {"keep_alive": "-1m", "raw": True}}),
        ('think=high user="me too"', {"": {"think": "high", "user": "me too"}}),
        ('format={"type": "object", "a": [1, 2]},seed=1', {"": {"format": {"type": "object", "a": [1, 2]}, "seed": 1}}),
        ("seed=1 seed=2", {"": {"seed": 2}}),
        ("A: seed=1\nseed=2", {"A": {"seed": 1}, "": {"seed": 2}}),
        ('A: seed=1; B: {"seed": 2} top_p=1', {"A": {"seed": 1}, "B": {"seed": 2, "top_p": 1}}),
        ("x=NaN", {"": {"x": "NaN"}}),
    ],
)  # fmt: skip
def test_how_options_are_written(text: str, fields: dict[str, object]) -> None:
    assert read_overrides(text) == fields


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("temperature", "'temperature' is no name=value; write temperature=0,seed=7 or JSON"),
        ("system=You are", "'are' is no name=value; write temperature=0,seed=7 or JSON, and put a text with blanks"),
        ("a=1 = 2", "'=' is no name=value"),
        ('{"a": 1', "is not JSON: "),
        ("stop=[1", "'[1' is not JSON: "),
        ("a=", "a= has no value; write name=value"),
        ("seed=99999999999999999999", "Integer exceeds 64-bit range, so it cannot be sent"),
        ('stop=["\\ud800"]', "surrogates not allowed, so it cannot be sent"),
    ],
)
def test_a_mistake_in_options_is_shown(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read_overrides(text)


@pytest.mark.parametrize("path", PATHS)
def test_each_field_takes_its_good_example_and_refuses_the_bad_one(path: str) -> None:
    for name, field in fields(path).items():
        kind = KINDS[field.kind]
        if field.by:
            assert misfit(path, name, kind.good, ollama=False) == f"{name} is set by {field.by}"
            continue
        assert misfit(path, name, kind.good, ollama=False) == ""
        assert misfit(path, name, kind.bad, ollama=False).endswith(f"; {kind.right}")
        assert bool(misfit(path, name, kind.good, ollama=True)) == (field.on_ollama == "refused")


def test_no_api_has_a_field_twice() -> None:
    for path in PATHS:
        assert len(fields(path)) == sum(path in field.paths for field in FIELDS)


@pytest.mark.parametrize(
    ("path", "name", "value", "words"),
    [
        (CHAT, "temprature", 0, "/api/chat takes no option temprature; did you mean temperature?"),
        (CHAT, "temperature", "hot", 'temperature is "hot"; make it a number'),
        (CHAT, "temperature", True, "temperature is true; make it a number"),
        (CHAT, "num_ctx", 8192.5, "num_ctx is 8192.5; make it a whole number"),
        (CHAT, "stop", "\n", 'stop is "\\n"; make it a list of texts'),
        (CHAT, "keep_alive", "soon", 'keep_alive is "soon"; use a duration such as "10m" or "24h", seconds'),
        (CHAT, "keep_alive", "10", 'keep_alive is "10"; use a duration'),
        (CHAT, "suffix", "x", "/api/chat takes no option suffix; /api/generate, /v1/completions do"),
        (V1, "num_ctx", 1, "/v1/chat/completions takes no option num_ctx; /api/chat, /api/generate, /api/embed do"),
        (V1, "repeat_penalty", 1, "Ollama's /v1/chat/completions ignores repeat_penalty; /api/chat and /api/generate"),
        (V1, "min_tokens", 1, "Ollama's /v1/chat/completions ignores min_tokens"),
        (V1, "n", 2, "n is 2; one choice is measured"),
        (V1, "max_completion_tokens", 9, f"Ollama's {V1} ignores max_completion_tokens; give max_tokens"),
        (V1, "max_tokens", 0, "max_tokens is 0; make it a whole number above 0"),
        (V1, "model", "x", "model is set by --model"),
        (V1, "response_format", "json", 'response_format is "json"; use {"type": "json_object"}'),
    ],
)  # fmt: skip
def test_the_line_says_what_is_wrong(path: str, name: str, value: object, words: str) -> None:
    assert misfit(path, name, value, ollama=True).startswith(words)


@pytest.mark.parametrize("value", ["10m", "24h", 3600, -1, "-1m", 0, "1h30m", "0", "1.5s"])
def test_keep_alive_in_all_its_forms(value: object) -> None:
    assert misfit(CHAT, "keep_alive", value, ollama=True) == ""


def ask(**more: object) -> Prompt:
    return Prompt("p", (Message("user", "Hi"),), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "prompt", "words"),
    [
        (CHAT, ask(tools=(TOOL,)), ""),
        (GENERATE, ask(tools=(TOOL,)), f"{GENERATE} takes no tools; {CHAT}, {V1}, /v1/responses, /v1/messages do"),
        (CHAT, ask(options={"seed": 1}, fields={"keep_alive": "1m", "think": True}), ""),
        (CHAT, ask(options={"keep_alive": "1m"}), "keep_alive is in the wrong place; put it beside options"),
        (CHAT, ask(fields={"seed": 1}), "seed is in the wrong place; put it into options"),
        (V1, ask(fields={"seed": 1}), ""),
        (V1, ask(options={"num_predict": 1}), "num_predict is in the wrong place; put max_tokens beside options"),
        (CHAT, ask(options={"num_predict": 1}), "num_predict is in the wrong place; put max_tokens beside options"),
        (GENERATE, ask(fields={"context": (1, 2), "suffix": "b", "raw": True}), ""),
        (CHAT, ask(fields={"suffix": "b"}), "/api/chat takes no option suffix"),
        (V1, ask(fields={"+x": 1}), "/v1/chat/completions takes no option +x"),
        ("/v1/embeddings", ask(format="json"), "/v1/embeddings takes no format"),
        ("/mine", ask(tools=(TOOL,), fields={"x": 1}), ""),
    ],
)  # fmt: skip
def test_a_prompt_fits_its_api_or_says_why_not(path: str, prompt: Prompt, words: str) -> None:
    said = prompt_misfit(path, prompt, ollama=True)
    assert said.startswith(words) if words else said == ""


def test_images_go_where_they_are_seen() -> None:
    shown = Prompt("p", (Message("user", "Hi", ("iVBORw0KGgo=",)),))
    linked = Prompt("p", (Message("user", "Hi"),), then=(Turn((Message("user", "", ("https://x/y.png",)),)),))
    for path in (CHAT, GENERATE, V1, "/v1/responses", "/v1/messages"):
        assert prompt_misfit(path, shown, ollama=True) == ""
        assert prompt_misfit(path, linked, ollama=True).startswith("Ollama fetches no images")
    assert prompt_misfit(V1, linked, ollama=False) == ""
    assert prompt_misfit("/v1/completions", shown, ollama=False) == (
        f"/v1/completions takes no images; /api/chat, /api/generate, {V1}, /v1/responses, /v1/messages, /api/v1/chat do"
    )


def test_what_ollama_ignores() -> None:
    assert ignored_names(CHAT, {"mirostat": 1, "seed": 1, "other": 1}) == ["mirostat"]
    assert ignored_names(V1, {"tool_choice": "auto", "user": "me"}) == ["tool_choice", "user"]
