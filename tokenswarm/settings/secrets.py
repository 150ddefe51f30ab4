"""Secrets from files, as containers are given them: no secret need stand on a command line or in an environment."""

import os
from argparse import ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PASSWORD = "TOKENSWARM_WEB_PASSWORD"
TOKEN = "TOKENSWARM_WORKER_TOKEN"


def file(text: str) -> str:
    """A path given as an option: it must be readable, and is kept as a path."""
    try:
        _read(text)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise ArgumentTypeError(f"{text!r} cannot be read ({why}); name a file that holds the secret") from None
    return text


def api_key(options: Any, environment: Mapping[str, str] = os.environ) -> str:
    """The key for the server: as it was given, else from its file, else OPENAI_API_KEY; "" for none."""
    return options.api_key or _read(options.api_key_file) or environment.get("OPENAI_API_KEY", "")


def web_password(options: Any, environment: Mapping[str, str] = os.environ) -> str:
    """The web UI's password: from its file, else from the environment; "" for none."""
    return _read(options.web_password_file) or environment.get(PASSWORD, "")


def worker_token(options: Any, environment: Mapping[str, str] = os.environ) -> str:
    """What master and workers know each other by: from its file, else from the environment; "" for none."""
    return _read(options.worker_token_file) or environment.get(TOKEN, "").strip()


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8").strip() if path else ""
