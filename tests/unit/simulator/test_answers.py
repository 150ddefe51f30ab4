"""What the simulator says with stop sequences and in a small context, what it refuses, and how its words go wrong."""

import json
from typing import Any

import pytest

from tokenswarm.simulator.api.readers import read
from tokenswarm.simulator.api.request import GenerationRequest, Refused
from tokenswarm.simulator.model import models
from tokenswarm.simulator.model.faults import FAULTS
from tokenswarm.simulator.model.models import Model
from tokenswarm.simulator.model.plan import make_plan
from tokenswarm.simulator.model.script import Task
from tokenswarm.simulator.settings import SimulatorSettings


def ask(api: Any, body: dict[str, Any], model: str = "sim", **more: Any) -> GenerationRequest:
    known = {f"{model}:latest": models.make_model(f"{model}:latest")}
    return read(api, json.dumps({"model": model, **body}).encode(), known, SimulatorSettings(**more))


def refusal(api: Any, body: dict[str, Any], model: str = "sim") -> tuple[int, str]:
    with pytest.raises(Refused) as refused:
        ask(api, body, model)
    return refused.value.status, refused.value.message


# --- stop sequences


def test_a_stop_sequence_cuts_the_text_and_its_tokens_count() -> None:
    free = make_plan(5, 40, None)
    words = [line.text for line in free.lines]
    stop = words[10] + words[11]
    cut = make_plan(5, 40, None, stop=(stop,))
    assert cut.join("text") == "".join(words[:10])
    assert (cut.output_tokens, cut.reason) == (12, "stop")
    assert make_plan(5, 40, None, stop=("\x00",)) == free


def test_a_match_within_a_token_leaves_what_comes_before_it() -> None:
    free = make_plan(5, 40, None)
    word = next(line.text for line in free.lines[3:] if len(line.text) > 4)
    cut = make_plan(5, 40, None, stop=(word[3:],))
    assert free.join("text").split(word[3:])[0] == cut.join("text")


def test_what_could_begin_a_stop_sequence_is_held_back_and_comes_in_one_line() -> None:
    free = make_plan(5, 40, None)
    fourth = free.lines[3].text
    held = make_plan(5, 40, None, stop=(fourth + "\x00",))
    assert held.join("text") == free.join("text")
    assert held.lines[3].text == fourth + free.lines[4].text
    assert (held.lines[3].tokens, held.output_tokens) == (2, 40)


# --- the context


def test_a_prompt_that_is_too_long_is_cut_to_half_the_context_without_a_word() -> None:
    long = {"prompt": "word " * 2000, "options": {"num_ctx": 1000}}
    assert ask("generate", long).prompt_tokens == 503
    assert ask("generate", {"prompt": "word " * 8000}).prompt_tokens == 2051
    status, message = refusal("generate", {**long, "truncate": False})
    assert (status, json.loads(message)["error"]["n_ctx"]) == (400, 1000)
    assert ask("v1_chat", {"messages": [{"role": "user", "content": "word " * 8000}]}).prompt_tokens == 2051


def test_a_chat_forgets_its_oldest_messages() -> None:
    said = [{"role": "user", "content": "word " * 900}, {"role": "assistant", "content": "ok"}]
    last = {"role": "user", "content": "Hi"}
    body = {"messages": [{"role": "system", "content": "Be terse."}, *said, last], "options": {"num_ctx": 300}}
    short = ask("chat", body).prompt_tokens
    assert short == ask("chat", {"messages": [body["messages"][0], said[1], last]}).prompt_tokens


@pytest.mark.parametrize(
    ("options", "more", "room"),
    [
        ({}, {}, 4096 - 13),
        ({"num_ctx": 64}, {}, 256 - 13),
        ({"num_ctx": 64, "num_predict": -1}, {}, 640),
        ({"num_ctx": 64, "num_predict": 400}, {}, None),
        ({"num_ctx": 64, "num_predict": 400}, {"shift": False}, 256 - 13),
    ],
)
def test_room_for_the_answer(options: dict[str, Any], more: dict[str, Any], room: int | None) -> None:
    asked = ask("generate", {"prompt": "Hi", "options": options, **more})
    assert (asked.prompt_tokens, asked.room, asked.context_tokens) == (13, room, options.get("num_ctx"))


