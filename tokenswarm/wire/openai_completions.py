"""OpenAI's /v1/completions: SSE chunks with a `text`."""

from collections.abc import Sequence
from typing import Any

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.wire import lenient, openai, openai_chat
from tokenswarm.wire.values import Ask, Call, Chunk

PATH = "/v1/completions"
done_by_sentinel = True


def build(prompt: Prompt, ask: Ask) -> Call:
    """The request for a prompt: the system message, if any, and all the others as one text."""
    text = prompt.text if prompt.system is None else f"{prompt.system}\n\n{prompt.text}"
    return openai.call(PATH, prompt, ask, {"prompt": text})


def plain(frames: Sequence[Any]) -> tuple[list[str], list[str]]:
    """See `wire.stretch`."""
    texts: list[str] = []
    try:
        for frame in frames:
            (choice,) = frame["choices"]
            text = choice["text"]
            if type(text) is not str or "<" in text or not text or not openai.is_plain(frame, choice):
                break
            texts.append(text)
    except (TypeError, ValueError, KeyError, AttributeError):
        pass  # not what it should be
    return texts, [""] * len(texts)


def read(ns: int, frame: dict[str, Any]) -> Chunk:
    """One event. Ollama throws thinking away here and sends empty texts meanwhile: they carry no output."""
    choice = openai.choice(frame)
    if "text" not in choice and ("delta" in choice or "message" in choice):
        return openai_chat.read(ns, frame)  # what some answer at any path
    reason = choice.get("finish_reason")
    ends = reason or not choice  # where errors and counts may stand in other places, too
    if (ends or frame.get("error") or choice.get("error")) and (failed := openai.error(ns, frame, choice)):
        return failed
    text, thinking = choice.get("text") or "", ""
    if type(text) is not str:
        text, thinking = lenient.text_and_thinking(text)
    return Chunk(
        ns,
        text,
        thinking,
        (),
        reason if reason is None else openai.finish_reason(reason),
        openai.usage(frame, choice) if ends or openai.counts(frame) else None,
        unread=not text and not thinking and lenient.unread(choice),
        choice=openai.number(choice),
        habit=choice.get("habit", ""),
    )
