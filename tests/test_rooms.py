"""The house rules: what each room may import, and that no file outgrows its room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("payloads", "wire", "users", "metrics", "reports", "simulator")
STANDARD = sys.stdlib_module_names
SLOS = ("tokenswarm.metrics.slo.language", "tokenswarm.metrics.slo.judge", "tokenswarm.metrics.slo.junit")
PUBLISHING = ("tokenswarm/run/publisher.py", "tokenswarm/run/recorder.py")

# Room: what it may import beside the standard library and itself. A dotted name allows that module only.
ALLOWED = {
    "payloads": {"orjson"},
    "wire": {"orjson", "tokenswarm.payloads.prompt"},
    # fastjsonschema: whether an answer fits its schema (tokenswarm/metrics/checks/json_schema.py); pure Python without dependencies.
    # orjson: the JSON of an answer may be long, and is read while others' chunks come in.
    "metrics": {"tokenswarm.wire.values", "fastjsonschema", "orjson"},
    "metrics publishing": {"locust", "gevent", "tokenswarm.wire.values"},
    # flask_login: Locust's own way to a login of its web UI.
    "users": {"locust", "gevent", "requests", "httptools", "psutil", "flask", "flask_login"}
    | {"zmq", "wire", "payloads", "metrics"},
    "reports": {
        "pandas",
        "numpy",
        "plotly",
        "tokenswarm.metrics.catalogue",
        "tokenswarm.metrics.checks.table",
        "tokenswarm.metrics.clock",
        "tokenswarm.metrics.output",
        "tokenswarm.metrics.percentile",
        "tokenswarm.metrics.text",
        "tokenswarm.folder.row",
        "tokenswarm.folder.lines",
        "tokenswarm.folder.spool",
        "tokenswarm.folder.append",
        "tokenswarm.folder.verdict",
        "tokenswarm.metrics.validity.workers",
        "tokenswarm.metrics.validity.rules",
        "tokenswarm.metrics.histogram",
        *SLOS,
    },
    "simulator": {"uvicorn"},
}
NEVER = {
    "wire": {"time", "socket", "ssl", "datetime", "random"},
    "metrics": {"time", "socket", "random"},
    "reports": {"socket", "urllib", "http", "subprocess"},
}
# What must not even be loaded, by whatever way, when a room's modules are.
UNLOADED = {
    "payloads": {"locust", "gevent", "requests", "pandas", "wire", "users", "metrics", "reports", "simulator"},
    "wire": {"locust", "gevent", "requests", "pandas", "users", "metrics", "reports", "simulator"},
    "metrics": {"locust", "gevent", "requests", "pandas", "users", "reports", "simulator"},
    "users": {"pandas", "numpy", "plotly", "reports", "simulator", "uvicorn"},
    "reports": {"locust", "gevent", "requests", "users", "simulator"},
    "simulator": {"locust", "gevent", "requests", "pandas", "payloads", "wire", "users", "metrics", "reports"},
}


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file names in an import, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            found |= {f"{node.module}.{alias.name}" if "." not in node.module else node.module for alias in node.names}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_imports(room: str) -> None:
    assert files(room)
    for path in files(room):
        publishing = path.relative_to(ROOT).as_posix() in PUBLISHING
        allowed = ALLOWED["metrics publishing" if publishing else room] | {room}
        never = set() if publishing else NEVER.get(room, set())
        for name in imports(path):
            top = name.partition(".")[0]
            assert top not in never, f"{path} imports {name}"
            fits = top in STANDARD or any(name == a or name.startswith(f"{a}.") for a in allowed)
            assert fits, f"{path} imports {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_loads(room: str) -> None:
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files(room)]
    entry = {*PUBLISHING, f"{room}/__main__.py", "tokenswarm/simulator/llama.py"}
    modules = [m.removesuffix(".__init__") for m in modules if f"{m.replace('.', '/')}.py" not in entry]
    code = f"import sys, importlib\nfor m in {modules!r}: importlib.import_module(m)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & UNLOADED[room]


def test_every_init_is_a_docstring_and_no_file_is_long() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / name for name in tracked.stdout.split()]
    assert len(paths) > 50
    for path in paths:
        text = path.read_text()
        assert len(text.splitlines()) <= 300, path
        if path.name == "__init__.py":
            (only,) = ast.parse(text).body
            assert isinstance(only, ast.Expr), path
        else:
            assert ast.get_docstring(ast.parse(text)), path
