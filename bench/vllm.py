"""vLLM's `bench serve` on the truth server: its own code out of its wheel, its figures under the names it prints."""

import json
from pathlib import Path
from typing import Any

from bench.believed import Moments
from bench.others import ROOT, Load, Missing, last_words
from bench.spent import Spent, spend


def run(load: Load, folder: Path, python: Path, wheel: Path) -> Spent:
    """One run of `bench/vllm_bench.py`, its JSON in `folder/vllm.log`. Raises Missing."""
    script = str(ROOT / "bench" / "vllm_bench.py")
    sizes = map(str, (load.streams, load.requests, load.tokens))
    log = folder / "vllm.log"
    spent = spend([str(python), script, str(wheel), load.url, *sizes], cwd=folder, log=log, limit_s=load.limit_s)
    if spent.exit_code != 0:
        raise Missing(f"vLLM's bench ended with {spent.exit_code}; its last words: {last_words(log)}")
    return spent


def raw(folder: Path) -> list[Moments]:
    """Each request by its time stamps."""
    return [
        Moments(
            sent_ms=output["start_time"] * 1e3,
            first_ms=output["ttft"] * 1e3,
            last_ms=output["latency"] * 1e3,
            end_ms=output["latency"] * 1e3,
            chunks=len(output["itl"]) + 1,
            gaps_ms=tuple(gap * 1e3 for gap in output["itl"]),
            prompt_tokens=output["prompt_len"],
            output_tokens=output["output_tokens"],
        )
        for output in _said(folder)["outputs"]
    ]


def figures(folder: Path) -> dict[str, dict[str, float]]:
    """mean, p50 … of each metric."""
    metrics = _said(folder)["metrics"]
    found: dict[str, dict[str, float]] = {}
    for name in ("ttft", "tpot", "itl", "e2el"):
        percentiles = {f"p{percent:g}": value for percent, value in metrics[f"percentiles_{name}_ms"]}
        found[f"{name.upper()} (ms)"] = {"mean": metrics[f"mean_{name}_ms"], **percentiles}
    rates = {
        "request_throughput": "Request",
        "output_throughput": "Output token",
        "total_token_throughput": "Total token",
    }
    for name, shown in rates.items():
        unit = "req/s" if name == "request_throughput" else "tok/s"
        found[f"{shown} throughput ({unit})"] = {"mean": metrics[name]}
    return found


def _said(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((folder / "vllm.log").read_text())
    return said
