"""The house rules: what each room may import, and that no file outgrows its room."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tokenswarm"
STANDARD = sys.stdlib_module_names

# A room may import what stands before it. (Rooms of one floor do not know each other.)
FLOORS = (
    ("payloads",),
    ("wire",),
    ("metrics",),
    ("folder", "transport"),
    ("settings",),
    ("load",),
    ("users",),
    ("preflight",),
    ("run",),
    ("capacity", "probe", "web"),
    ("features",),
    ("ab", "locustfile", "cli"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
OTHERS: dict[str, set[str]] = {"reports": {"metrics", "folder"}, "simulator": set()}
ROOMS = (*FLOOR, *OTHERS)
# What a room may import of others' packages.
LIBRARIES = {
    # zstandard, duckdb: files packed by zstd, and Parquet; an extra, imported where such a file is opened.
    "payloads": {"orjson", "zstandard", "duckdb"},
    "wire": {"orjson"},
    # jsonschema_rs: whether an answer fits its schema; one wheel without dependencies.
    # orjson: the JSON of an answer may be long, and is read while others' chunks come in.
    "metrics": {"jsonschema_rs", "orjson"},
    "folder": set(),
    "transport": {"gevent", "httptools", "psutil"},
    "settings": {"locust", "orjson", "configargparse"},  # Locust's own parser
    "load": {"gevent"},
    "users": {"locust", "gevent", "requests"},
    "preflight": {"gevent"},
    # prometheus_client: its parser, for what servers say of themselves.
    # opentelemetry: an extra, imported where --otel asks for it.
    "run": {"locust", "gevent", "psutil", "zmq", "prometheus_client", "opentelemetry"},
    "capacity": {"gevent"},
    "probe": {"gevent"},
    # flask_login: Locust's own way to a login of its web UI.
    "web": {"gevent", "flask", "flask_login", "prometheus_client"},
    "features": set(),
    "ab": set(),
    "locustfile": {"locust"},
    "cli": set(),
    # jinja2: the page of a report; it comes with Locust, by Flask, as does markupsafe.
    "reports": {"pandas", "numpy", "plotly", "jinja2", "markupsafe"},
    "simulator": {"uvicorn"},
}
NEVER = {
    "wire": {"time", "socket", "ssl", "datetime", "random"},
    "metrics": {"time", "socket", "random"},
    "reports": {"socket", "urllib", "http", "subprocess"},
}
# Who may know Locust's runners and their sockets.
RUNNERS = {
    "run/cluster.py",  # so that nobody else has to
    "run/curve.py",  # seals the sockets as they are made
}
# Who may import Locust at all.
LOCUST = RUNNERS | {
    "locustfile.py",
    "run/locust_options.py",
    "run/locust_stats.py",
    "run/stages.py",  # a load shape
    "settings/command_line.py",
    "users/base.py",
    "users/lifecycle.py",
    "users/waiting.py",
}
# What must not even be loaded, by whatever way, when a room's modules are.
UNLOADED = {
    **{room: {"locust", "gevent", "requests", "pandas"} for room in ("payloads", "wire", "metrics", "folder")},
    **{room: {"pandas", "numpy", "plotly", "uvicorn"} for room in ("settings", "load", "users", "preflight", "run")},
    **{room: {"pandas", "numpy", "plotly", "uvicorn"} for room in ("transport", "capacity", "probe", "web")},
    "reports": {"locust", "gevent", "requests"},
    "simulator": {"locust", "gevent", "requests", "pandas"},
}


def files(room: str) -> list[Path]:
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{room}.py"]


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def below(room: str) -> set[str]:
    """The rooms that a room may import."""
    if room in OTHERS:
        return OTHERS[room]
    if room == "cli":
        return {*FLOOR, *OTHERS}
    return {other for other in FLOOR if FLOOR[other] < FLOOR[room]}


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_imports(room: str) -> None:
    assert files(room)
    for path in files(room):
        for module in imports(path):
            top, _, rest = module.partition(".")
            assert top not in NEVER.get(room, ()), f"{path} imports {module}"
            if top != "tokenswarm":
                assert top in STANDARD or top in LIBRARIES[room], f"{path} imports {module}"
                continue
            other = rest.partition(".")[0]
            assert other in {room, "__version__"} | below(room), f"{path} imports {module}"


def test_who_knows_locusts_runners() -> None:
    def knows(path: Path) -> bool:
        attributes = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        return "runner" in attributes or any(one.startswith(("locust.runners", "locust.rpc")) for one in imports(path))

    assert {name(path) for room in ROOMS if room != "simulator" for path in files(room) if knows(path)} == RUNNERS


def test_who_imports_locust() -> None:
    def knows(path: Path) -> bool:
        return any(module.partition(".")[0] == "locust" for module in imports(path))

    assert {name(path) for room in ROOMS for path in files(room) if knows(path)} == LOCUST


@pytest.mark.parametrize("room", UNLOADED)
def test_what_a_room_loads(room: str) -> None:
    modules = [".".join(("tokenswarm", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in files(room)]
    modules = [m.removesuffix(".__init__") for m in modules if not m.endswith((".__main__", "simulator.llama"))]
    code = f"import sys, importlib\nfor m in {modules!r}: importlib.import_module(m)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not {module.partition(".")[0] for module in loaded} & UNLOADED[room]
    ours = {module.split(".")[1] for module in loaded if module.startswith("tokenswarm.")}
    if room in ("payloads", "wire", "metrics", "folder"):
        assert ours <= {room} | below(room)
    assert not ours & ({"reports", "simulator"} - {room})


def test_the_engine_itself_loads_nothing() -> None:
    code = "import sys; before = set(sys.modules); import tokenswarm; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in done.stdout.split()}
    assert loaded <= {"tokenswarm"} | STANDARD


@pytest.mark.parametrize("room", ["users", "payloads"])
def test_a_room_has_one_name(room: str) -> None:
    """As `users.base` and as `tokenswarm.users.base` each class would be there twice."""
    code = f"import {room}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"say tokenswarm.{room}" in done.stderr
    assert done.returncode


def test_every_init_says_what_its_room_is_and_no_file_is_long() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in tracked.stdout.split() if not os.path.islink(ROOT / name)]
    assert len(paths) > 50
    for path in paths:
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        assert ast.get_docstring(ast.parse(text)), path
        rooms_of_their_own = {ROOT / "users", ROOT / "payloads", ROOT / "reports/parts", PACKAGE}
        if path.name == "__init__.py" and path.parent not in rooms_of_their_own:
            (only,) = ast.parse(text).body
            assert isinstance(only, ast.Expr), path
