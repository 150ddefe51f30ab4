"""The part of docs/api.md about the endpoints that generate nothing: who calls them, with what, and how they fail."""

from typing import Any, NamedTuple

from tokenswarm.users.cold_start import OllamaColdStartUser, OllamaSwapUser
from tokenswarm.users.lifecycle import OllamaLifecycleUser

LIFE, COLD, SWAP = (f"`{c.__name__}`" for c in (OllamaLifecycleUser, OllamaColdStartUser, OllamaSwapUser))


class CallRow(NamedTuple):
    """One call; `wrong` is a body that Ollama answers with `status`, which makes its row's `outcome`."""

    method: str
    path: str
    by: str
    fields: str
    measured: str
    wrong: dict[str, Any] | None = None
    status: int = 200
    outcome: str = "ok"


ROW = "`e2e_ms`, outcome"
NOPE = {"model": "nope"}
CALLS = (
    CallRow("GET", "/api/version", f"{LIFE}, the preflight, `--sample-every`", "", f"{ROW}; `server.csv`"),
    CallRow("GET", "/api/tags", f"{LIFE}, the preflight", "", f"{ROW}; the models there are"),
    CallRow("GET", "/api/ps", f"{LIFE}, {COLD}, `--sample-every`", "", f"{ROW}; `server.csv`, `load_state`"),
    CallRow("POST", "/api/show", LIFE, "`model`", ROW, NOPE, 404, "http_error"),
    CallRow(
        "POST", "/api/copy", LIFE, "`source`, `destination`", ROW,
        {"source": "nope", "destination": "b"}, 404, "http_error",
    ),
    CallRow("POST", "/api/create", LIFE, "`model`, `from`, `stream`", ROW, NOPE, 400, "http_error"),
    CallRow("DELETE", "/api/delete", f"{LIFE}, of what it made itself", "`model`", ROW, NOPE, 404, "http_error"),
    CallRow("POST", "/api/pull", f"{LIFE} `--pull`", "`model`", ROW, NOPE, 200, "server_error"),
    CallRow("POST", "/api/push", f"{LIFE} `--push`", "`model`", ROW, NOPE, 200, "server_error"),
)  # fmt: skip
OTHERS = f"""`GET /v1/models` is asked in the preflight, where the server is no Ollama. {COLD} (`--cold-keep-alive`,
`--warm-requests`) and {SWAP} (several in `--model`) ask /api/chat with the fields above, to make the server load:
`load_ms`, `load_state`, `ttft_ms`; see [lifecycle.md](lifecycle.md)."""


def call_table() -> str:
    """The rows as Markdown."""
    lines = ["| call | driven by | fields | measured | a wrong one gets |", "|---|---|---|---|---|"]
    for row in CALLS:
        wrong = f"{row.status}{', an `error` in a line' if row.status == 200 else ''}: `{row.outcome}`"
        cells = (f"{row.method} {row.path}", row.by, row.fields or "–", row.measured, wrong if row.wrong else "–")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", OTHERS])
