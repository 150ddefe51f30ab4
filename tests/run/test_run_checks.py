"""Answers checked under load: a User class for each fault, in one run."""

from subprocess import run
from typing import Any

import pytest
from locust_process import ROOT, Run, command, environment, folder, forked
from simulator_process import running

from tokenswarm.metrics.checks.table import CHECKS

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
WEATHER = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = ({"type": "function", "function": WEATHER},)
# A class with a model and a prompt of its own, and what its answers fail.
CASES: dict[str, tuple[str, dict[str, Any], set[str]]] = {
    "Sound": ("sim", {}, set()),
    "Empty": ("fault-empty", {}, {"no_visible_answer"}),
    "Tagged": ("fault-think-tags", {}, {"think_leaked"}),
    "Endless": ("fault-ignores-limit", {"max_tokens": 5}, {"limit_ignored"}),
    "Cut": ("sim", {"max_tokens": 5}, {"cut_by_limit"}),
    "Strict": ("sim", {"expect": {"regex": r"^\d+$"}}, {"unexpected"}),
    "Repeats": ("fault-repeat", {}, {"repeat_guard"}),
    "Loops": ("fault-loops", {}, {"repetition", "cut_by_limit"}),
    "Unclosed": ("fault-unclosed-think", {}, {"no_visible_answer", "think_unclosed"}),
    "Json": ("sim", {"format": SCHEMA}, set()),
    "White": (
        "fault-whitespace",
        {"format": "json"},
        {"json_invalid", "whitespace_runaway", "cut_by_limit"},
    ),
    "BadJson": ("fault-bad-json", {"format": "json"}, {"json_invalid"}),
    "OffSchema": ("fault-off-schema", {"format": SCHEMA}, {"schema_invalid"}),
    "Tools": ("sim-tools", {"tools": TOOLS}, set()),
    "Unknown": ("fault-unknown-tool", {"tools": TOOLS}, {"tool_unknown"}),
    "Dropped": ("fault-dropped-call", {"tools": TOOLS}, {"no_visible_answer"}),
    "Wavers": ("fault-nondeterministic", {"options": {"temperature": 0}}, set()),
    "CutsPrompt": (
        "fault-cuts-prompt",
        {"messages": (("user", "Count to ten and back again. " * 40),)},
        {"prompt_truncated"},
    ),
    "Loose": ("sim", {"expect": {"not_contains": "§"}, "options": {"seed": 1}}, set()),
}
LOCUSTFILE = """
from dataclasses import replace
from locustfile import *
from tokenswarm.payloads.prompt import Prompt

def user(name, model, line):
    class One(OllamaChatUser):
        __qualname__ = __name__ = name
        prompt = Prompt(**{"id": name, "messages": (("user", "Count to ten."),), **line})
        def on_start(self):
            super().on_start()
            self._ask = replace(self._ask, model=model)
        def converse(self, prompt=None, **more):
            return super().converse(self.prompt, **more)
    One.__name__ = name
    return One

"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """The run, and what the terminal showed."""
    tmp_path = tmp_path_factory.mktemp("checks")
    lines = [f"{name} = user({name!r}, {model!r}, {line!r})" for name, (model, line, _) in CASES.items()]
    own = tmp_path / "mine.py"
    own.write_text(LOCUSTFILE + "\n".join(lines), encoding="utf-8")
    users = str(len(CASES))
    load = (*CASES, "--model", "sim", "--headless", "--only-summary", "--users", users, "--spawn-rate", users)
    with running(
        "--load-ms", "0", "--output-tokens", "20", "--decode-tps", "200", "--parallel", "32", "--slowdown", "0"
    ) as simulator:
        full = command(simulator.url, tmp_path / "runs", *load, "--run-time", "3s", locustfile=str(own))
        env = environment(PYTHONPATH=str(ROOT))
        done = run(forked(full), cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr  # Locust has failures: those that the repeat guard ended
    return folder(tmp_path / "runs"), done.stdout


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_found_and_nothing_else(ended: tuple[Run, str], name: str) -> None:
    rows = [row for row in ended[0].rows if row["user_class"] == name and row["outcome"] != "cancelled"]
    assert len(rows) > 2
    wanted = CASES[name][2]
    for row in rows:
        found = {check.name for check in CHECKS if row[check.name] == "1"}
        assert found == wanted, row["check_notes"]
        assert all(check in row["check_notes"] for check in wanted)


def test_the_report_and_locust_say_so(ended: tuple[Run, str]) -> None:
    kept, shown = ended
    text = (kept.path / "report.md").read_text()
    assert "## Output checks" in text
    assert "| `no_visible_answer` | `/api/chat` | `fault-empty` |" in text
    assert "checks failed,/api/chat fault-empty," in (kept.path / "locust_stats.csv").read_text()
    assert "check limit_ignored: " in shown
    assert "check cut_by_limit" not in shown
    assert "Same request, same text (a seed, or temperature 0): " in text
    digests = {row["text_digest"] for row in kept.rows if row["user_class"] == "Loose" and row["outcome"] == "ok"}
    assert len(digests) == 1
    assert digests != {""}
    assert not any(row["text_digest"] for row in kept.rows if row["user_class"] == "Sound")
