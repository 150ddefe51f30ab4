"""Every row of docs/api.md through Locust, on the Ollama that OLLAMA_HOST names, by its smallest models."""

import os
import sys
from pathlib import Path

import pytest
import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from driving import drive

from docs.generate.api_table import rows
from tokenswarm.payloads.request_fields import PATHS
from tokenswarm.settings.target import target

# These load the model anew, in ways that not every machine bears.
NOT_HERE = ("num_gpu", "main_gpu", "num_thread", "use_mmap")


@pytest.mark.parametrize("path", PATHS)
def test_every_row(path: str, tmp_path: Path) -> None:
    if not os.environ.get("OLLAMA_HOST"):
        pytest.skip("OLLAMA_HOST names no Ollama")
    url = target(None, os.environ).url
    models = sorted(requests.get(f"{url}/api/tags", timeout=10).json()["models"], key=lambda known: known["size"])
    wanted = "embedding" if "embed" in path else "completion"
    able = {known["name"]: abilities(url, known["name"]) for known in models}
    model = next((name for name, can in able.items() if wanted in can), None)
    if not model:
        pytest.skip(f"the Ollama has no model for {wanted}")
    driven = [row for row in rows(path) if row.field.on_ollama != "refused" and row.field.name not in NOT_HERE]
    drive(url, path, model, driven, tmp_path / "run", able=False)
    print(f"{path}: {len(driven)} rows on {model}")


def abilities(url: str, name: str) -> list[str]:
    """What a model says it can do."""
    said: list[str] = requests.post(f"{url}/api/show", json={"model": name}, timeout=30).json().get("capabilities", [])
    return said
