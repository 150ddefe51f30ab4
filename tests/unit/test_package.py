"""The wheel as others install it: beside `users/` and `reports/` of their own, and with a locustfile of their own."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from locust_process import ROOT, environment, folder, processes
from simulator_process import running

from tokenswarm import __version__

OWN = """
from locust import task

import tokenswarm.locustfile  # our options and listeners
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.users import LLMUser, OllamaChatUser, OpenAIChatUser  # noqa: F401


class Greeter(OllamaChatUser):
    @task
    def greet(self):
        self.converse(Prompt("greeting", (Message("user", "Hello"),)))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the wheel that is built here."""
    made = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(made), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, text=True)
    (wheel,) = made.glob("tokenswarm-*.whl")
    assert wheel.name.startswith(f"tokenswarm-{__version__}-")
    there = made / "site"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", str(there), str(wheel)], check=True)
    return there


def test_the_version_stands_in_one_place_and_the_licence_is_in_the_wheel(site: Path) -> None:
    (about,) = site.glob("tokenswarm-*.dist-info")
    assert "License-Expression: MIT" in (about / "METADATA").read_text()
    assert "MIT License" in (about / "licenses" / "LICENSE").read_text()
    for path in (ROOT / "deploy/kubernetes").glob("*.yaml"):
        assert set(re.findall(r"image: tokenswarm:(\S+)", path.read_text())) <= {__version__}, path
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text()
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    code = [ROOT / name for name in tracked if name.endswith(".py") and not (ROOT / name).is_symlink()]
    assert [path for path in code if f'"{__version__}"' in path.read_text()] == [ROOT / "tokenswarm/__init__.py"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of somebody else, whose rooms have names of ours."""
    for name in ("users", "reports", "payloads", "metrics"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('raise RuntimeError("not yours")\n')
        (tmp_path / name / "__main__.py").write_text('raise RuntimeError("not yours")\n')
    return tmp_path


def tokenswarm(site: Path, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The console command, in that project's folder."""
    env = environment(PYTHONPATH=str(site))
    command = [str(site / "bin" / "tokenswarm"), *arguments]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_the_wheel_holds_what_a_run_needs_and_nothing_twice(site: Path) -> None:
    (wheel,) = site.parent.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    wanted = ("locustfile.py", "users/ollama.py", "payloads/corpora/chat.jsonl", "reports/render/page.css", "cli.py")
    assert {f"tokenswarm/{name}" for name in wanted} <= set(names)
    assert {name.split("/")[0] for name in names} == {"tokenswarm", f"tokenswarm-{__version__}.dist-info"}


def test_a_run_with_two_processes_and_its_report(site: Path, project: Path) -> None:
    with running("--parallel", "4", "--output-tokens", "8") as sim:
        load = ("--headless", "--only-summary", "--users", "8", "--spawn-rate", "8", "--run-time", "6s")
        done = tokenswarm(site, project, "run", "--model", "sim", "--host", sim.url, *load, *processes(2))
    assert done.returncode == 0, done.stderr
    run = folder(project / "runs")
    assert run.rules("invalid") <= {"late reads", "loop lag", "worker CPU"}, run.run["validity"]  # a busy machine's
    assert {row["worker"] for row in run.rows} == {"0", "1"}
    assert (run.path / "report.html").stat().st_size > 10_000
    again = tokenswarm(site, project, "report", str(run.path))
    assert again.returncode == 0, again.stderr
    assert "requests ok" in again.stdout


def test_a_locustfile_of_ones_own(site: Path, project: Path) -> None:
    (project / "own.py").write_text(OWN)
    with running("--parallel", "4", "--output-tokens", "8") as sim:
        load = ("--headless", "--only-summary", "--users", "6", "--spawn-rate", "6", "--run-time", "3s")
        done = tokenswarm(site, project, "run", "-f", "own.py", "--model", "sim", "--host", sim.url, *load)
    assert done.returncode == 0, done.stderr
    run = folder(project / "runs")
    assert {row["user_class"] for row in run.rows} == {"OllamaChatUser", "OpenAIChatUser", "Greeter"}
    assert "greeting" in {row["prompt_id"] for row in run.rows if row["user_class"] == "Greeter"}


def test_the_other_commands(site: Path, project: Path) -> None:
    assert tokenswarm(site, project, "--version").stdout == f"tokenswarm {__version__}\n"
    ours = tokenswarm(site, project, "run", "--help").stdout
    assert "--find-capacity" in ours
    assert "--slo" in ours
    assert "simulate" in tokenswarm(site, project).stdout
    wrong = tokenswarm(site, project, "rum")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    assert "▸rum◂" in wrong.stderr
    for command in ("report", "merge", "probe", "simulate"):
        assert tokenswarm(site, project, command, "--help").returncode == 0, command


def test_links_that_became_text_are_no_hindrance(tmp_path: Path) -> None:
    """As in a checkout on Windows without developer mode, or from a zip made by a naive tool."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if name.startswith(("tokenswarm", "users", "payloads", "reports", "locustfile")):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            source = ROOT / name
            path.write_bytes(os.readlink(source).encode() if source.is_symlink() else source.read_bytes())
    code = "import locustfile, tokenswarm.users, tokenswarm.reports.write; print('there')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "there\n", done.stderr
