"""Weights of User classes: how they are written, and who gets how much of the load."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from locust_process import Run, folder, headless, processes
from simulator_process import running

from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.weights import check, check_classes, weigh
from tokenswarm.users.ollama import OllamaChatUser, OllamaGenerateUser

TWO = (OllamaChatUser, OllamaGenerateUser)


class Fixed(OllamaChatUser):
    fixed_count = 1


def test_a_class_gets_its_own_weight_back() -> None:
    own: dict[type, float] = {}
    weigh(TWO, "OllamaChatUser=3, OllamaGenerateUser = .5", own)
    assert [c.weight for c in TWO] == [3, 0.5]
    weigh(TWO, "OllamaChatUser=2", own)
    assert [c.weight for c in TWO] == [2, 1]
    weigh(TWO, "", own)
    assert [c.weight for c in TWO] == [1, 1]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("OllamaChatUser", "--weights ▸OllamaChatUser◂: is no weight of a class; write OllamaChatUser=3,Ollama"),
        ("OllamaChatUser=3,", "--weights OllamaChatUser=3,▸◂: is no weight of a class"),
        ("OllamaChatUser:3", "--weights ▸OllamaChatUser:3◂: is no weight of a class"),
        ("OllamaChatUser=0", "--weights OllamaChatUser=▸0◂: is no weight; give a number above 0"),
        ("OllamaChatUser=-1", "--weights OllamaChatUser=▸-1◂: is no weight"),
        ("OllamaChatUser=inf", "--weights OllamaChatUser=▸inf◂: is no weight"),
        ("OllamaChatUser=", "--weights OllamaChatUser=▸◂: is no weight"),
        ("OllamaChatUser=3,OllamaChatUser=1", "--weights OllamaChatUser=3,▸OllamaChatUser◂=1: is there twice"),
        ("OllamaChtUser=3", "--weights ▸OllamaChtUser◂=3: no class OllamaChtUser runs; did you mean OllamaChatUser?"),
        ("Fixed=3", "--weights ▸Fixed◂=3: Fixed has a fixed_count"),
    ],
)
def test_what_is_no_weight_is_marked(text: str, line: str) -> None:
    with pytest.raises(UsageError) as error:
        check_classes(text, (*TWO, Fixed))
    assert str(error.value).startswith(line)


def test_locusts_own_option_and_ours_exclude_each_other() -> None:
    with pytest.raises(UsageError, match="give one of them"):
        check(SimpleNamespace(weights="OllamaChatUser=3", equal_weights=True))


SIM = ("--load-ms", "1", "--decode-tps", "400", "--parallel", "32", "--slowdown", "0", "--output-cv", "0")
LOAD = (
    "OllamaChatUser",
    "OllamaGenerateUser",
    "--model",
    "sim",
    "--max-tokens",
    "8",
    "--no-report",
    "--stop-timeout",
    "5",
)


def share(run: Run) -> float:
    seen = Counter(row["user_class"] for row in run.rows)
    return seen["OllamaChatUser"] / seen.total()


def test_users_of_a_closed_loop_and_arrivals_of_an_open_one_are_shared_by_weight(tmp_path: Path) -> None:
    closed = ("--users", "8", "--spawn-rate", "8", "--think-time", "40ms")
    opened = ("--arrivals", "constant 120/s", "--users", "80", *processes(2))
    with running(*SIM) as simulator:
        for name, options in (("closed", closed), ("open", opened)):
            options = (*LOAD, *options, "--weights", "OllamaChatUser=3", "--run-time", "4s")
            done = headless(simulator.url, tmp_path / name, *options)
            assert done.returncode == 0, done.stderr
    found = [folder(tmp_path / name) for name in ("closed", "open")]
    assert [run.run["weights"] for run in found] == [{"OllamaChatUser": 3, "OllamaGenerateUser": 1}] * 2
    assert [len(run.rows) > 60 for run in found] == [True, True]
    assert all(0.6 < share(run) < 0.9 for run in found)  # by default one half
