"""What is asked next in a conversation, whatever was said."""

import itertools

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.payloads.conversation import NO_SUCH_TOOL, Conduct, first_prompt, next_turn, results, with_context
from tokenswarm.payloads.prompt import Message, Prompt, Turn, unique

texts = st.text("ab\n字", max_size=3)
limits = st.none() | st.integers(1, 99)
users = texts.map(lambda text: Message("user", text))
answers = texts.map(lambda text: Message("assistant", text))
turns = st.builds(
    Turn, st.lists(users, min_size=1, max_size=2).map(tuple), answer=st.none() | answers, max_tokens=limits
)
scripts = st.builds(
    Prompt,
    id=st.just("s"),
    messages=st.lists(users, min_size=1, max_size=2).map(lambda m: (Message("system", "S"), *m)),
    max_tokens=limits,
    options=st.just({"seed": 7}),
    format=st.just("json"),
    then=st.lists(turns, max_size=6).map(tuple),
)


def held(script: Prompt, said: Message, conduct: Conduct) -> list[Prompt]:
    """All prompts of a conversation in which the model always says the same."""
    asked = [first_prompt(script)]
    while asked[-1].then:
        asked.append(next_turn(asked[-1], (said,), conduct))
    return asked


@given(scripts, answers)
def test_each_prompt_is_the_one_before_and_the_models_answer_and_what_the_user_says_then(
    script: Prompt, said: Message
) -> None:
    asked = held(script, said, Conduct())
    assert len(asked) == 1 + len(script.then)
    for before, after, turn in zip(asked, asked[1:], script.then, strict=False):
        assert after.messages == (*before.messages, said, *turn.messages)
    for number, prompt in enumerate(asked):
        assert (prompt.id, prompt.options, prompt.format) == (script.id, script.options, script.format)
        assert len(prompt.then) == len(script.then) - number
        own = script.then[number - 1].max_tokens if number else None
        assert prompt.max_tokens == (own or script.max_tokens)


@given(scripts, answers)
def test_a_files_answers_take_the_place_of_the_models_where_it_has_them(script: Prompt, said: Message) -> None:
    asked = held(script, said, Conduct(own_answers=False))
    for before, after, turn in zip(asked, asked[1:], script.then, strict=False):
        assert after.messages == (*before.messages, turn.answer or said, *turn.messages)


@given(scripts, answers)
def test_a_mark_of_the_session_leaves_every_prompt_the_beginning_of_the_next(script: Prompt, said: Message) -> None:
    marked = [unique(prompt, "5e551011").messages for prompt in held(script, said, Conduct())]
    for before, after in itertools.pairwise(marked):
        assert after[: len(before)] == before
        assert after[0].content == "[5e551011] S"


def test_a_context_stands_for_all_that_was_said_before() -> None:
    script = Prompt("s", (("system", "S"), ("user", "1")), then=(Turn((Message("user", "2"),)),))  # type: ignore[arg-type]
    asked = next_turn(script, (Message("assistant", "one"),), Conduct())
    prompt = with_context(asked, (5, 6, 7), 1)
    assert [message.content for message in prompt.messages] == ["2"]
    assert prompt.fields == {"context": (5, 6, 7)}
    assert [message.content for message in asked.messages] == ["S", "1", "one", "2"]


TOOLS = ({"type": "function", "function": {"name": "weather"}}, {"type": "function", "function": {"name": "clock"}})
CALLS = Message(
    "assistant",
    tool_calls=tuple({"id": f"c{n}", "name": name} for n, name in enumerate(("weather", "clock", "rm"))),
)


def test_every_call_gets_its_result_in_order_and_an_unknown_tool_an_error() -> None:
    prompt = Prompt("t", (Message("user", "?"),), tools=TOOLS, tool_results={"weather": {"sky": "clear"}})
    found = results(prompt, CALLS, Conduct(tool_result='{"ok":true}'))
    assert [(m.role, m.tool_call_id, m.tool_name, m.content) for m in found] == [
        ("tool", "c0", "weather", '{"sky":"clear"}'),
        ("tool", "c1", "clock", '{"ok":true}'),
        ("tool", "c2", "rm", NO_SUCH_TOOL),
    ]
    assert orjson.loads(results(prompt, CALLS, Conduct())[1].content) == {"error": "no such tool"}


def test_without_any_result_nothing_is_answered() -> None:
    assert results(Prompt("t", (Message("user", "?"),), tools=TOOLS), CALLS, Conduct()) == ()
    assert results(Prompt("t", (Message("user", "?"),), tools=TOOLS), Message("assistant", "Hi"), Conduct()) == ()


def test_a_result_that_is_false_or_a_text_is_one() -> None:
    prompt = Prompt("t", (Message("user", "?"),), tools=TOOLS, tool_results={"weather": False, "clock": "noon"})
    assert [m.content for m in results(prompt, CALLS, Conduct())] == ["false", "noon", NO_SUCH_TOOL]
