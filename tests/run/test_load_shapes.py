"""The page about shapes of load: each of its commands is right, up to where its load would begin."""

import re
import shlex
from pathlib import Path

import pytest
from locust_process import ROOT
from options import parsed
from simulator_process import running

from tokenswarm.features import prepare
from tokenswarm.users.ollama import OllamaChatUser, OllamaGenerateUser

CLASSES = (OllamaChatUser, OllamaGenerateUser)


def commands(page: str) -> list[str]:
    return re.findall(r"^locust (.*)$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)


COMMANDS = commands("load-shapes.md")
LOCUSTS = {"--spawn-rate"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trace.csv").write_text("at_s,prompt_tokens,output_tokens\n0,90,5\n30,80,9\n")
    return tmp_path


@pytest.mark.parametrize("page", ["load-shapes", "capacity"])
def test_the_chinese_page_has_the_same_commands(page: str) -> None:
    assert commands(f"{page}.zh-CN.md") == commands(f"{page}.md") != []


def test_each_command_prepares_a_run(here: Path) -> None:
    assert len(COMMANDS) >= 10
    with running("--models", "qwen3:8b,llama3.2:1b", "--load-ms", "0") as simulator:
        for command in COMMANDS:
            words = [word for word in shlex.split(command) if word != "--headless"]
            classes = [word for word in words if word.endswith("User")]
            words = [word for word in words if word not in classes]
            for name in LOCUSTS & set(words):
                del words[words.index(name) : words.index(name) + 2]
            words[words.index("--host") + 1] = simulator.url
            prepared = prepare(parsed(*words), CLASSES, classes)
            assert [c.__name__ for c in prepared.classes] == classes
            assert prepared.findings == ()
            assert {warmed.outcome for warmed in prepared.warm_ups.values()} == {"ok"}
