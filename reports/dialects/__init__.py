"""The same run by other tools' definitions."""
