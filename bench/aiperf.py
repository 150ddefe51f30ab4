"""AIPerf on the truth server: its command line, and what it believed."""

import json
from pathlib import Path

from bench.believed import Believed
from bench.others import Load, environment, prompts, run_tool, tokenizer
from bench.spent import Spent


def run(load: Load, folder: Path, python: Path) -> Spent:
    """One run with its exports below `folder/aiperf`. Raises Missing."""
    command = [str(python.parent / "aiperf"), "profile", "-m", "sim", "--url", load.url]
    command += ["--endpoint-type", "chat", "--streaming", "--use-server-token-count"]
    command += ["--tokenizer", str(tokenizer(folder)), "--custom-dataset-type", "single-turn"]
    command += ["--input-file", str(prompts(folder, load, "text")), "--extra-inputs", f"max_tokens:{load.tokens}"]
    command += ["--concurrency", str(load.streams), "--request-count", str(load.requests)]
    if load.streams > 10:
        command += ["--concurrency-ramp-duration", "1"]  # Locust's users begin within a second, too
    command += ["--artifact-dir", str(folder / "aiperf"), "--export-level", "records"]
    command += ["--ui", "none", "--no-server-metrics", "--no-gpu-telemetry"]
    leaves = folder / "aiperf" / "profile_export_aiperf.json"
    return run_tool("aiperf", command, folder, leaves, environment(folder), folder)


def believed(folder: Path) -> list[Believed]:
    """Each request, from the records that it exports; a request ends there with the last chunk with output."""
    found = []
    for line in (folder / "aiperf" / "profile_export.jsonl").read_text().splitlines():
        record = json.loads(line)
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
