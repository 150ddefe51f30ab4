"""What the web form may set, and which files it may name."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tokenswarm.settings import form, options, redaction
from tokenswarm.settings.errors import UsageError

SHOWN = {"model", "payloads", "trace", "options", "max_tokens", "speed"}
GIVEN = {"payloads": "chat", "trace": "", "system_prompt": ""}


def test_numbers_are_given_back_as_locust_reads_them() -> None:
    sent = {"user_count": "2", "host": "http://x", "max_tokens": " 8 ", "speed": "2x", "model": "a"}
    assert form.check(sent, SHOWN) == {"max_tokens": "8", "speed": "2.0"}


def test_what_the_page_showed_without_its_secret_comes_back_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_secrets", {})
    redaction.learn("sk-4fJq7ZrwLmNop")
    given = {"host": "http://own/v1?key=sk-4fJq7ZrwLmNop", "options": "user=sk-4fJq7ZrwLmNop", "model": "m", "seed": 0}
    shown = {"host": "http://own/v1?key=[secret]", "options": "user=[secret]", "model": "", "user_count": "3"}
    whole = {"options": given["options"], "model": "", "user_count": "3"}  # and the host that was given
    assert form.as_given(shown, given, "") == whole
    assert form.as_given({**shown, "host": "http://own"}, given, "http://own") == whole  # as it is shown after a run
    assert form.as_given({**shown, "model": "[secret]"}, given, "")["model"] == "[secret]"
    elsewhere = {**shown, "host": "http://other?key=[secret]"}
    assert form.as_given(elsewhere, given, "http://own") == elsewhere
    assert form.as_given({"host": ""}, {"host": None}, "") == {}


HIDDEN = """run_dir header ca_cert insecure api_key_file files expect run_id scale layout web_password_file csv_prefix
locustfile master_host processes logfile html_file headless api_key"""


@pytest.mark.parametrize("name", HIDDEN.split())
def test_the_form_sets_nothing_that_it_does_not_show(name: str) -> None:
    with pytest.raises(UsageError, match=f"^the form has no field {name}; it belongs to the command line$"):
        form.check({"user_count": "2", name: "x"}, SHOWN)


def test_an_edit_of_a_user_class_is_what_its_table_holds() -> None:
    right = {"user_class_name": "A", "host": "", "weight": 2, "fixed_count": 0, "tasks": ["ask"]}
    form.check_class(right, {"A", "B"})
    for wrong in ({**right, "user_class_name": "C"}, {}, None, [], "A", {**right, "api": 1}, {**right, "wait_time": 0}):
        with pytest.raises(UsageError, match="User class"):
            form.check_class(wrong, {"A", "B"})
    with pytest.raises(UsageError, match="--class-picker"):
        form.check_class(right, ())


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of files, its neighbours, and links between them; the working directory is beside it."""
    inside = tmp_path / "files"
    (inside / "deep").mkdir(parents=True)
    (tmp_path / "files-of-others").mkdir()
    for name in ("files/a.jsonl", "files/deep/b=2.jsonl", "secret.jsonl", "files-of-others/c.jsonl"):
        (tmp_path / name).write_text('{"prompt": "hi"}\n')
    (inside / "out").symlink_to("../secret.jsonl")
    (inside / "away").symlink_to(tmp_path / "files-of-others")
    (inside / "near").symlink_to("a.jsonl")
    (inside / "zero").symlink_to("/dev/zero")
    (inside / "round").symlink_to("round")
    os.mkfifo(inside / "pipe")
    monkeypatch.chdir(tmp_path)
    return inside


def check(
    payloads: str = "chat",
    trace: str = "",
    given: dict[str, Any] = GIVEN,
    folder: str = "files",
    system_prompt: str = "",
) -> None:
    asked = SimpleNamespace(payloads=payloads, trace=trace, files=folder, system_prompt=system_prompt)
    form.check_files(asked, given)


INSIDE = """chat chat=3,code files/a.jsonl files/a.jsonl=2,chat=1 files/deep/b=2.jsonl files/deep/b=2.jsonl=3
files/near files/../files/a.jsonl files/nothing.jsonl ./files/a.jsonl"""


@pytest.mark.parametrize("name", INSIDE.split())
def test_built_in_corpora_and_files_of_the_folder_may_be_named(name: str, files: Path) -> None:
    check(name)


OUTSIDE = """/etc/passwd /dev/zero /dev/stdin /proc/self/environ secret.jsonl ./secret.jsonl files/../secret.jsonl
files/../../etc/passwd ~/.ssh/id_rsa files/out files/away/c.jsonl files-of-others/c.jsonl files/zero
files/pipe files/round files files/deep . .. / nothing.jsonl /nothing chat/ ./chat chat.jsonl
files/a.jsonl\0 \0"""


@pytest.mark.parametrize("name", OUTSIDE.split())
def test_nothing_else_may_be_named_and_the_answer_is_the_same(name: str, files: Path) -> None:
    for option, at in (("payloads", ""), ("trace", ""), ("system-prompt", "@")):
        with pytest.raises(UsageError) as raised:
            check(**{option.replace("-", "_"): f"{at}{name}"})
        said = str(raised.value)
        assert said.startswith(f"--{option} ▸")
        assert said.endswith("what Locust was started with, or a file in files (--files)")
        assert "hi" not in said.partition("◂")[2].replace("this", "")


@pytest.mark.parametrize(
    "names", ["files/a.jsonl,secret.jsonl", "chat,/etc/passwd=2", "files/out=2", "a=b=/etc/passwd"]
)
def test_each_of_several_is_looked_at(names: str, files: Path) -> None:
    with pytest.raises(UsageError, match=r"^--payloads ▸.*◂: here it can be"):
        check(names)


def test_the_folder_may_be_named_in_full(files: Path) -> None:
    check(str(files / "a.jsonl"), folder=str(files))
    with pytest.raises(UsageError):
        check(str(files.parent / "secret.jsonl"), folder=str(files))


def test_what_the_command_line_named_may_be_named_again_and_nothing_else(files: Path) -> None:
    given = {"payloads": "secret.jsonl=2,chat", "trace": "files-of-others/c.jsonl", "system_prompt": "@secret.jsonl"}
    check("secret.jsonl", "files-of-others/c.jsonl", given, folder="")
    check(system_prompt="@secret.jsonl", given=given, folder="")
    check(system_prompt="Be kind.", given=given, folder="")
    check("code=1,secret.jsonl=9", given=given, folder="")
    for wrong in ({"payloads": "files-of-others/c.jsonl"}, {"trace": "secret.jsonl"}, {"payloads": "files/a.jsonl"}):
        with pytest.raises(UsageError, match=r"or a file in the folder of --files$"):
            check(**wrong, given=given, folder="")


def test_a_folder_that_is_not_there_is_no_choice(files: Path) -> None:
    assert options.CHECKED["files"]("files") == "files"
    for wrong in ("nowhere", "secret.jsonl"):
        with pytest.raises(Exception, match="is no folder"):
            options.CHECKED["files"](wrong)
