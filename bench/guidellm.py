"""GuideLLM on the truth server: its command line, and what it believed."""

import json
from pathlib import Path

from bench.believed import Believed
from bench.others import Load, environment, prompts, run_tool, tokenizer
from bench.spent import Spent


def run(load: Load, folder: Path, python: Path) -> Spent:
    """One run with its report in `folder/guidellm.json`. Raises Missing."""
    server = f"kind=openai_http,target={load.url},model=sim,request_format=/v1/chat/completions,validate_backend=false"
    command = [str(python.parent / "guidellm"), "run", "--backend", server]
    command += ["--profile", f"kind=concurrent,streams={load.streams}"]
    command += ["--constraint", f"kind=max_requests,count={load.requests}"]
    command += ["--tokenizer", f"kind=huggingface_auto,model={tokenizer(folder)}"]
    command += ["--data", f"kind=json_file,path={prompts(folder, load, 'prompt', 'output_tokens_count')}"]
    command += ["--output", f"kind=json,path={folder / 'guidellm.json'}", "--disable-progress"]
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    more = {**environment(folder), **offline}
    return run_tool("guidellm", command, folder, folder / "guidellm.json", more, folder)


def believed(folder: Path) -> list[Believed]:
    """Each request; it keeps no gaps."""
    (benchmark,) = json.loads((folder / "guidellm.json").read_text())["benchmarks"]
    return [
        Believed(
            key=int(request["response_id"].removeprefix("chatcmpl-")),
            ttft_ms=request["time_to_first_token_ms"],
            gaps_ms=None,
            end_ms=request["request_latency"] * 1e3,
            to_last_byte=True,
        )
        for request in benchmark["requests"]["successful"]
    ]