def test_a_full_context_ends_the_answer() -> None:
    full = make_plan(1, 300, None, room=243)
    assert (full.output_tokens, full.reason) == (243, "length")


def test_context_that_is_fed_back_counts() -> None:
    plain = ask("generate", {"prompt": "Hi"}).prompt_tokens
    assert ask("generate", {"prompt": "Hi", "context": list(range(40))}).prompt_tokens == plain + 40


# --- what is refused, and what is not


@pytest.mark.parametrize(
    ("api", "body", "status", "words"),
    [
        ("generate", {"prompt": "x", "options": {"stop": "x"}}, 500, 'option "stop" must be of type array'),
        ("generate", {"prompt": "x", "options": {"num_ctx": "big"}}, 500, 'option "num_ctx" must be of type integer'),
        ("generate", {"prompt": "x", "images": ["%%"]}, 400, "illegal base64"),
        ("generate", {"prompt": "x", "images": ["aGk="]}, 400, "does not support multimodal requests"),
        ("chat", {"messages": [{"role": "user", "content": "x", "images": ["aGk="]}]}, 500, "multimodal"),
        ("chat", {"messages": [{"role": "user", "content": "x"}], "format": 5}, 500, "invalid format: "),
        ("v1_chat", {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x"}}]}]},
         400, "invalid image input"),
        ("v1_messages", {"messages": [{"role": "user", "content": "x"}]}, 400, "max_tokens is required"),
    ],
)  # fmt: skip
def test_refusals(api: str, body: dict[str, Any], status: int, words: str) -> None:
    found = refusal(api, body)
    assert found[0] == status
    assert words in found[1]


def test_a_model_that_sees_pays_for_images() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    content = [{"type": "text", "text": "Hi"}, part]
    v1 = ask("v1_chat", {"messages": [{"role": "user", "content": content}]}, "sim-vision")
    native = ask("generate", {"prompt": "Hi", "images": ["aGk="]}, "sim-vision")
    assert v1.prompt_tokens == native.prompt_tokens == 13 + 256


def test_an_embedder_does_not_talk() -> None:
    assert refusal("generate", {}, "sim-embed") == (400, '"sim-embed" does not support generate')
    assert refusal("chat", {"messages": []}, "sim-embed") == (400, '"sim-embed" does not support chat')


# --- faults


def test_repeats_end_at_the_guard_and_loops_at_the_limit() -> None:
    made = make_plan(3, 30, None, fault=FAULTS["fault-repeat"])
    assert made.undone
    assert made.join("text").endswith(" the" * 31)
    assert not make_plan(3, 30, 20, fault=FAULTS["fault-repeat"]).undone
    loop = make_plan(3, 30, 200, fault=FAULTS["fault-loops"])
    assert (loop.output_tokens, loop.reason) == (200, "length")
    assert len({line.text for line in loop.lines}) <= 7


def test_thinking_faults() -> None:
    never = make_plan(3, 40, None, thinks=True, fault=FAULTS["fault-unclosed-think"])
    assert (never.join("text"), never.reason) == ("", "stop")
    assert len(never.join("thinking")) > 50
    leaks = FAULTS["fault-think-leaks"]
    assert "</think>" in make_plan(3, 40, None, fault=leaks).join("text")
    assert "</think>" not in make_plan(3, 40, None, thinks=True, fault=leaks).join("text")


def test_a_prompt_is_cut_and_only_the_count_says_so() -> None:
    model = Model("m:latest", fault=FAULTS["fault-cuts-prompt"])
    body = json.dumps({"model": "m", "prompt": "word " * 400}).encode()
    assert read("generate", body, {"m:latest": model}, SimulatorSettings()).prompt_tokens == (12 + 500) // 4


# --- thinking


def test_native_generate_does_not_tell_thinking_from_text() -> None:
    made = make_plan(3, 40, None, task=Task("N", thinks=True, separates=False))
    assert made.join("thinking") == ""
    assert made.join("text").startswith(" <think>\n")
    assert "</think>\n" in made.join("text")


def test_harmony_always_thinks() -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "think": False}
    assert ask("chat", body, "sim-think-harmony").thinks
    assert not ask("chat", body, "sim-think").thinks
