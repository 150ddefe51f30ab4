"""Where the time went: the mean milliseconds of each part of a request, adding up to the whole of it."""

from typing import Any

LATE = ("lateness", "connect")
KINDS = {
    "server, with its total": (*LATE, "queue", "load", "prompt_eval", "eval", "rest"),
    "server, of an embedding": (*LATE, "load", "embed", "rest"),
    "server, without a total": (*LATE, "prompt_eval", "eval", "rest"),
    "client": (*LATE, "first output", "streaming"),
    "client, not streamed": (*LATE, "whole answer"),
}
PARTS = tuple(dict.fromkeys(part for parts in KINDS.values() for part in parts))
LABELS = {
    "lateness": "lateness",
    "connect": "connecting",
    "queue": "server queue",
    "load": "model load",
    "prompt_eval": "prompt eval",
    "eval": "eval (decoding)",
    "embed": "queue and embedding",
    "rest": "rest: network, client",
    "first output": "waiting for the first output",
    "streaming": "streaming",
    "whole answer": "waiting for the whole answer",
}


def ledger(ok: Any) -> list[dict[str, Any]]:
    """For each kind of account that the server's durations allow: n, mean ms of each part, and their sum.

    The parts of a row add up to e2e_ms, plus lateness_ms in the open loop, or connect_ms in the closed one (in the
    open loop connecting falls between scheduled and sent: it is taken out of the lateness, not counted twice). An
    absent server duration is 0, as in Ollama's JSON. queue is slightly negative where the server's clock readings
    overlap; it is left so, as clipping it would spoil the sum.
    """
    timed = ok[ok["e2e_ms"].notna()]
    total = timed["total_ms"].notna()
    parts = timed["prompt_eval_ms"].notna() & timed["eval_ms"].notna() & ~total
    embedding = total & timed["vectors"].notna()
    client = timed["ttft_ms"].notna() & ~total & ~parts
    masks = (total & ~embedding, embedding, parts, client, ~total & ~parts & ~client)
    accounts = []
    for (kind, names), mask in zip(KINDS.items(), masks, strict=True):
        rows = timed[mask]
        if len(rows):
            means = {name: float(_part(rows, name).mean()) for name in names if name not in LATE or _has(rows, name)}
            accounts.append(
                {
                    "kind": kind,
                    "n": len(rows),
                    "parts_mean_ms": {name: round(mean, 6) for name, mean in means.items()},
                    "sum_mean_ms": round(sum(means.values()), 6),
                }
            )
    return accounts


def _has(rows: Any, name: str) -> bool:
    return bool(rows[f"{name}_ms"].notna().any())


def _part(rows: Any, name: str) -> Any:
    if name == "lateness":
        connecting = rows["connect_ms"].fillna(0).where(rows["lateness_ms"].notna(), 0)
        return rows["lateness_ms"].fillna(0) - connecting
    if name == "rest":
        known = rows["total_ms"].fillna(rows["prompt_eval_ms"].fillna(0) + rows["eval_ms"].fillna(0))
        return rows["e2e_ms"] - known
    if name == "embed":
        return rows["total_ms"] - rows["load_ms"].fillna(0)
    if name == "first output":
        return rows["ttft_ms"]
    if name == "streaming":
        return rows["e2e_ms"] - rows["ttft_ms"]
    if name == "whole answer":
        return rows["e2e_ms"]
    return rows[f"{name}_ms"].fillna(0)
