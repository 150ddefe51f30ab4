"""Load tests for LLM servers on Locust. Importing this alone imports nothing else, and patches nothing."""

from pathlib import Path

__version__ = "0.1.0"

if not (Path(__file__).parent / "users").is_dir():
    # A checkout whose links became text files (Windows without developer mode, a naive unzip): what they lead to is
    # one folder up.
    __path__.append(str(Path(__file__).parents[1]))
