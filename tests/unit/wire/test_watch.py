"""An answer's own end is seen while its body is still open, and nothing else is taken for it."""

import json
import time

import pytest
from captures import APIS, load, read, transcript
from literals import CHAT, DONE, FINISH, GENERATE, SENTINEL, USAGE, V1_CHAT, V1_COMPLETIONS, delta, event, line

from tokenswarm.wire.values import Api
from tokenswarm.wire.watch import SeenEnd, Watch

HI = event(delta(content="hi"))
ROLE = event(delta(role="assistant", content=""))
PING = b": ping\n\n"
SAID = line(message={"content": "hi"}, done=False)


def ends(api: Api, *pieces: bytes) -> list[SeenEnd | None]:
    """What is seen after each piece, the nth of which came at n ns."""
    watch = Watch(api)
    return [watch.end(range(1, number + 1), pieces[:number]) for number in range(1, len(pieces) + 1)]


def compact(piece: bytes) -> bytes:
    """As servers write it that put no blanks into their JSON: most pieces of theirs are told by their mere look."""
    return piece.replace(b'": ', b'":').replace(b', "', b',"')


@pytest.mark.parametrize("form", [bytes, compact])
@pytest.mark.parametrize(
    ("api", "pieces", "end"),
    [
        (V1_CHAT, (HI, FINISH, USAGE, SENTINEL), SeenEnd(4, True)),
        (V1_CHAT, (HI, FINISH + USAGE + SENTINEL), SeenEnd(2, True)),
        (V1_CHAT, (HI, SENTINEL.replace(b"\n", b"\r\n")), SeenEnd(2, True)),
        (V1_CHAT, (HI, FINISH, b"data: [DO", b"NE]\n\n"), SeenEnd(4, True)),
        (V1_CHAT, (HI, FINISH, SENTINEL, PING, PING), SeenEnd(3, True)),
        (V1_CHAT, (HI, FINISH, PING, PING), SeenEnd(2, False)),
        (V1_CHAT, (HI, FINISH, b"data: ping\n\n", b"data: : PROCESSING\n\n"), SeenEnd(2, False)),
        (V1_CHAT, (HI, FINISH, USAGE, PING, b"\n"), SeenEnd(3, False)),
        (V1_CHAT, (HI, FINISH, event({"type": "ping"}), b"event: heartbeat\ndata: {}\n\n"), SeenEnd(2, False)),
        (V1_CHAT, (HI, FINISH, event(delta(content="")), event({"choices": []})), SeenEnd(2, False)),
        (V1_CHAT, (HI, event({"error": {"message": "boom"}}), PING), SeenEnd(2, False)),
        (V1_CHAT, (HI, b'event: error\ndata: {"msg":"boom"}\n\n', PING), SeenEnd(2, False)),
        (V1_CHAT, (HI, b"event: error\ndata: the worker is gone\n\n"), SeenEnd(2, False)),
        (V1_CHAT, (HI, b"data: [ERROR] the worker is gone\n\n"), SeenEnd(2, False)),
        (V1_CHAT, (HI, FINISH, b"data: DONE\n\n"), SeenEnd(3, True)),
        (V1_COMPLETIONS, (event({"choices": [{"text": "a", "finish_reason": "length"}]}), PING), SeenEnd(1, False)),
        (CHAT, (SAID, DONE), SeenEnd(2, True)),
        (CHAT, (SAID, DONE[:50], DONE[50:]), SeenEnd(3, True)),
        (CHAT, (SAID, DONE.replace(b": ", b":")), SeenEnd(2, True)),
        (CHAT, (SAID, DONE, b"\n"), SeenEnd(2, True)),
        (GENERATE, (line(response="a", done=True, context=list(range(100_000))),), SeenEnd(1, True)),
    ],
)
def test_an_answers_own_end_is_seen(api: Api, pieces: tuple[bytes, ...], end: SeenEnd, form: type[bytes]) -> None:
    assert ends(api, *map(form, pieces))[-1] == end


