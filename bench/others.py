"""The other tools, each in a virtual environment of its own: pinned here, made where they are missing."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.spent import Spent, spend
from bench.truth import ROOT

FOLDER = ROOT / ".venv-others"

LIMIT_S = 150.0  # what runs for longer has hung
# Tool: what pip is asked for, a call each (a lock with hashes wants one of its own). GuideLLM brings PyTorch.
PINNED: dict[str, tuple[tuple[str, ...], ...]] = {
    "openai": (("openai==3.54.0",), ("-r", str(ROOT / "requirements.lock"))),
    "aiperf": (("aiperf==0.13.0",),),
    "guidellm": (("guidellm==0.8.1",),),
}


class Missing(Exception):
    """A tool cannot be had, or did not do its work; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Load:
    """What every tool is to do: a closed loop of `streams`, `requests` in all, `tokens` each, against `url`."""

    url: str
    streams: int
    requests: int
    tokens: int


def python_of(tool: str, folder: Path) -> Path:
    """The interpreter of a tool's virtual environment below `folder`, made if it is not there. Raises Missing."""
    home = folder / tool
    python, ready = home / "bin" / "python", home / f"has-{version_of(tool)}"
    if not ready.exists():
        print(f"installing {tool} into {home} …", file=sys.stderr, flush=True)
        venv.create(home, with_pip=True)
        for packages in PINNED[tool]:
            if subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=False).returncode:
                raise Missing(f"{' '.join(packages)} could not be installed into {home}")
        ready.touch()
    return python


def run_tool(tool: str, command: Sequence[str], folder: Path, leaves: Path, env: Mapping[str, str], cwd: Path) -> Spent:
    """Run a tool to its end, with that environment. Raises Missing if it fails, or leaves no such file."""
    log = folder / f"{tool}.log"
    spent = spend(command, cwd=cwd, log=log, limit_s=LIMIT_S, environment=env)
    if spent.exit_code != 0 or not leaves.exists():
        last_words = " ".join(log.read_text(errors="replace").split())[-300:]
        raise Missing(f"{tool} ended with {spent.exit_code}; its last words: {last_words}")
    return spent


def version_of(tool: str) -> str:
    """The pinned version."""
    return PINNED[tool][0][0].partition("==")[2]


def environment(folder: Path) -> Mapping[str, str]:
    """Ours, but that keeps a tool's caches in `folder`, and it from calling home."""
    return {
        **os.environ,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
        "NO_PROXY": "127.0.0.1",
    }


def tokenizer(folder: Path) -> Path:
    """A tokenizer of whitespace, as Hugging Face's libraries load one from a folder.

    Both tools insist on one, though the server counts the tokens; none is downloaded for it.
    """
    made = folder / "tokenizer"
    made.mkdir(exist_ok=True)
    unknown = {"id": 0, "content": "[UNK]", "special": True}
    sides = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    said = {
        "version": "1.0",
        "added_tokens": [{**unknown, **sides}],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
        **dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder")),
    }
    (made / "tokenizer.json").write_text(json.dumps(said))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", "model_max_length": 100_000}
    (made / "tokenizer_config.json").write_text(json.dumps(config))
    return made


def prompts(folder: Path, load: Load, field: str, length: str = "") -> Path:
    """A JSONL file of as many prompts as there are requests, under the names that the tool reads."""
    path = folder / "prompts.jsonl"
    extra = {length: load.tokens} if length else {}
    rows = ({field: f"Question {n}: say a few words.", **extra} for n in range(load.requests))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
