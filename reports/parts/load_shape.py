"""The load of a run in words: how it was asked, by whom, for how long, when, and whom."""

from datetime import UTC, datetime
from typing import Any

from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.rejudging import as_mapping, dicts
from tokenswarm.reports.render.numbers import many, number, plain
from tokenswarm.reports.slices import select_of_models

KINDS = {"ollama": "Ollama", "llama.cpp": "llama.cpp", "vllm": "vLLM", "sglang": "SGLang", "openai": "OpenAI API"}


def load_shape(run: Run) -> dict[str, Any]:
    """`shape` (closed loop, open loop, trace, stages, capacity search, depths), `asked` (what was asked for it),
    `users`, how many `apis` and `models`, and `seconds` from the first request to the last end."""
    options = as_mapping(run.info.get("options"))
    named = (
        *(("find_capacity", "capacity search"), ("trace", "trace"), ("stages", "stages"), ("arrivals", "open loop")),
        ("depths", "depths"),
    )
    name, shape = next(((name, shape) for name, shape in named if options.get(name)), ("", "closed loop"))
    users, rows = options.get("num_users"), select_of_models(run.measured)
    by_hand = [one for one in dicts(run.info.get("stages")) if one.get("by_hand")]
    asked = str(options[name]) if name and name != "find_capacity" else ""
    if by_hand:
        asked, users = f"of {' → '.join(str(one['text']) for one in by_hand)} users", None
    return {
        "shape": shape,
        "asked": asked,
        "users": users if isinstance(users, int) and shape in ("closed loop", "depths") else None,
        "apis": int(rows["endpoint"].nunique()),
        "models": int(rows["model"].nunique()),
        "seconds": round((run.span[1] - run.span[0]) / 1e9, 3) if run.span else None,
    }


def load_line(summary: Summary) -> str:
    """`closed loop, 8 users, 4 APIs, 60 s, 27 November 2026 10:02 UTC, qwen3:8b on Ollama 0.40.2`."""
    load, run = summary["load"], summary["run"]
    said = [" ".join(filter(None, (load["shape"], plain(load["asked"]))))]
    if load["users"] is not None:
        said.append(many(load["users"], "user"))
    if load["apis"] > 1:
        said.append(f"{load['apis']} APIs")
    if load["models"] > 1:
        said.append(f"{load['models']} models")
    if load["seconds"]:
        said.append(f"{number(load['seconds'])} s")
    if isinstance(run["started_unix_s"], (int, float)):
        began = datetime.fromtimestamp(run["started_unix_s"], UTC)
        said.append(f"{began.day} {began:%B %Y %H:%M} UTC")
    name = KINDS.get(run["kind"], run["kind"])
    if run["kind"] == "openai" and run.get("engine") not in (None, "other"):
        server = plain(run["engine"])  # what it says beside that is often its framework's version
    else:
        server = " ".join(str(part) for part in (name, run["version"]) if part)
    model = plain(run["model"] or "")
    said.append(f"{model} on {server}" if model and server else model or server)
    return ", ".join(filter(None, said))


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`load`: what `load_line` is made of."""
    return {"load": load_shape(run)}


PART = Part(data=data)
