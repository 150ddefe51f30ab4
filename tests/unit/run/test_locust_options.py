"""Locust's own options: one line where Locust has a traceback or silence, before anything runs."""

import socket
from argparse import ArgumentTypeError
from types import SimpleNamespace
from typing import Any

import pytest
from locust import TaskSet, User, tag, task

from tokenswarm.run import locust_options
from tokenswarm.run.locust_options import check, check_classes, select_tagged, span_s
from tokenswarm.settings.errors import UsageError


class Reader(User):
    @task
    @tag("short")
    def short(self) -> None: ...

    @task
    def long(self) -> None: ...


@pytest.mark.parametrize(("text", "seconds"), [("20", 20), ("20s", 20), ("3m", 180), ("1h20m", 4800), ("0", 0)])
def test_spans_of_time(text: str, seconds: int) -> None:
    assert span_s(text) == seconds


@pytest.mark.parametrize("text", ["soon", "1e30", "99999999999999999999h", "9999999999"])
def test_what_is_no_span_or_beyond_reason_is_marked(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match=f"▸{text}◂ is"):
        span_s(text)


def asked(**changes: Any) -> Any:
    given = {"user_classes": [], "num_users": 8, "worker": False, "master": False, "processes": None, "headless": True}
    return SimpleNamespace(**{**given, **changes})


@pytest.fixture(autouse=True)
def not_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locust_options, "_looked", [])


@pytest.mark.parametrize("users", [-2, 1_000_001])
def test_a_number_of_users_that_nobody_can_mean(users: int) -> None:
    with pytest.raises(UsageError, match=f"--users ▸{users}◂: give a number from 0 to 1,000,000"):
        check(asked(num_users=users))
    check(asked(num_users=None))


def test_a_port_that_somebody_else_has_or_that_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--web-port ▸{port}◂ cannot be had for the web UI .somebody listens"):
            check(asked(headless=False, web_host="127.0.0.1", web_port=port))
        check(asked(headless=False, web_host="127.0.0.1", web_port=port))  # it is looked at once: now it is our own
    locust_options._looked.clear()
    check(asked(headless=False, web_host="127.0.0.1", web_port=port))
    locust_options._looked.clear()
    with pytest.raises(UsageError, match="--master-bind-port ▸70000◂ is no port"):
        check(asked(master=True, master_bind_host="*", master_bind_port=70_000))
    check(asked(worker=True, master=True))  # a worker binds none


def test_a_class_that_is_not_there_is_named_with_the_nearest() -> None:
    check_classes(["Reader"])
    with pytest.raises(UsageError, match="no class ▸Raeder◂ in the locustfile; did you mean Reader"):
        check_classes(["Raeder"])
    with pytest.raises(UsageError, match=r"no class ▸Zzz◂ in the locustfile; there are .*Reader"):
        check_classes(["Zzz"])


def _kind() -> type[User]:
    class Inner(User):
        pass

    return Inner


Small = _kind()


def test_a_class_is_called_as_the_locustfile_calls_it() -> None:
    check_classes(["Small"])
    with pytest.raises(UsageError, match="no class ▸Inner◂"):
        check_classes(["Inner"])


class Flow(User):
    @task
    class Steps(TaskSet):
        @tag("short")
        @task
        def one(self) -> None: ...


class Long(User):
    @tag("long")
    @task
    def ask(self) -> None: ...


@pytest.mark.parametrize(
    ("tags", "exclude", "left"),
    [
        ((), (), [Reader, Flow, Long]),
        (("short",), (), [Reader, Flow]),
        ((), ("short",), [Reader, Long]),
        (("short", "long"), ("short",), [Long]),
        (("nope",), (), []),
        (("short",), ("short",), []),
    ],
)
def test_classes_to_which_tags_leave_no_task_are_left_out(
    tags: tuple[str, ...], exclude: tuple[str, ...], left: list[type[User]], capsys: pytest.CaptureFixture[str]
) -> None:
    options, classes = SimpleNamespace(tags=tags, exclude_tags=exclude), [Reader, Flow, Long]
    if not left:
        with pytest.raises(UsageError, match="leave no task of any class"):
            select_tagged(options, classes, [])
        return
    assert select_tagged(options, classes, []) == left
    assert not capsys.readouterr().err
    assert select_tagged(options, classes, ["Reader", "Flow", "Long"]) == left
    said = capsys.readouterr().err
    assert all((each.__name__ in said) == (each not in left) for each in classes)


def test_what_is_named_must_have_a_task_left() -> None:
    with pytest.raises(UsageError, match="leave no task of any class"):
        select_tagged(SimpleNamespace(tags=["short"], exclude_tags=None), [Reader, Long], ["Long"])
