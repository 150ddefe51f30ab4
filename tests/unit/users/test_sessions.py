"""Sessions as the server sees them: what each turn's request holds, and what the rows say of it."""

import json
from dataclasses import replace
from typing import Any

import gevent
import pytest
from talking import DONE, chat, talking

from tokenswarm.payloads.conversation import NO_SUCH_TOOL
from tokenswarm.payloads.mix import Mix
from tokenswarm.payloads.prompt import Message, Prompt, Turn
from tokenswarm.users.ollama import OllamaChatUser, OllamaGenerateUser
from tokenswarm.users.openai import OpenAIChatUser, OpenAICompletionsUser


def user(text: str) -> Message:
    return Message("user", text)


def script(*turns: Turn, **more: Any) -> Prompt:
    return Prompt("talk", (Message("system", "S"), user("one")), then=turns, **more)


THREE = script(Turn((user("two"),), answer=Message("assistant", "by the file")), Turn((user("three"),)), max_tokens=7)
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def openai(text: str | None, **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **more}
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {"total_tokens": 3}}


def test_each_turn_carries_the_models_own_answers() -> None:
    with talking(OllamaChatUser, chat("uno"), chat("due", thinking="hm"), chat("tre")) as talk:
        talk.user.converse(THREE)
    assert talk.messages(0) == [("system", "S"), ("user", "one")]
    assert talk.messages(1) == [*talk.messages(0), ("assistant", "uno"), ("user", "two")]
    assert talk.messages(2) == [*talk.messages(1), ("assistant", "due"), ("user", "three")]
    assert all("hm" not in json.dumps(body) for body in talk.bodies)  # nor the thinking
    assert [body["options"]["num_predict"] for body in talk.bodies] == [7, 7, 7]
    who = [record.identity for record in talk.records]
    assert [(one.sequence, one.session, one.turn, one.turns_left) for one in who] == [
        (0, None, 1, 2),  # in its row the session is its own sequence
        (1, 0, 2, 1),
        (2, 0, 3, 0),
    ]


def test_a_file_may_carry_the_conversation() -> None:
    with talking(OllamaChatUser, chat("uno"), chat("due"), chat("tre"), history="file") as talk:
        talk.user.converse(THREE)
    assert [text for role, text in talk.messages(2) if role == "assistant"] == ["by the file", "due"]


def test_a_turn_that_fails_ends_the_conversation() -> None:
    with talking(OllamaChatUser, chat("uno"), None, pause_after_error=0) as talk:
        talk.user.converse(THREE)
    assert [(record.outcome, record.identity.turns_left) for record in talk.records] == [("ok", 2), ("http_error", 1)]


def test_the_mark_is_one_of_the_session_and_the_next_session_has_another() -> None:
    answers = [chat("a")] * 6
    with talking(OllamaChatUser, *answers, unique_prompts=True) as talk:
        talk.user.run_context.settings = replace(talk.user.run_context.settings, mix=Mix([THREE], 0))
        talk.user.ask()
        talk.user.ask()
    firsts = [talk.messages(turn)[0][1] for turn in range(6)]
    assert len(set(firsts[:3])) == len(set(firsts[3:])) == 1
    assert firsts[0] != firsts[3]
    assert all(first.endswith("] S") for first in firsts)
    assert talk.messages(2)[1] == ("user", "one")


def test_completions_get_the_history_as_one_text() -> None:
    answer = {"choices": [{"text": "uno", "finish_reason": "stop"}], "usage": {"total_tokens": 3}}
    with talking(OpenAICompletionsUser, answer, answer, answer) as talk:
        talk.user.converse(THREE)
    assert talk.bodies[1]["prompt"] == "S\n\none\n\nuno\n\ntwo"


def test_generate_sends_back_the_context_and_only_what_is_new() -> None:
    answers = [
        {"response": text, "context": context, **DONE} for text, context in (("uno", [1, 2]), ("due", [1, 2, 3]))
    ]
    with talking(OllamaGenerateUser, *answers, {"response": "tre", **DONE}, unique_prompts=True) as talk:
        talk.user.converse(THREE)
    assert [body.get("context") for body in talk.bodies] == [None, [1, 2], [1, 2, 3]]
    assert [body["prompt"] for body in talk.bodies[1:]] == ["two", "three"]
    assert "system" not in talk.bodies[1]


@pytest.mark.parametrize("chosen", [{"no_context": True}, {"history": "file"}])
def test_generate_may_send_the_history_as_text(chosen: dict[str, Any]) -> None:
    answer = {"response": "uno", "context": [1], **DONE}
    with talking(OllamaGenerateUser, answer, answer, answer, **chosen) as talk:
        talk.user.converse(THREE)
    said = "by the file" if "history" in chosen else "uno"
    assert talk.bodies[1]["prompt"] == f"one\n\n{said}\n\ntwo"
    assert "context" not in talk.bodies[1]


CALL = {"id": "call_a", "function": {"index": 0, "name": "weather", "arguments": {"city": "Oslo"}}}
ASKS = script(Turn((user("two"),)), tools=(WEATHER,), tool_results={"weather": {"sky": "clear"}})


