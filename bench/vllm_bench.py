"""vLLM's `bench serve`, by its own code: the request function and the metrics alone, without vLLM.

Of the wheel two files are read, without installing it: `vllm/benchmarks/lib/endpoint_request_func.py`, loaded as it is,
and `vllm/benchmarks/serve.py`, of which `BenchmarkMetrics` and `calculate_metrics` are run by themselves, as the rest
of it needs the whole engine. Runs in AIPerf's virtual environment, which has the libraries that they import.

    python bench/vllm_bench.py WHEEL URL STREAMS REQUESTS TOKENS

prints JSON: `metrics` as they come out, and `outputs`, one a request, as they went in.
"""

import ast
import asyncio
import importlib.util
import json
import sys
import tempfile
import time
import warnings
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp  # type: ignore[import-not-found,unused-ignore]
import numpy as np

REQUESTS_FILE = "vllm/benchmarks/lib/endpoint_request_func.py"
METRICS_FILE = "vllm/benchmarks/serve.py"


def load(wheel: Path) -> tuple[ModuleType, dict[str, Any]]:
    """The module with the request functions, and the names of the metrics."""
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "endpoint_request_func.py"
        path.write_bytes(archive.read(REQUESTS_FILE))
        spec = importlib.util.spec_from_file_location("endpoint_request_func", path)
        assert spec is not None
        assert spec.loader is not None
        functions = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = functions
        spec.loader.exec_module(functions)
        whole = ast.parse(archive.read(METRICS_FILE))
    wanted = ("BenchmarkMetrics", "calculate_metrics", "MILLISECONDS_TO_SECONDS_CONVERSION")
    kept = [node for node in whole.body if _name(node) in wanted]
    names: dict[str, Any] = {
        "np": np,
        "warnings": warnings,
        "dataclass": dataclass,
        "field": field,
        "SampleRequest": Any,
        "TokenizerLike": Any,
        "RequestFuncOutput": functions.RequestFuncOutput,
        "TERM_PLOTLIB_AVAILABLE": False,
        "print": lambda *_: None,
    }
    exec(compile(ast.Module(kept, []), METRICS_FILE, "exec"), names)
    return functions, names


def _name(node: ast.stmt) -> str | None:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return getattr(node, "name", None)


async def bench(functions: Any, url: str, streams: int, requests: int, tokens: int) -> tuple[list[Any], float]:
    """A closed loop; what the request function gives of each request, and how long it all took, s."""
    slots = asyncio.Semaphore(streams)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=streams)) as session:

        async def one(number: int) -> Any:
            async with slots:
                asked = functions.RequestFuncInput(
                    prompt=f"Question {number}: say a few words.",
                    api_url=f"{url}/v1/chat/completions",
                    prompt_len=7,
                    output_len=tokens,
                    model="sim",
                    extra_body={"max_tokens": tokens},
                )
                return await functions.async_request_openai_chat_completions(asked, session)

        began_s = time.perf_counter()
        outputs = await asyncio.gather(*map(one, range(requests)))
        return list(outputs), time.perf_counter() - began_s


def main() -> None:
    """Run it, print JSON."""
    wheel, url, *sizes = sys.argv[1:]
    functions, names = load(Path(wheel))
    outputs, took_s = asyncio.run(bench(functions, url, *map(int, sizes)))
    metrics, _ = names["calculate_metrics"]([], outputs, took_s, None, [50.0, 90.0, 95.0, 99.0], {})
    said = {"metrics": asdict(metrics), "outputs": [asdict(output) for output in outputs], "took_s": took_s}
    print(json.dumps(said, default=float))


if __name__ == "__main__":
    main()
