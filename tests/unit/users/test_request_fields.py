"""Which options each User class asks with, and what is said about those that do not fit."""

import json
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from locust_process import ROOT, folder, headless
from options import parsed
from simulator_process import running
from tape import taped

from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.settings import Settings, settings
from tokenswarm.users.ollama import OllamaChatUser, OllamaGenerateUser
from tokenswarm.users.openai import OpenAIChatUser, OpenAICompletionsUser, OpenAIEmbeddingsUser
from tokenswarm.users.request_fields import ask_of, check
from tokenswarm.wire.values import Ask

HI = Prompt("hi", (Message("user", "Hi"),))
FOUR = (OllamaChatUser, OllamaGenerateUser, OpenAIChatUser, OpenAICompletionsUser)


class Warm(OllamaChatUser):
    options = {"temperature": 1.5, "keep_alive": "1h", "think": True}  # noqa: RUF012 - as a user writes it


class Wrong(OllamaChatUser):
    options = {"temperatur": 1}  # noqa: RUF012


def asked(*arguments: str) -> Settings:
    return settings(parsed(*arguments))


def given(*options: str, payload: Path | None = None) -> Settings:
    files = ["--payloads", str(payload)] if payload else []
    return asked(*files, *(word for one in options for word in ("--options", one)))


def test_each_option_goes_to_its_place_in_each_api() -> None:
    s = given('seed=7 num_predict=9 think=low format=json temperature=0 stop=["x"]')
    native = ask_of(OllamaChatUser, s)
    assert (native.max_tokens, native.think) == (9, "low")
    assert native.options == {"seed": 7, "temperature": 0, "stop": ["x"]}
    assert native.fields == {"format": "json"}
    v1 = ask_of(OpenAIChatUser, s)
    assert (v1.max_tokens, v1.think, v1.options) == (9, "low", {})
    assert v1.fields == {"seed": 7, "temperature": 0, "stop": ["x"], "response_format": {"type": "json_object"}}


def test_the_nearest_counts() -> None:
    s = given("temperature=0 seed=1", "Warm: seed=2; OllamaChatUser: top_k=5", "seed=3")
    warm = ask_of(Warm, s)
    assert warm.options == {"temperature": 1.5, "seed": 2}
    assert (warm.fields, warm.think) == ({"keep_alive": "1h"}, True)
    assert ask_of(OllamaChatUser, s).options == {"temperature": 0, "seed": 3, "top_k": 5}
    assert ask_of(Warm, given('Warm: {"think": false}')).think is False