def test_a_tool_round_on_chat() -> None:
    unknown = {"id": "call_b", "function": {"index": 1, "name": "rm", "arguments": {}}}
    with talking(OllamaChatUser, chat(tool_calls=[CALL, unknown]), chat("Clear."), chat("Bye.")) as talk:
        talk.user.converse(ASKS)
    assert talk.bodies[0]["tools"] == [WEATHER]
    asked, first, second = talk.bodies[1]["messages"][-3:]
    assert asked["role"] == "assistant"
    assert [call["function"]["arguments"] for call in asked["tool_calls"]] == [{"city": "Oslo"}, {}]
    assert (first["role"], first["content"], first["tool_name"]) == ("tool", '{"sky":"clear"}', "weather")
    assert second["content"] == NO_SUCH_TOOL
    assert talk.messages(2)[-2:] == [("assistant", "Clear."), ("user", "two")]
    assert [message["role"] for message in talk.bodies[2]["messages"]].count("tool") == 2
    assert [(r.identity.turn, r.identity.turn_kind) for r in talk.records] == [(1, "user"), (2, "tool"), (3, "user")]


def test_a_tool_round_on_v1() -> None:
    call = {"id": "call_a", "index": 0, "type": "function", "function": {"name": "weather", "arguments": '{"city":1}'}}
    bad = {"id": "call_b", "index": 1, "type": "function", "function": {"name": "weather", "arguments": '{"ci'}}
    with talking(OpenAIChatUser, openai(None, tool_calls=[call, bad]), openai("Clear."), openai("Bye.")) as talk:
        talk.user.converse(ASKS)
    asked, first, second = talk.bodies[1]["messages"][-3:]
    # Arguments are a text here, and what a model has cut is none that a server would take back.
    assert [json.loads(one["function"]["arguments"]) for one in asked["tool_calls"]] == [{"city": 1}, {}]
    assert (first["role"], first["content"], first["tool_call_id"]) == ("tool", '{"sky":"clear"}', "call_a")
    assert second["tool_call_id"] == "call_b"


def test_tool_rounds_have_a_limit_and_a_result_for_all_tools() -> None:
    calls = [chat(tool_calls=[CALL])] * 3
    prompt = replace(ASKS, tool_results={}, then=())
    with talking(OllamaChatUser, *calls, tool_result="sunny", tool_rounds=2) as talk:
        talk.user.converse(prompt)
    assert len(talk.bodies) == 3
    assert [text for role, text in talk.messages(2) if role == "tool"] == ["sunny", "sunny"]


def test_calls_that_nobody_answers_stay_out_of_the_history() -> None:
    prompt = replace(ASKS, tool_results={})
    with talking(OllamaChatUser, chat("Let me see.", tool_calls=[CALL]), chat("Bye.")) as talk:
        talk.user.converse(prompt)
    assert talk.messages(1)[-2:] == [("assistant", "Let me see."), ("user", "two")]
    assert "tool_calls" not in json.dumps(talk.bodies[1])


def test_thinking_stays_in_the_history_where_it_is_asked_for() -> None:
    with talking(OllamaChatUser, chat("uno", thinking="hm"), *[chat("a")] * 2, history_thinking=True) as talk:
        talk.user.converse(THREE)
    assert [message.get("thinking") for message in talk.bodies[1]["messages"]] == [None, None, "hm", None]


def test_a_user_thinks_between_the_turns_and_a_files_delay_goes_first() -> None:
    delayed = script(Turn((user("two"),)), Turn((user("three"),), delay_s=0.3))
    with talking(OllamaChatUser, *[chat("a")] * 3, think_time="100ms") as talk:
        talk.user.converse(delayed)
    first, second, third = talk.records
    assert second.sent_ns is not None
    assert third.sent_ns is not None
    assert second.sent_ns - (first.ended_ns or 0) >= 0.1e9
    assert third.sent_ns - (second.ended_ns or 0) >= 0.3e9
    assert first.interpreted_ns is None  # its reading takes nothing from the next request


def test_pauses_are_the_same_again_and_each_users_own() -> None:
    def pauses() -> list[list[float]]:
        with talking(OllamaChatUser, think_time="lognormal 20s cv=1") as talk:
            other = OllamaChatUser(talk.user.environment)
            other.on_start()
            return [[one.wait_time() for _ in range(5)] for one in (talk.user, other)]

    first, again = pauses(), pauses()
    assert first == again
    assert first[0] != first[1]
    assert len(set(first[0])) == 5


def test_a_class_keeps_its_own_wait_time() -> None:
    class Slow(OllamaChatUser):
        abstract = True

        def wait_time(self) -> float:
            return 0.15

    with talking(Slow, *[chat("a")] * 3, think_time="9s") as talk:
        talk.user.converse(THREE)
    assert (talk.records[1].sent_ns or 0) - (talk.records[0].ended_ns or 0) >= 0.15e9


@pytest.mark.parametrize("at", [1, 2])
def test_the_end_of_the_run_leaves_what_was_under_way_as_cancelled_and_nothing_more(at: int) -> None:
    with talking(OllamaChatUser, *[chat("a")] * at) as talk:
        conversation = gevent.spawn(talk.user.converse, THREE)
        while len(talk.bodies) <= at:
            gevent.sleep(0.01)
        conversation.kill()
    assert [record.outcome for record in talk.records] == ["ok"] * at + ["cancelled"]


def test_the_end_of_the_run_in_a_pause_leaves_nothing() -> None:
    with talking(OllamaChatUser, chat("a"), think_time="60s") as talk:
        conversation = gevent.spawn(talk.user.converse, THREE)
        while not talk.records:
            gevent.sleep(0.01)
        gevent.sleep(0.01)
        conversation.kill()
    assert [record.outcome for record in talk.records] == ["ok"]
