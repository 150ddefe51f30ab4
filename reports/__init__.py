"""What it means: reports over run folders and over Locust's own CSV files. Reads files only.

`reading`, `run_json` and `rows` read, `summary` is all that a report says as one dict (of `parts/`), `write` makes the
files (by `render/`); `merge`, `listing`, `card` and `again` are commands of their own, `compare/` is A against B,
`dialects/` other tools' definitions. Runs in a process of its own, after the run: pandas never beside the load.
"""
