"""The containers, really run: the image built, the whole compose file started, a run from the UI and one without it.

`make test-containers`. It wants root, Debian's podman, runc, debootstrap and the name resolution for podman's networks.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import podman as pod
import pytest
import requests
from locust_process import free_port
from podman import IMAGE, Compose, podman

USER = 12345  # nobody of the image or of this machine: any user who may write to runs/ will do
PASSWORD, KEY = "open sesame please", "sk-container-secret-4711"
# podman's own format of an image has no health check; one layer is made sooner than twelve.
BUILD = "--network host --layers=false --format docker"
WEB = ("tokenswarm", PASSWORD)


@dataclass
class Stack:
    """The compose file's services, three workers among them."""

    compose: Compose
    folder: Path
    url: str

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def of(self, service: str) -> list[str]:
        return podman(
            "ps", "-q", "--filter", pod.LABEL, "--filter", f"label=com.docker.compose.service={service}"
        ).split()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: Any) -> Iterator[Stack]:
    missing = [name for name in pod.NEEDED if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        why = f"needs root, and of Debian: {', '.join(missing) or 'nothing more'}"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
    scratch = tmp_path_factory.mktemp("containers")
    (scratch / "containers.conf").write_text(pod.CONFIGURATION)
    os.environ["CONTAINERS_CONF"] = str(scratch / "containers.conf")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends this: it is taken down
    pod.take_down()
    folder = pod.copy_of_the_project(scratch / "project")
    os.chown(folder / "runs", USER, USER)
    secrets = {"TOKENSWARM_API_KEY_FILE": KEY, "TOKENSWARM_WEB_PASSWORD_FILE": PASSWORD}
    environment = {name: str(_secret(scratch / name, text)) for name, text in secrets.items()}
    port = free_port()
    environment |= {"BASE_IMAGE": pod.BASE, "TOKENSWARM_UID": str(USER), "TOKENSWARM_GID": str(USER)}
    compose = Compose(folder, {**environment, "TOKENSWARM_PORT": str(port)})
    took = Took()
    try:
        pod.make_base(scratch)
        took("base image")
        built = compose("--podman-build-args", BUILD, "build", "master")
        assert built.returncode == 0, built.stderr[-3000:]
        took("image")
        up = compose("up", "--detach", "--scale", "worker=3")
        assert up.returncode == 0, up.stderr[-3000:]
        stack = Stack(compose, folder, f"http://127.0.0.1:{port}")
        _until(lambda: _workers(stack.url) == 3, lambda: f"three workers\n{compose('logs', '--tail', '20').stdout}")
        took("started")
        yield stack
        took("tried")
    finally:
        pod.take_down()
        took("taken down")
    assert pod.left() == []


class Took:
    """Says how long each part took."""

    def __init__(self) -> None:
        self._since_s = time.monotonic()

    def __call__(self, what: str) -> None:
        now_s = time.monotonic()
        print(f"\ncontainers: {what}: {now_s - self._since_s:.0f} s", flush=True)
        self._since_s = now_s


def _secret(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    path.chmod(0o400)
    os.chown(path, USER, USER)
    return path


def _until(true: Any, what: Callable[[], str], at_most_s: float = 60) -> None:
    deadline = time.monotonic() + at_most_s
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.3)


def _workers(url: str) -> int:
    try:
        return int(requests.get(f"{url}/worker-count", auth=WEB, timeout=5).json()["worker_count"])
    except requests.RequestException:
        return 0


def _run(stack: Stack, before: set[str]) -> tuple[Path, dict[str, Any]]:
    (name,) = {path.name for path in stack.runs.glob("2*")} - before
    return stack.runs / name, json.loads((stack.runs / name / "run.json").read_text())


def test_a_run_from_the_ui_over_three_workers(stack: Stack) -> None:
    assert requests.get(stack.url, timeout=10, allow_redirects=False).headers["Location"].startswith("/login")
    assert requests.get(f"{stack.url}/metrics", timeout=10).status_code == 401
    with requests.Session() as session:
        session.post(f"{stack.url}/tokenswarm-login", data=dict(zip(("username", "password"), WEB, strict=True)))
        form = {"user_count": "12", "spawn_rate": "12", "run_time": "6s"}
        started = session.post(f"{stack.url}/swarm", data=form, timeout=30).json()
        assert started["success"], started
        _until(lambda: list(stack.runs.glob("*/report.html")), lambda: "the report")
        path, run = _run(stack, set())
        assert session.get(f"{stack.url}/runs/{path.name}/report.html", timeout=10).ok
        scraped = session.get(f"{stack.url}/metrics", timeout=10).text
    assert run["state"] == "complete"
    assert [worker["worker"] for worker in run["workers"]] == [0, 1, 2]
    assert len({worker["host"] for worker in run["workers"]}) == 3
    assert all(worker["requests"] > 0 for worker in run["workers"])
    assert {worker["clock_source"] for worker in run["workers"]} == {"kernel"}
    assert re.search(rf'^tokenswarm_run_info{{[^}}]*run="{path.name}"[^}}]*}} 0', scraped, re.MULTILINE)
    assert path.stat().st_uid == USER


@pytest.mark.parametrize(
    ("slo", "code"),
    [("outcome ok > 50%", 0), ("ttft_ms p50 < 0.001", 99), ("fast", 2)],
    ids=["kept", "crossed", "wrong"],
)
def test_a_headless_run_leaves_a_report_and_its_exit_code(stack: Stack, slo: str, code: int) -> None:
    before = {path.name for path in stack.runs.glob("2*")}
    load = ("--users", "6", "--run-time", "8s", "--payloads", "files/chat.jsonl", "--slo", slo, "--invalid-ok")
    done = stack.compose("--profile", "headless", "run", "--rm", "headless", *load)
    assert done.returncode == code, done.stderr[-3000:]
    if code == 2:
        assert "tokenswarm: error: --slo" in done.stdout + done.stderr  # a terminal has one stream of both
        assert {path.name for path in stack.runs.glob("2*")} == before
        return
    path, run = _run(stack, before)
    assert run["state"] == "complete"
    assert run["rows"] > 10
    for name in ("report.html", "report.md", "summary.json", "requests.csv"):
        assert (path / name).stat().st_size > 0
        assert (path / name).stat().st_uid == USER


def test_nobody_is_root_and_nothing_can_be_written(stack: Stack) -> None:
    for service, number in {"master": 1, "worker": 3, "simulator": 1}.items():
        containers = stack.of(service)
        assert len(containers) == number
        for container in containers:
            assert set(podman("top", container, "huser").split()[1:]) == {str(USER)}
            status = podman("exec", container, "cat", "/proc/1/status")
            assert "CapEff:\t0000000000000000" in status
            assert "NoNewPrivs:\t1" in status
            for place in ("/tokenswarm/x", "/venv/x", "/etc/x"):
                wrote = f"open('{place}', 'w')"
                assert "Read-only" in _fails("exec", container, "python", "-c", wrote)
            limits = json.loads(podman("inspect", container))[0]["HostConfig"]
            assert limits["Memory"] > 0
            assert limits["NanoCpus"] > 0 or limits["CpuQuota"] > 0


def _fails(*arguments: str) -> str:
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0, arguments
    return done.stderr


def test_only_the_ui_is_published_and_on_loopback(stack: Stack) -> None:
    port = stack.url.rpartition(":")[2]
    (master,) = stack.of("master")
    assert podman("port", master).split() == ["8089/tcp", "->", f"127.0.0.1:{port}"]
    for service in ("worker", "simulator"):
        assert not any(podman("port", container) for container in stack.of(service))


def test_the_health_checks_hold(stack: Stack) -> None:
    for service in ("master", "simulator"):
        (container,) = stack.of(service)
        podman("healthcheck", "run", container)


def test_a_worker_that_is_killed_leaves_its_rows_for_a_merge(stack: Stack) -> None:
    before = {path.name for path in stack.runs.glob("2*")}
    form = {"user_count": "12", "spawn_rate": "12", "run_time": "8s"}
    assert requests.post(f"{stack.url}/swarm", data=form, auth=WEB, timeout=30).json()["success"]
    time.sleep(4)
    podman("kill", "--signal", "KILL", stack.of("worker")[0])
    _until(
        lambda: set(stack.runs.glob("*/report.html")) - {stack.runs / name / "report.html" for name in before},
        lambda: "it",
    )
    path, run = _run(stack, before)
    assert run["validity"]["verdict"] == "INVALID"
    assert "workers" in {found["rule"] for found in run["validity"]["findings"]}
    time.sleep(1)  # the report is written last but for a few lines
    merge = (
        "run",
        "--rm",
        "--no-deps",
        "--entrypoint",
        "python",
        "headless",
        "-m",
        "reports",
        "merge",
        f"runs/{path.name}",
    )
    done = stack.compose("--profile", "headless", *merge)
    assert done.returncode == 0, done.stdout + done.stderr
    merged = _run(stack, before)[1]
    assert merged["rows"] >= run["rows"]
    assert "workers" not in {found["rule"] for found in merged["validity"]["findings"] if found["level"] == "invalid"}


def test_no_secret_is_where_it_does_not_belong(stack: Stack, tmp_path: Path) -> None:
    names = podman("ps", "-aq", "--filter", pod.LABEL).split()
    (master,) = stack.of("master")
    assert podman("exec", master, "cat", "/run/secrets/api_key", "/run/secrets/web_password").split("\n")[:2] == [
        KEY,
        PASSWORD,
    ]
    token = podman("exec", stack.of("worker")[0], "cat", "/token/token").strip()
    assert len(token) == 64
    said = [podman("inspect", *names), podman("inspect", IMAGE), podman("history", "--no-trunc", IMAGE)]
    for name in names:
        logs = subprocess.run(["podman", "logs", name], capture_output=True, text=True, check=True)
        said.append(logs.stdout + logs.stderr)
    ours = (*stack.of("master"), *stack.of("worker"))
    said += [podman("exec", container, "cat", "/proc/1/environ", "/proc/1/cmdline") for container in ours]
    files = [path.read_bytes() for path in stack.runs.rglob("*") if path.is_file()]
    assert len(files) > 10
    for secret in (KEY, PASSWORD, token):
        assert not [text[:300] for text in said if secret in text]
        assert not [data[:300] for data in files if secret.encode() in data]
    _nothing_strange_in_the_image(tmp_path)


def _nothing_strange_in_the_image(tmp_path: Path) -> None:
    """Of the project only what runs; of the tools that built it nothing; no file of anybody's."""
    mounted = podman("image", "mount", IMAGE).strip()
    try:
        root = Path(mounted)
        there = {path.name for path in (root / "tokenswarm").iterdir()}
        rooms = {"payloads", "users", "reports", "tokenswarm"}
        assert there == {*rooms, "locustfile.py", "requirements.lock", "runs", "__pycache__"}
        assert not list((root / "tokenswarm/runs").iterdir())
        for tool in ("gcc", "cc", "g++", "make", "ld", "git"):
            assert not (root / "usr/bin" / tool).exists(), tool
        assert not list((root / "venv/bin").glob("pip*"))
        for path in (root / "tokenswarm").rglob("*"):
            assert not path.is_file() or KEY.encode() not in path.read_bytes()
    finally:
        podman("image", "unmount", IMAGE)
