"""Real answers of real servers are read for what they are, however the reads cut them."""

import json
import re
from typing import Any

import pytest
from captures import APIS, load, read, transcript

from tokenswarm.wire import framing, reading

EXPECTED = {
    # name: (outcome, finish reason, prompt tokens, output tokens)
    "gen_stream_length": ("ok", "length", 18, 15),
    "gen_repeat_nostream": ("truncated", None, None, None),
    "think_gen_repeat_stream": ("truncated", None, None, None),
    "gen_num_predict_1": ("ok", "length", None, 1),
    "gen_unload_0": ("ok", "unload", None, None),
    "chat_empty": ("ok", "load", None, None),
    "chat_stream": ("ok", "length", 21, 60),
    "k_runner_killed_stream": ("server_error", None, None, None),
    "k_server_sigterm_stream": ("truncated", None, None, None),
    "tools_native_cut_v1_stream": ("truncated", None, None, None),
    "tools_native_cut_chat_stream": ("server_error", None, None, None),
    "tools_nativestop_chat_stream": ("ok", "stop", 226, 58),
    "tools_chat_tag_stream": ("ok", "stop", 274, 36),
    "v1_stream_usage": ("ok", "length", 21, 60),
    "v1_stream": ("ok", "length", None, None),
    "v1_completions_stream_usage": ("ok", "length", None, 8),
    "v1_nostream": ("ok", "length", None, None),
    "ls_stream_usage": ("ok", "length", 26, 5),
    "think_chat_stream": ("ok", "stop", 138, 30),
    "think_har_cut_chat_nostream": ("ok", "length", 127, 8),
    "x_emoji": ("ok", "length", None, 60),
    "err_unknown": ("http_error", None, None, None),
    "conc_q2_cold_n8_3": ("http_error", None, None, None),
    "gen_ctx_small_notrunc": ("http_error", None, None, None),
    "embed_single": ("ok", None, 7, None),
    "embed_batch": ("ok", None, 19, None),
    "embed_long_default": ("ok", None, 512, None),
    "embed_empty_list": ("ok", None, None, None),
    "embed_v1_batch": ("ok", None, 12, None),
    "embed_long_notruncate": ("http_error", None, None, None),
    "embed_on_completion_model": ("http_error", None, None, None),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_outcome_and_counts(name: str) -> None:
    exchange = load()[name]
    prompted = name not in ("gen_unload_0", "chat_empty")
    _, builder, verdict = read(APIS[exchange["path"]], transcript(exchange), prompted)
    outcome, finish_reason, prompt_tokens, output_tokens = EXPECTED[name]
    assert (verdict.outcome, builder.finish_reason) == (outcome, finish_reason), verdict.error
    assert bool(verdict.error) == (outcome != "ok")
    if prompt_tokens is not None:
        assert builder.usage.prompt_tokens == prompt_tokens
    if output_tokens is not None or outcome != "ok":
        assert builder.usage.output_tokens == output_tokens


def test_error_texts_are_the_servers_own_words() -> None:
    words = {
        "err_unknown": "HTTP 404 model 'nope' not found",
        "conc_q2_cold_n8_3": "HTTP 503 server busy, please try again.  maximum pending requests exceeded",
        "v1_unknown": "HTTP 404 model 'nope' not found",
        "k_runner_killed_stream": "an error was encountered while running the model: unexpected EOF",
        "think_chat_unsupported_level": 'HTTP 400 "gemma3-270m" does not support thinking',
    }
    for name, text in words.items():
        exchange = load()[name]
        assert read(APIS[exchange["path"]], transcript(exchange))[2].error == text
    # JSON within a JSON string within JSON: the innermost message.
    nested = load()["gen_ctx_small_notrunc"]
    assert "request (1010 tokens) exceeds" in read(APIS[nested["path"]], transcript(nested))[2].error


VECTORS = {
    # name: (vectors, dimension)
    "embed_single": (1, 384),
    "embed_batch": (3, 384),
    "embed_batch64": (64, 384),
    "embed_list_with_empty": (2, 384),
    "embed_dim0": (1, 384),
    "embed_empty_string": (0, 0),
    "embed_v1_single": (1, 384),
    "embed_v1_batch": (2, 384),
    "embed_v1_dim64": (1, 64),
    "embed_v1_empty": (1, 384),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_counted_and_looked_at(name: str) -> None:
    exchange = load()[name]
    _, builder, verdict = read(APIS[exchange["path"]], transcript(exchange))
    assert builder.embeddings == (*VECTORS[name], 0)
    assert verdict.outcome == "ok"
    asked = json.loads(exchange["body"])["input"]
    wanted = len(asked) if isinstance(asked, list) else 1
    judged = reading.vectors_for_all(verdict, builder.embeddings, wanted)
    # A text that got no vector is a failure, though the server says 200.
    assert judged.outcome == ("ok" if VECTORS[name][0] == wanted else "protocol_error")


def test_thinking_and_answer_are_told_apart() -> None:
    for name in ("think_chat_stream", "think_gen_stream", "think_v1_stream"):
        exchange = load()[name]
        chunks, _, _ = read(APIS[exchange["path"]], transcript(exchange))
        assert "".join(c.thinking for c in chunks).startswith("The user asks about sky")
        assert "".join(c.text for c in chunks).strip() == "Yes, the sky is blue."


def test_a_tool_call_counts_as_output_also_on_the_final_line() -> None:
    for name in ("tools_chat_tag_stream", "tools_nativestop_chat_stream"):
        chunks, builder, _ = read(APIS["/api/chat"], transcript(load()[name]))
        calls = [call for chunk in chunks for call in chunk.tool_calls]
        assert [call.name for call in calls] == ["get_weather"]
        assert calls[0].arguments == {"city": "Paris", "days": 1}
        record = builder.record(None, transcript(load()[name]), "ok", "")  # type: ignore[arg-type]
        assert record.tool_calls == 1
        assert record.last_output_ns is not None


def test_every_exchange_has_one_of_the_known_outcomes_and_lost_nothing() -> None:
    for name, exchange in load().items():
        chunks, builder, verdict = read(APIS[exchange["path"]], transcript(exchange))
        assert verdict.outcome in ("ok", "http_error", "truncated", "server_error"), name
        assert builder.failed is None or builder.failed.broken is None, name
        # Never more lines than tokens, but where Ollama runs the model twice (think with format) and counts one run.
        if verdict.outcome == "ok" and builder.usage.output_tokens is not None and "format" not in name:
            assert builder.usage.output_tokens >= sum(c.output for c in chunks), name


def frames(exchange: dict[str, Any], cut: int) -> object:
    """All that the chunks are made from, when the answer comes in two reads."""
    seen = transcript(exchange, [cut])
    cut = [(data, whole) for _, data, whole, _ in framing.frames(seen.pieces, seen.form)]
    return cut, seen.status, seen.content_type, seen.complete


def cuts(raw: str) -> list[int]:
    """The bytes of the head, of line ends, of characters of several bytes, and each 31st, but for a long text's middle.

    Within a line one byte is as another, and so are the lines of a stream but for its first and last ones.
    """
    near = {match.start() + step for match in re.finditer(r"[\r\n\x80-\xff]", raw) for step in (-1, 0, 1, 2)}
    places = {*range(min(len(raw), raw.find("\r\n\r\n") + 8)), *near, *range(0, len(raw) + 1, 31)}
    return sorted(place for place in places if place < 1500 or place > len(raw) - 500)


def test_cut_wherever_it_matters_the_frames_are_the_same() -> None:
    for name, exchange in load().items():
        expected = frames(exchange, 0)
        for cut in cuts(exchange["response_latin1"]):
            assert frames(exchange, cut) == expected, (name, cut)


def test_cut_anywhere_the_chunks_are_the_same() -> None:
    for name, exchange in load().items():
        api = APIS[exchange["path"]]
        size = len(exchange["response_latin1"])
        whole = [c._replace(ns=0) for c in read(api, transcript(exchange, []))[0]]
        for cut in range(0, size + 1, 1 + size // 20):
            seen = transcript(exchange, [cut])
            assert [c._replace(ns=0) for c in read(api, seen)[0]] == whole, (name, cut)


def test_read_a_byte_at_a_time() -> None:
    for name in ("gen_stream_length", "think_v1_stream", "ls_stream_usage", "tools_q3_v1_stream"):
        exchange = load()[name]
        api = APIS[exchange["path"]]
        every = list(range(len(exchange["response_latin1"])))
        expected = [c._replace(ns=0) for c in read(api, transcript(exchange))[0]]
        assert [c._replace(ns=0) for c in read(api, transcript(exchange, every))[0]] == expected
