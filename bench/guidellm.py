"""GuideLLM on the truth server: its command line, what it believed, and its own figures."""

import json
from pathlib import Path
from typing import Any

from bench.believed import Believed, Moments
from bench.others import Load, Missing, environment, last_words, prompts, tokenizer
from bench.spent import Spent, spend


def run(load: Load, folder: Path, python: Path) -> Spent:
    """One run with its report in `folder/guidellm.json`. Raises Missing."""
    server = f"kind=openai_http,target={load.url},model=sim,request_format=/v1/chat/completions,validate_backend=false"
    command = [str(python.parent / "guidellm"), "run", "--backend", server]
    command += ["--profile", f"kind=concurrent,streams={load.streams}"]
    command += ["--constraint", f"kind=max_requests,count={load.requests}"]
    command += ["--tokenizer", f"kind=huggingface_auto,model={tokenizer(folder)}"]
    command += ["--data", f"kind=json_file,path={prompts(folder, load, 'prompt', 'output_tokens_count')}"]
    command += ["--output", f"kind=json,path={folder / 'guidellm.json'}", "--disable-progress"]
    log, offline = folder / "guidellm.log", {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    spent = spend(command, cwd=folder, log=log, limit_s=load.limit_s, environment={**environment(folder), **offline})
    if spent.exit_code != 0 or not (folder / "guidellm.json").exists():
        raise Missing(f"guidellm ended with {spent.exit_code}; its last words: {last_words(log)}")
    return spent


def believed(folder: Path) -> list[Believed]:
    """Each request; it keeps no gaps."""
    return [
        Believed(
            key=int(request["response_id"].removeprefix("chatcmpl-")),
            ttft_ms=request["time_to_first_token_ms"],
            gaps_ms=None,
            end_ms=request["request_latency"] * 1e3,
            to_last_byte=True,
        )
        for request in _benchmark(folder)["requests"]["successful"]
    ]


def raw(folder: Path) -> list[Moments]:
    """Each request by its time stamps; gaps it has none."""
    found = []
    for request in _benchmark(folder)["requests"]["successful"]:
        times = request["info"]["timings"]
        began_s = times["request_start"]
        found.append(
            Moments(
                sent_ms=began_s * 1e3,
                first_ms=(times["first_token_iteration"] - began_s) * 1e3,
                last_ms=(times["last_token_iteration"] - began_s) * 1e3,
                end_ms=(times["request_end"] - began_s) * 1e3,
                chunks=times["token_iterations"],
                gaps_ms=(),
                prompt_tokens=request["prompt_tokens"],
                output_tokens=request["output_tokens"],
            )
        )
    return found


def figures(folder: Path) -> dict[str, dict[str, float]]:
    """The figures of its report, under the names that its console has: mean, p50 … of each."""
    metrics = _benchmark(folder)["metrics"]
    names = {
        "request_latency": "Request Latency (Sec)",
        "time_to_first_token_ms": "TTFT (ms)",
        "time_to_first_output_token_ms": "TTFOT (ms)",
        "inter_token_latency_ms": "ITL (ms)",
        "time_per_output_token_ms": "TPOT (ms)",
        "output_token_count": "Output Tok (Per Req)",
    }
    found = {shown: _spread(metrics[name]["successful"]) for name, shown in names.items()}
    rates = {"output_tokens_per_second": "Output Tokens (Per Sec)", "requests_per_second": "Requests (Per Sec)"}
    return found | {shown: {"mean": metrics[name]["total"]["mean"]} for name, shown in rates.items()}


def _spread(summary: dict[str, Any]) -> dict[str, float]:
    return {"mean": summary["mean"], **{name: summary["percentiles"][name] for name in ("p50", "p90", "p95", "p99")}}


def _benchmark(folder: Path) -> dict[str, Any]:
    (only,) = json.loads((folder / "guidellm.json").read_text())["benchmarks"]
    benchmark: dict[str, Any] = only
    return benchmark
