"""What a server that refuses says in its headers: how long to wait, and where else to go."""

import pytest
from scripted import request, serving, whole

from tokenswarm.folder.row import COLUMNS, row
from tokenswarm.metrics.record import Identity
from tokenswarm.metrics.record_builder import RecordBuilder
from tokenswarm.transport.connection import Timeouts, Transport
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import request_bytes, retry_after_s
from tokenswarm.transport.target import Target
from tokenswarm.wire import openai_chat, reading
from tokenswarm.wire.values import Call, Transcript

NOW_S = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "20"}, 20.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "20", "Retry-After-Ms": "19500"}, 19.5),  # Azure
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"Retry-After": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0.0),
        ({"Retry-After": "Tue, 14 Nov 2023"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1e400"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "1, 2"}, None),
        ({"Content-Type": "x"}, None),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s([(name.encode(), value.encode()) for name, value in headers.items()], NOW_S) == wait_s


def seen(response: bytes) -> Transcript:
    with serving(lambda sock: (request(sock), sock.sendall(response))[0]) as port:  # type: ignore[func-returns-value]
        transport, exchange = Transport("127.0.0.1", port, Timeouts(2, 2, 2)), Exchange()
        transport.run(exchange, request_bytes(Call("POST", "/", (), b""), Target("http", "here", 80), ()))
        transport.close()
    return exchange.transcript()


def test_it_is_in_the_row_and_where_a_redirect_leads_in_the_error() -> None:
    refused = seen(whole(b'{"error": "slow down"}', "429 Too Many Requests", "Retry-After: 20\r\n"))
    verdict = reading.verdict(openai_chat, refused, reading.Ending())
    record = RecordBuilder(streamed=True).record(Identity(0, 0, "U", "/", "m", "p", 8), refused, *verdict)
    assert dict(zip(COLUMNS, row(record), strict=True))["retry_after_s"] == 20.0
    moved = seen(whole(b"", "307 Temporary Redirect", "Location: https://box/v1/\r\n"))
    assert (moved.location, moved.retry_after_s) == ("https://box/v1/", None)
    assert reading.verdict(openai_chat, moved, reading.Ending()) == ("http_error", "HTTP 307 → https://box/v1/")
    assert seen(whole(b"{}", "200 OK", "Retry-After: 5\r\nLocation: /x\r\n")).retry_after_s is None
