"""Before a run: whose the secrets are, what a form leaves out, what Locust would put over what was chosen."""

import socket
from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from fake_cluster import FakeCluster
from one_process import process
from werkzeug.datastructures import MultiDict

from tokenswarm.preflight.discovery import FoundServer
from tokenswarm.preflight.prepare import Prepared
from tokenswarm.preflight.server import Preflight
from tokenswarm.run import locust_options, preparation
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.run.locust_options import check, span_s
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import spell

HOME, ELSEWHERE = "http://127.0.0.1:9", "http://127.0.0.1:10"
SHOWN = ("model", "api_key", "max_tokens", "speed", "stages")


def prepared(features: Any, options: Any, classes: Any, named: Any) -> tuple[Prepared, dict[str, Any]]:
    """What a server that is there would come to."""
    options.model = options.model or "found"
    return Prepared(tuple(classes), {"kind": "ollama"}, {}, {}), {}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunLifecycle]:
    """A process that was started with a key and a header for HOME."""
    monkeypatch.setattr(preparation, "ready", prepared)
    given = ("--api-key", "sk-of-home-1234567890", "--header", "X-Own: yes")
    with process(FakeCluster(), tmp_path, monkeypatch, *given) as lifecycle:
        lifecycle.options.headless = False
        yield lifecycle


def sent(**fields: str) -> MultiDict[str, str]:
    return MultiDict({"user_count": "3", "spawn_rate": "1", "host": HOME, **fields})


def test_key_and_headers_go_to_the_host_they_were_given_for_and_to_no_other(
    run: RunLifecycle, capsys: pytest.CaptureFixture[str]
) -> None:
    run.preparation.prepare_from_form(sent(host=ELSEWHERE), SHOWN)
    assert (run.options.host, run.options.api_key, run.options.header) == (ELSEWHERE, "", [])
    assert [finding["rule"] for finding in run.preparation.findings] == ["other host"]
    assert "sk-of-home" not in capsys.readouterr().err
    run.preparation.prepare_from_form(sent(host=ELSEWHERE, api_key="sk-of-elsewhere-12345"), SHOWN)
    assert (run.options.api_key, run.options.header) == ("sk-of-elsewhere-12345", [])
    run.preparation.prepare_from_form(sent(), SHOWN)
    assert (run.options.api_key, run.options.header) == ("sk-of-home-1234567890", ["X-Own: yes"])
    assert run.preparation.findings == []


def test_what_a_form_leaves_out_is_not_that_of_the_run_before(run: RunLifecycle) -> None:
    run.preparation.prepare_from_form(sent(max_tokens="5", run_time="9s"), SHOWN)
    assert (run.options.max_tokens, run.options.run_time) == (5, "9s")
    run.preparation.prepare_from_form(sent(), SHOWN)
    assert (run.options.max_tokens, run.options.run_time) == (128, None)


def test_numbers_reach_locust_as_it_can_read_them_and_fields_of_the_command_line_do_not(run: RunLifecycle) -> None:
    assert run.preparation.prepare_from_form(sent(speed="2x"), SHOWN)["speed"] == "2.0"
    with pytest.raises(UsageError, match="run_dir"):
        run.preparation.prepare_from_form(sent(run_dir="/tmp"), SHOWN)


def test_what_locust_puts_over_the_options_does_not_change_what_was_chosen(run: RunLifecycle) -> None:
    run.preparation.prepare_from_form(sent(model="", stages="2x5s"), SHOWN)
    run.options.model, run.options.host, run.options.num_users = "", ELSEWHERE, 3  # as Locust reads its form
    run.preparation.restore()
    assert (run.options.model, run.options.host, run.options.num_users) == ("found", HOME, None)
    assert run.environment.host == HOME


def test_of_a_run_that_goes_on_nothing_is_prepared_anew(run: RunLifecycle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "ready", lambda *_: pytest.fail("the server was asked"))
    monkeypatch.setattr(FakeCluster, "is_running", True)
    assert run.preparation.prepare_from_form(sent(max_tokens="5"), SHOWN) == {"max_tokens": "5"}
    assert run.options.max_tokens == 128


# Locust's own options


@pytest.mark.parametrize("text", ["", "a while", "-1", "1e3", "99999999999", "9999999h"])
def test_a_span_beyond_reason_is_one_line(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=r"▸.*◂"):
        span_s(text)
    assert span_s("1h20m") == 4800


def test_a_port_on_which_somebody_listens_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locust_options, "_looked", [])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ui = {"headless": False, "web_host": "127.0.0.1", "web_port": taken.getsockname()[1]}
        options = SimpleNamespace(num_users=1, user_classes=[], worker=False, master=False, processes=None, **ui)
        with pytest.raises(UsageError, match=r"--web-port ▸\d+◂ .*somebody listens there already"):
            check(options)
        check(options)  # Locust parses again for each page, on those very ports
    with pytest.raises(UsageError, match="--users ▸-3◂"):
        check(SimpleNamespace(num_users=-3, user_classes=[]))


def test_the_forms_list_of_models_takes_the_secrets_home_only(
    run: RunLifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, tuple[tuple[str, str], ...]]] = []

    def server(preflight: Preflight) -> FoundServer:
        asked.append((preflight.settings.target.url, preflight.settings.headers))
        return FoundServer("openai", None, ("one", "a,b", "openai/*"))

    monkeypatch.setattr(Preflight, "server", server)
    assert run.preparation.model_names(HOME, "") == ["one", spell("a,b")]
    run.preparation.model_names(ELSEWHERE, "")
    run.preparation.model_names(ELSEWHERE, "sk-typed-for-it")
    own = (("Authorization", "Bearer sk-of-home-1234567890"), ("X-Own", "yes"))
    typed = (("Authorization", "Bearer sk-typed-for-it"),)
    assert asked == [(HOME, own), (ELSEWHERE, ()), (ELSEWHERE, typed)]
    assert (run.options.host, run.options.api_key) != (ELSEWHERE, "sk-typed-for-it")  # the next run's are as they were
    with pytest.raises(UsageError, match="no scheme"):
        run.preparation.model_names("ftp://x", "")


def test_a_server_that_gives_no_list_is_not_waited_for(run: RunLifecycle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Preflight, "server", lambda _: gevent.sleep(60))
    monkeypatch.setattr(preparation, "LIST_S", 0.01)
    with pytest.raises(UsageError, match=r"http://127.0.0.1:9 gave no list within 0.01 s"):
        run.preparation.model_names(HOME, "")


def test_while_a_run_goes_on_no_list_is_asked_for(run: RunLifecycle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.cluster, "is_running", True)
    with pytest.raises(UsageError, match="a run goes on"):
        run.preparation.model_names(HOME, "")
