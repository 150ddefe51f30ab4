"""The examples of docs/your-own-locustfile.md run, in a folder of their own."""

import re
import sys
from pathlib import Path
from subprocess import run

from locust_process import ROOT, command, environment, folder
from simulator_process import running


def examples(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)


def in_a_folder_of_its_own(tmp_path: Path, name: str, text: str) -> Path:
    """With folders that bear our rooms' names, as many a project has them."""
    for room in ("users", "reports", "payloads"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("raise ImportError('this is mine')")
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


def test_the_example_locustfile_runs(tmp_path: Path) -> None:
    own = in_a_folder_of_its_own(tmp_path, "mine.py", examples("your-own-locustfile.md")[0])
    load = ("Reader", "Writer", "--headless", "--only-summary", "-u", "4", "-r", "4", "--run-time", "4s", "--no-report")
    with running("--load-ms", "0", "--output-tokens", "5") as simulator:
        full = command(simulator.url, tmp_path / "runs", *load, "--model", "sim", locustfile=str(own))
        env = environment(PYTHONPATH=str(ROOT))
        done = run(full, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = folder(tmp_path / "runs").rows
    assert {row["user_class"] for row in rows} == {"Reader", "Writer"}
    own_prompts = [row["prompt_id"] == "sum" for row in rows if row["user_class"] == "Writer"]
    assert any(own_prompts)
    assert sum(own_prompts) > len(own_prompts) / 3  # @task(3) against one of the corpus


def test_the_example_of_a_library_runs(tmp_path: Path) -> None:
    with running("--load-ms", "0", "--output-tokens", "5") as simulator:
        text = examples("your-own-locustfile.md")[1].replace("http://127.0.0.1:11434", simulator.url)
        own = in_a_folder_of_its_own(tmp_path, "library.py", "from gevent import monkey\nmonkey.patch_all()\n" + text)
        env = environment(PYTHONPATH=str(ROOT), TOKENSWARM_MODEL="sim", TOKENSWARM_NO_REPORT="true")
        done = run([sys.executable, str(own)], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert folder(tmp_path / "runs").outcomes["ok"] > 5


def test_both_pages_have_the_same_examples() -> None:
    assert examples("your-own-locustfile.md") == examples("your-own-locustfile.zh-CN.md")
