"""The worker token: where it comes from, where the master listens, and what it makes of messages that are none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import locust
import msgpack
import pytest
import zmq.green as zmq
from locust.env import Environment
from locust.event import Events

from tokenswarm.run import curve as sealed
from tokenswarm.run import worker_token as trust
from tokenswarm.settings.errors import UsageError

TOKEN = "0123456789abcdef"


def chosen(monkeypatch: pytest.MonkeyPatch, token: str = "", **options: Any) -> Any:
    """(the keys, where the master listens) after these options and this environment."""
    monkeypatch.setattr(sealed.Seal, "keys", None)
    monkeypatch.delenv(trust.TOKEN, raising=False)
    if token:
        monkeypatch.setenv(trust.TOKEN, token)
    usual = {"processes": None, "worker": False, "master_bind_host": "*", "worker_token_file": ""}
    given = SimpleNamespace(**{**usual, **options})
    trust.choose(given)
    return sealed.Seal.keys, given.master_bind_host


def test_without_a_token_the_master_stays_on_its_machine_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch) == (None, "127.0.0.1")
    assert chosen(monkeypatch, master_bind_host="10.9.0.1") == (None, "10.9.0.1")


def test_forked_workers_have_a_token_that_nobody_else_has(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, host = chosen(monkeypatch, processes=4)
    assert keys == sealed.keys(trust._MADE_UP)
    assert host == "127.0.0.1"
    # Several workers of a master elsewhere: they must have its token.
    assert chosen(monkeypatch, processes=4, worker=True)[0] is None


def test_a_token_opens_the_port_to_other_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held = tmp_path / "token"
    held.write_text(f"{TOKEN}\n")
    by_name = chosen(monkeypatch, TOKEN)
    assert by_name == (sealed.keys(TOKEN), "*")
    assert chosen(monkeypatch, worker_token_file=str(held), processes=4) == by_name
    assert chosen(monkeypatch, TOKEN + "x")[0] != by_name[0]
    assert len({by_name[0].master, by_name[0].worker, by_name[0].master_public, by_name[0].worker_public}) == 4


def test_what_is_no_token_is_a_mistake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="5 characters are too few; make one with: openssl rand -hex 32"):
        chosen(monkeypatch, "short")
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(UsageError, match="empty is empty"):
        chosen(monkeypatch, worker_token_file=str(empty))


NONE = (b"", b"\xc1", msgpack.dumps(5), msgpack.dumps((1, 2)), b"\xd9\x01\xff", msgpack.dumps(("stats", 5, "w")))
KINDS = ("client_ready", "heartbeat", "exception", "logs", "locustfile")
NONE += tuple(msgpack.dumps((kind, 7, "w")) for kind in KINDS)


def test_a_master_goes_on_listening_whatever_it_hears() -> None:
    sealed.install()
    master = Environment(events=Events()).create_master_runner("127.0.0.1", 0)
    with zmq.Context.instance().socket(zmq.DEALER) as sock:
        sock.identity, sock.linger = b"w", 0
        sock.connect(f"tcp://127.0.0.1:{master.server.port}")
        for message in NONE:
            sock.send(message)
        sock.send(msgpack.dumps(("client_ready", locust.__version__, "w")))
        heard = []
        while not heard or heard[-1] != "ack":
            assert sock.poll(5000), heard
            heard.append(msgpack.loads(sock.recv())[0])
    master.quit()
