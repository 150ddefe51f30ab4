"""Requests that differ in the fields with which Ollama loads a model are said before the load."""

import json
from pathlib import Path

import pytest
from doors import CHAT, GOOD, GOOD_NATIVE, NATIVE, Door, attempt, said
from options import parsed

from tokenswarm.payloads.large import LargeFile
from tokenswarm.preflight.load_fields import reloads
from tokenswarm.settings.settings import settings
from tokenswarm.users import OllamaChatUser, OllamaGenerateUser, OpenAIChatUser


@pytest.mark.parametrize(
    ("classes", "given", "said"),
    [
        ((OllamaChatUser, OllamaGenerateUser), (), None),
        ((OllamaChatUser, OpenAIChatUser), (), None),
        ((OllamaChatUser, OllamaGenerateUser), ("--options", "num_ctx=8192"), None),
        ((OllamaChatUser, OpenAIChatUser), ("--options", "temperature=0"), None),
        ((OpenAIChatUser,), ("--options", "num_ctx=8192"), None),
        (
            (OllamaChatUser, OpenAIChatUser),
            ("--options", "num_ctx=8192 num_batch=256"),
            "(OllamaChatUser: num_batch 256, num_ctx 8192; OpenAIChatUser: none of them)",
        ),
    ],
)
def test_classes_that_load_the_model_otherwise(classes: tuple[type, ...], given: tuple[str, ...], said: str) -> None:
    found = reloads(classes, settings(parsed("--host", "http://x", *given)))
    assert found is None if said is None else said in (found or "")


def test_prompts_that_load_it_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    lines = [
        {"prompt": "a", "options": {"num_ctx": 2048}},
        {"prompt": "b"},
        {"prompt": "c", "options": {"num_ctx": 512}},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = reloads((OllamaChatUser,), settings(parsed("--host", "http://x", "--payloads", str(path))))
    assert "(OllamaChatUser: none of them; OllamaChatUser: num_ctx 2048; OllamaChatUser: num_ctx 512)" in (found or "")


def test_it_is_said_before_the_load() -> None:
    models = {"models": [{"name": "m:latest", "digest": "d", "modified_at": "t"}]}
    paths = {"/api/version": said({"version": "0.32.15"}), "/api/tags": said(models), NATIVE: GOOD_NATIVE, CHAT: GOOD}
    named = ("OllamaChatUser", "OpenAIChatUser")
    done = attempt(Door(paths), "--options", "OllamaChatUser: num_ctx=8192", named=named)
    assert "the model is loaded again whenever requests with other load fields come" in done.findings
    assert "(OllamaChatUser: num_ctx 8192; OpenAIChatUser: none of them)" in done.err


def test_a_large_file_is_not_read_again_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.jsonl"
    lines = [{"prompt": "word " * 300, "options": {"num_ctx": 2048} if n % 2 else {}} for n in range(1000)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = settings(parsed("--host", "http://x", "--payloads", str(path)))
    monkeypatch.setattr(LargeFile, "__getitem__", None)
    assert "num_ctx 2048" in (reloads((OllamaChatUser,), found) or "")