@pytest.mark.parametrize(
    ("classes", "options", "words"),
    [
        ([Wrong], "", "Wrong.options: /api/chat takes no option temperatur; did you mean temperature?"),
        (FOUR, "temperature=hot", '--options: temperature is "hot"; make it a number'),
        (FOUR, "suffix=x", "--options: /api/chat takes no option suffix; /api/generate, /v1/completions do; or name "
         "only the classes that it fits: OllamaGenerateUser OpenAICompletionsUser"),
        (FOUR, "OllamaChatUser: top_p=x", '--options OllamaChatUser: top_p is "x"; make it a number'),
        (FOUR, "OllamaChatUsers: top_p=1", "--options: no class OllamaChatUsers runs; did you mean OllamaChatUser?"),
        (FOUR, "Mine: top_p=1", "--options: no class Mine runs; there are OllamaChatUser, OllamaGenerateUser"),
        ([OpenAIChatUser], "top_k=5", "--options: Ollama's /v1/chat/completions ignores top_k; /api/chat and"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(classes: Any, options: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        check(classes, given(options), ollama=True, named=False)
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_a_field_that_is_not_known_can_be_sent_all_the_same() -> None:
    with pytest.raises(UsageError, match=r"takes no option newest; \+newest is sent as it is"):
        check([OpenAIChatUser], given("newest=1"), ollama=False, named=True)
    assert check([OpenAIChatUser], given("+newest=1"), ollama=False, named=True) == []
    assert ask_of(OpenAIChatUser, given("+newest=1")).fields == {"newest": 1}
    with pytest.raises(UsageError, match=r"/api/chat takes no option \+newest"):
        check([OllamaChatUser], given("+newest=1"), ollama=True, named=True)


def test_named_classes_are_not_suggested() -> None:
    with pytest.raises(UsageError, match=r"generate, /v1/completions do$"):
        check(FOUR, given("suffix=x"), ollama=True, named=True)


def test_prompts_are_checked_for_each_class(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"prompt": "Hi", "id": "a"}\n{"prompt": "Hi", "id": "b", "options": {"num_ctxt": 1}}\n')
    with pytest.raises(UsageError, match=r"^prompt b: /api/chat takes no option num_ctxt; did you mean num_ctx"):
        check([OllamaChatUser], given(payload=path), ollama=True, named=True)


def test_what_ollama_ignores_is_said_and_other_servers_may_take_it() -> None:
    s = asked(
        "--options",
        "OpenAIChatUser: tool_choice=none; OllamaChatUser: mirostat=1",
        "--think",
        "false",
        "--payloads",
        "json",
    )
    said = check(FOUR, s, ollama=True, named=False)
    assert said == [
        "OllamaChatUser: Ollama's /api/chat ignores mirostat",
        "OpenAIChatUser: Ollama's /v1/chat/completions ignores tool_choice",
        "OpenAICompletionsUser: Ollama's /v1/completions ignores format, think",
    ]
    assert check([OpenAIChatUser], given("top_k=5,ignore_eos=true,n=1"), ollama=False, named=False) == []


def test_options_of_run_class_and_prompt_on_the_wire(tmp_path: Path) -> None:
    """From the environment, and from a class of a locustfile's own; the run says what Ollama ignores."""
    own = tmp_path / "own.py"
    own.write_text(
        "from locustfile import *\n\nclass Warm(OllamaChatUser):\n    options = {'temperature': 1.5, 'mirostat': 2}\n"
    )
    payload = tmp_path / "mine.jsonl"
    payload.write_text('{"prompt": "Hi", "options": {"top_p": 0.5}}\n')
    load = ("Warm", "OpenAIChatUser", "--model", "sim", "--users", "2", "--spawn-rate", "2", "--run-time", "1s")
    load += ("--payloads", str(payload), "--no-report", "--max-tokens", "3")
    env = {"TOKENSWARM_OPTIONS": "temperature=0 top_p=1; Warm: num_ctx=4096", "PYTHONPATH": str(ROOT)}
    with running("--load-ms", "0") as simulator, taped(simulator.url) as (url, tape):
        done = headless(url, tmp_path / "runs", *load, locustfile=str(own), **env)
    assert "warning: Warm: Ollama's /api/chat ignores mirostat" in done.stderr
    run = folder(tmp_path / "runs")
    assert "ignored options" in run.rules("remark")
    bodies = defaultdict(list)
    for row in run.rows:
        raw = tape.asked[f"{run.run['run']}-{row['worker']}-{row['sequence']}"]
        bodies[row["user_class"]].append(json.loads(raw.partition(b"\r\n\r\n")[2]))
    native = {"temperature": 1.5, "mirostat": 2, "top_p": 0.5, "num_ctx": 4096, "num_predict": 3}
    assert all(body["options"] == native for body in bodies["Warm"])
    assert all(
        (body["temperature"], body["top_p"], body["max_tokens"]) == (0, 0.5, 3) for body in bodies["OpenAIChatUser"]
    )
    assert len(bodies) == 2


def body(user_class: Any, *options: str, prompt: Prompt = HI) -> dict[str, Any]:
    """What a class sends with these options."""
    s = given(*options)
    assert check([user_class], s, ollama=False, named=True) == []
    return dict(json.loads(user_class.api.build(prompt, replace(ask_of(user_class, s), model="m")).body))


@pytest.mark.parametrize(
    ("user_class", "name"),
    [
        (OpenAIChatUser, "max_tokens"),
        (OpenAIChatUser, "stream_options"),
        (OpenAIChatUser, "stream"),
        (OpenAIChatUser, "model"),
        (OpenAICompletionsUser, "max_tokens"),
        (OllamaChatUser, "stream"),
        (OpenAIEmbeddingsUser, "model"),
    ],
)
def test_null_leaves_a_field_out(user_class: Any, name: str) -> None:
    """Some servers refuse what others want."""
    whole = body(user_class)
    assert name in whole
    del whole[name]
    assert body(user_class, json.dumps({name: None})) == whole
    assert body(user_class, f"{name}=null") == whole


def test_null_leaves_out_what_other_options_and_prompts_set() -> None:
    limited = replace(HI, max_tokens=9)
    assert "max_tokens" not in body(OpenAIChatUser, "max_tokens=null", prompt=limited)
    assert "num_predict" not in body(OllamaChatUser, "num_predict=null", prompt=limited)["options"]
    assert ask_of(OpenAIChatUser, given("max_tokens=null")).limit(limited) is None
    assert "temperature" not in body(Warm, "Warm: temperature=null")["options"]
    assert "response_format" not in body(OpenAIChatUser, "format=json response_format=null")
    with pytest.raises(UsageError, match="messages is set by the payload"):
        body(OpenAIChatUser, "messages=null")


@pytest.mark.parametrize("given", ["max_completion_tokens=7", "max_tokens=null max_completion_tokens=7",
                                   "max_completion_tokens=7,max_tokens=null", "+max_completion_tokens=7"])  # fmt: skip
def test_openais_newer_limit_goes_in_the_place_of_the_other(given: str) -> None:
    sent = body(OpenAIChatUser, given)
    assert (sent["max_completion_tokens"], "max_tokens" in sent) == (7, False)
    assert body(OpenAIChatUser, given, prompt=replace(HI, max_tokens=9))["max_completion_tokens"] == 9


def test_errors_and_answers_in_one_piece_are_accepted_as_well() -> None:
    for user_class in (OllamaChatUser, OpenAIChatUser, OpenAICompletionsUser):
        accepted = dict(user_class.api.build(HI, Ask("m")).headers)["Accept"]
        assert "application/json" in accepted.split(", ")
