"""A key that must be found nowhere."""

import pytest

from tokenswarm.settings import redaction

KEY, GATEWAY = "sk-4f/Jq7+ZrwLmNop91823xyz", "gw-ab98cd76ef54-value"
PIECES = [text[at : at + 12] for text in (KEY, GATEWAY) for at in (0, len(text) - 12)]


def be_the_only_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """KEY is what this process knows to be secret, and nothing else is."""
    monkeypatch.setattr(redaction, "_secrets", {})
    redaction.learn(KEY)
