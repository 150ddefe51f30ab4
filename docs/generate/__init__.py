"""Makes docs/api.md and docs/options.md from the code."""