@pytest.mark.parametrize("form", [bytes, compact])
@pytest.mark.parametrize(
    ("api", "pieces"),
    [
        (V1_CHAT, (HI, PING, PING)),
        (V1_CHAT, (ROLE, PING)),
        (V1_CHAT, (HI, FINISH[:-30])),
        (V1_CHAT, (HI, FINISH, HI)),  # it went on
        (V1_CHAT, (b'event: error\ndata: {"msg":"boom"}\n\n', HI)),
        (V1_CHAT, (HI, b"data: words that say nothing\n\n")),
        (V1_CHAT, (event(delta(content="data: [DONE]\n\n")), event(delta(content="[DONE]")))),
        (V1_CHAT, (event(delta(content='{"finish_reason":"stop"}')),)),
        (V1_CHAT, (event({"choices": [{"delta": {"content": "a"}, "finish_reason": None}]}), USAGE)),
        (CHAT, (line(message={"content": '{"done":true}'}, done=False),)),
        (
            CHAT,
            (line(message={"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"done": True}}}]}),),
        ),
        (CHAT, (SAID, b'{"message":{"content":"","done":true}')),
    ],
)
def test_nothing_else_is_taken_for_it(api: Api, pieces: tuple[bytes, ...], form: type[bytes]) -> None:
    assert not any(ends(api, *map(form, pieces))[0 if pieces[1:2] == (FINISH,) else -1 :][-1:])


def test_of_real_servers_answers_only_the_last_piece_ends_each() -> None:
    """A firm end is the end; a finish reason may be followed by usage and the sentinel."""
    for name, exchange in load().items():
        seen, api = transcript(exchange), APIS[exchange["path"]]
        if seen.status != 200 or not seen.complete or not seen.streamed:
            continue
        if read(api, seen, "unload" not in name and "empty" not in name)[2].outcome != "ok":
            continue
        watch = Watch(api)
        stamps, bodies = [ns for ns, _ in seen.pieces], [body for _, body in seen.pieces]
        seen_ends = [watch.end(stamps[:number], bodies[:number]) for number in range(1, len(bodies) + 1)]
        firm = [number for number, end in enumerate(seen_ends, 1) if end and end.firm]
        assert all(not bodies[number].strip() for number in range(firm[0], len(bodies))), name


@pytest.mark.parametrize(
    ("api", "pieces", "only"),
    [
        (V1_CHAT, (PING, PING), True),
        (V1_CHAT, (ROLE, PING, b"\n", event({"type": "ping"}), event({"choices": []})), True),
        (V1_CHAT, (b"\n\n", b"retry: 3000\n\n", b"event: ping\ndata: null\n\n"), True),
        (V1_CHAT, (PING, HI), False),
        (V1_CHAT, (PING, event(delta(reasoning="hm"))), False),
        (V1_CHAT, (PING, event({"error": "boom"})), False),
        (V1_CHAT, (PING, b'data: {"choices":[{"delta":{"con'), False),
        (V1_COMPLETIONS, (event({"choices": [{"text": ""}]}),), False),  # thinking that Ollama does not show
        (GENERATE, (line(response="", done=False),), False),
        (CHAT, (b"\n", b"  \n"), True),
    ],
)
def test_what_only_keeps_a_connection_alive(api: Api, pieces: tuple[bytes, ...], only: bool) -> None:
    assert Watch(api).only_kept_alive(pieces) is only


def test_a_stream_that_goes_on_costs_a_look_at_its_newest_piece() -> None:
    """However much has come, and however often it is looked at."""

    class Counting(list[bytes]):
        looked = 0

        def __getitem__(self, at: object) -> object:  # type: ignore[override]
            self.looked += 1
            return list.__getitem__(self, at)  # type: ignore[call-overload]

    bodies = Counting([json.dumps(delta(content="a")).encode().join((b"data: ", b"\n\n"))] * 10_000)
    watch = Watch(V1_CHAT)
    for _ in range(100):
        assert watch.end(range(len(bodies)), bodies) is None
        list.append(bodies, bodies[-1])
    assert bodies.looked < 1000


def test_a_piece_too_long_to_be_a_keep_alive_is_none() -> None:
    """A flood of comments is looked at in the event loop's own callbacks: it must not cost them time."""
    watch, flood = Watch(V1_CHAT), [b": still here\n\n" * 5000] * 500
    began_s = time.process_time()
    for upto in range(0, 500, 10):
        assert not watch.only_kept_alive(flood[:upto]) or not upto
        assert watch.end(list(range(upto)), flood[:upto]) is None
    assert time.process_time() - began_s < 2
