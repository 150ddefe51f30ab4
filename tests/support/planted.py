"""A key that must be found nowhere."""

KEY, GATEWAY = "sk-4f/Jq7+ZrwLmNop91823xyz", "gw-ab98cd76ef54-value"
PIECES = [text[at : at + 12] for text in (KEY, GATEWAY) for at in (0, len(text) - 12)]
