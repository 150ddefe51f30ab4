"""The project's containers on this machine: podman without a registry, a copy of the project, taken down by label."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = "tokenswarm-test"
LABEL = f"label=io.podman.compose.project={PROJECT}"
BASE = "localhost/tokenswarm-test-base:bookworm"
IMAGE, THEIRS = "localhost/tokenswarm-test:latest", "localhost/tokenswarm:latest"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"
NEEDED = ("podman", "runc", "debootstrap")
# crun refuses some layouts of control groups; the limits of a container's own may not be raised everywhere.
CONFIGURATION = """[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""


def podman(*arguments: str, check: bool = True) -> str:
    """What podman says."""
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0 or not check, (arguments, done.stderr)
    return done.stdout


def make_base(scratch: Path) -> None:
    """A stand-in for the Dockerfile's base image: Debian with Python, and this machine's authorities for pip."""
    if BASE in podman("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        return
    root = scratch / "base"
    built = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-2000:]
    shutil.copyfile(f"/{AUTHORITIES}", root / AUTHORITIES)
    (root / "etc/pip.conf").write_text(f"[global]\ncert = /{AUTHORITIES}\n")
    packed = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
    subprocess.run(["podman", "import", "--quiet", "-", BASE], stdin=packed.stdout, check=True, capture_output=True)
    assert packed.wait() == 0
    shutil.rmtree(root)


def copy_of_the_project(into: Path) -> Path:
    """What a clone would have, the image's name changed to one of the test's own."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, into / name, follow_symlinks=False)
    compose = into / "docker-compose.yml"
    text = compose.read_text()
    assert text.count(THEIRS) == 1
    compose.write_text(text.replace(THEIRS, IMAGE))
    return into


class Compose:
    """`docker compose`, as podman-compose, in one folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder, self._environment = folder, {**os.environ, **environment}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        full = [sys.executable, "-m", "podman_compose", "-p", PROJECT, *arguments]
        where = {"cwd": self._folder, "env": self._environment}
        return subprocess.run(full, **where, capture_output=True, text=True, check=False, timeout=400)


def take_down() -> None:
    """Whatever there is of the test's own containers, network, volumes and image; never anybody else's."""
    for _ in range(4):  # one that others depend on goes after them
        for name in podman("ps", "-aq", "--filter", LABEL).split():
            podman("rm", "--force", "--time", "2", name, check=False)
    for kind in ("volume", "network"):
        for name in podman(kind, "ls", "-q", "--filter", LABEL).split():
            podman(kind, "rm", "--force", name, check=False)
    podman("rmi", "--force", IMAGE, check=False)


def left() -> list[str]:
    """What of the test's own is still there."""
    kinds = (("ps", "-aq"), ("volume", "ls", "-q"), ("network", "ls", "-q"))
    return [name for kind in kinds for name in podman(*kind, "--filter", LABEL).split()]
