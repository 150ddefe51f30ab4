"""Locust's own parser with this suite's options."""

from typing import Any


class Parser:
    """Stands in for Locust's parser: remembers what was added."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def add_argument(self, name: str, **_: Any) -> Any:
        self.names.append(name)
        return type("Action", (), {"dest": name.removeprefix("--").replace("-", "_")})
