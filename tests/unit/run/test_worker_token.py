"""The worker token: where it comes from, where the master listens, and what it makes of messages that are none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import locust
import msgpack
import pytest
import zmq.green as zmq
from fake_cluster import FakeCluster
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.event import Events

from tokenswarm.run import curve as sealed
from tokenswarm.run import worker_token as trust
from tokenswarm.settings import options
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


@pytest.mark.parametrize("host", ["0.0.0.0", "10.9.0.1", "*"])
def test_an_open_port_is_a_warning_and_no_way_for_a_key(
    host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sealed.Seal, "keys", None)
    given = SimpleNamespace(master_bind_host=host, master_bind_port=5557, api_key="", header=[])
    trust.check(FakeCluster("master"), given)
    (said,) = caplog.records
    assert (said.levelname, f"Whoever reaches {host}:5557" in said.message) == ("WARNING", True)
    trust.check_key(FakeCluster("master"), given)
    for secret in ({"api_key": "sk-1"}, {"header": ["X-Key: 1"]}):
        with pytest.raises(UsageError, match="would go in the clear to whoever connects"):
            trust.check_key(FakeCluster("master"), SimpleNamespace(**{**vars(given), **secret}))
        for cluster in (FakeCluster(), FakeCluster("worker")):
            trust.check_key(cluster, SimpleNamespace(**{**vars(given), **secret}))


def test_on_its_own_machine_or_sealed_a_key_may_go(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sealed.Seal, "keys", None)
    home = SimpleNamespace(master_bind_host="127.0.0.1", master_bind_port=5557, api_key="sk-1", header=[])
    trust.check(FakeCluster("master"), home)
    trust.check_key(FakeCluster("master"), home)
    assert not caplog.records
    monkeypatch.setattr(sealed.Seal, "keys", sealed.keys(TOKEN))
    away = SimpleNamespace(**{**vars(home), "master_bind_host": "*"})
    trust.check_key(FakeCluster("master"), away)
    closed = FakeCluster("master")
    closed.is_sealed = True
    trust.check(closed, away)
    assert not caplog.records
    with pytest.raises(UsageError, match="Locust's port was not sealed"):
        trust.check(FakeCluster("master"), away)


def test_a_token_that_is_none_is_said_as_the_options_are_parsed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sealed.Seal, "keys", None)
    monkeypatch.setenv(trust.TOKEN, "short")
    parser = get_parser()
    options.add(parser)
    trust.listen(parser)
    with pytest.raises(SystemExit) as left:
        parser.parse_args(["--headless"])
    assert left.value.code == 2
    assert "5 characters are too few" in capsys.readouterr().err
