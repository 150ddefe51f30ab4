"""AIPerf on the truth server: its command line, what it believed, and its own figures."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.believed import Believed, Moments
from bench.others import Load, Missing, environment, last_words, prompts, tokenizer
from bench.spent import Spent, spend


def run(load: Load, folder: Path, python: Path, *, raw: bool = False) -> Spent:
    """One run with its exports below `folder/aiperf`; `raw` keeps each chunk with its time. Raises Missing."""
    command = [str(python.parent / "aiperf"), "profile", "-m", "sim", "--url", load.url]
    command += ["--endpoint-type", "chat", "--streaming", "--use-server-token-count"]
    command += ["--tokenizer", str(tokenizer(folder)), "--custom-dataset-type", "single-turn"]
    command += ["--input-file", str(prompts(folder, load, "text")), "--extra-inputs", f"max_tokens:{load.tokens}"]
    command += ["--concurrency", str(load.streams), "--request-count", str(load.requests)]
    if load.streams > 10:
        command += ["--concurrency-ramp-duration", "1"]  # Locust's users begin within a second, too
    command += ["--artifact-dir", str(folder / "aiperf"), "--export-level", "raw" if raw else "records"]
    command += ["--ui", "none", "--no-server-metrics", "--no-gpu-telemetry"]
    log = folder / "aiperf.log"
    spent = spend(command, cwd=folder, log=log, limit_s=load.limit_s, environment=environment(folder))
    if spent.exit_code != 0 or not (folder / "aiperf" / "profile_export_aiperf.json").exists():
        raise Missing(f"aiperf ended with {spent.exit_code}; its last words: {last_words(log)}")
    return spent


def believed(folder: Path) -> list[Believed]:
    """Each request, from the records that it exports; a request ends there with the last chunk with output."""
    found = []
    for record in _lines(folder / "aiperf" / "profile_export.jsonl"):
        if record.get("error"):
            continue
        metrics = {name: metric["value"] for name, metric in record["metrics"].items()}
        found.append(
            Believed(
                key=record["metadata"]["x_request_id"],
                ttft_ms=metrics["time_to_first_token"],
                gaps_ms=tuple(metrics["inter_chunk_latency"]),
                end_ms=metrics["request_latency"],
                to_last_byte=False,
            )
        )
    return found


def raw(folder: Path) -> list[Moments]:
    """Each request by the time stamps of its chunks, of a run with `raw`."""
    found = []
    for record in _lines(folder / "aiperf" / "profile_export_raw.jsonl"):
        began_ns, chunk_ms = record["start_perf_ns"], []
        usage: dict[str, Any] = {}
        for response in record["responses"]:
            for packet in response["packets"]:
                if packet["name"] != "data" or packet["value"] == "[DONE]":
                    continue
                event = json.loads(packet["value"])
                usage = event.get("usage") or usage
                if event["choices"] and event["choices"][0]["delta"].get("content"):
                    chunk_ms.append((response["perf_ns"] - began_ns) / 1e6)
        found.append(
            Moments(
                sent_ms=record["metadata"]["request_start_ns"] / 1e6,
                first_ms=chunk_ms[0],
                last_ms=chunk_ms[-1],
                end_ms=chunk_ms[-1],
                chunks=len(chunk_ms),
                gaps_ms=tuple(b - a for a, b in pairwise(chunk_ms)),
                prompt_tokens=usage["prompt_tokens"],
                output_tokens=usage["completion_tokens"],
            )
        )
    return found


def figures(folder: Path) -> dict[str, dict[str, float]]:
    """The figures that it exports, under the names that it prints: avg, p50 … of each."""
    said = json.loads((folder / "aiperf" / "profile_export_aiperf.json").read_text())
    names = {
        "time_to_first_token": "Time to First Token (ms)",
        "time_to_first_output_token": "Time to First Output Token (ms)",
        "request_latency": "Request Latency (ms)",
        "inter_token_latency": "Inter Token Latency (ms)",
        "inter_chunk_latency": "Inter Chunk Latency (ms)",
        "output_token_throughput_per_user": "Output Token Throughput Per User",
        "e2e_output_token_throughput": "E2E Output Token Throughput",
        "output_sequence_length": "Output Sequence Length (tokens)",
        "input_sequence_length": "Input Sequence Length (tokens)",
        "output_token_throughput": "Output Token Throughput (tok/s)",
        "request_throughput": "Request Throughput (req/s)",
    }
    return {shown: {**said[name], "mean": said[name]["avg"]} for name, shown in names.items()}


def _lines(path: Path) -> list[dict[str, Any]]:
    with path.open() as file:
        return [json.loads(line) for line in file]
