"""What servers say of themselves to Prometheus, in our words: the metrics that are kept of a scrape.

A row a metric of theirs; sources are each project's own documentation or code.
"""

from dataclasses import dataclass
from typing import Literal

# How the samples of a look (engines, GPUs) are one figure; of a counter their sums are followed over time.
Combine = Literal["sum", "mean", "counter"]


@dataclass(frozen=True, slots=True)
class Series:
    """One figure of a server over time."""

    name: str
    unit: str
    label: str
    combine: Combine = "sum"


SERIES = (
    Series("running", "requests", "requests running"),
    Series("waiting", "requests", "requests waiting"),
    Series("kv_cache_percent", "%", "KV cache in use", "mean"),
    Series("gpu_percent", "%", "GPU in use", "mean"),
    Series("gpu_memory_bytes", "bytes", "GPU memory in use"),
    Series("host_memory_bytes", "bytes", "memory of the host in use"),
    Series("gpu_w", "W", "GPU power"),
    Series("gpu_j", "J", "GPU energy", "counter"),
    Series("cpu_j", "J", "CPU and DRAM energy", "counter"),
    Series("prompt_tokens", "tokens", "prompt tokens", "counter"),
    Series("output_tokens", "tokens", "output tokens", "counter"),
    Series("cache_queries", "tokens", "prompt tokens looked up in the prefix cache", "counter"),
    Series("cache_hits", "tokens", "prompt tokens found there", "counter"),
    Series("preemptions", "requests", "preemptions", "counter"),
)
BY_NAME = {series.name: series for series in SERIES}

# Their metric: our series, and what its value is multiplied by.
METRICS: dict[str, tuple[str, float]] = {
    # vLLM, docs/design/metrics.md; the second name of the cache is that of versions before 0.10
    "vllm:num_requests_running": ("running", 1),
    "vllm:num_requests_waiting": ("waiting", 1),
    "vllm:kv_cache_usage_perc": ("kv_cache_percent", 100),
    "vllm:gpu_cache_usage_perc": ("kv_cache_percent", 100),
    "vllm:prompt_tokens_total": ("prompt_tokens", 1),
    "vllm:generation_tokens_total": ("output_tokens", 1),
    "vllm:prefix_cache_queries_total": ("cache_queries", 1),
    "vllm:prefix_cache_hits_total": ("cache_hits", 1),
    "vllm:num_preemptions_total": ("preemptions", 1),
    # SGLang, docs/references/production_metrics.md
    "sglang:num_running_reqs": ("running", 1),
    "sglang:num_queue_reqs": ("waiting", 1),
    "sglang:token_usage": ("kv_cache_percent", 100),
    "sglang:prompt_tokens_total": ("prompt_tokens", 1),
    "sglang:generation_tokens_total": ("output_tokens", 1),
    "sglang:cached_tokens_total": ("cache_hits", 1),
    # llama.cpp, tools/server/README.md; the cache is that of versions until 2025
    "llamacpp:requests_processing": ("running", 1),
    "llamacpp:requests_deferred": ("waiting", 1),
    "llamacpp:kv_cache_usage_ratio": ("kv_cache_percent", 100),
    "llamacpp:prompt_tokens_total": ("prompt_tokens", 1),
    "llamacpp:tokens_predicted_total": ("output_tokens", 1),
    # llama.cpp's /slots, as `tokenswarm.run.busy_slots` counts them
    "llamacpp_slots_processing": ("running", 1),
    # dcgm-exporter, etc/default-counters.csv: MiB, W, mJ
    "DCGM_FI_DEV_GPU_UTIL": ("gpu_percent", 1),
    "DCGM_FI_DEV_FB_USED": ("gpu_memory_bytes", 1 << 20),
    "DCGM_FI_DEV_POWER_USAGE": ("gpu_w", 1),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": ("gpu_j", 1e-3),
    # node-exporter: what is in use is the total without what is available
    "node_memory_MemTotal_bytes": ("host_memory_bytes", 1),
    "node_memory_MemAvailable_bytes": ("host_memory_bytes", -1),
    "node_rapl_package_joules_total": ("cpu_j", 1),
    "node_rapl_dram_joules_total": ("cpu_j", 1),
    # this machine's own, as `tokenswarm.run.power` names them
    "nvidia_smi_utilization_percent": ("gpu_percent", 1),
    "nvidia_smi_memory_used_bytes": ("gpu_memory_bytes", 1),
    "nvidia_smi_power_watts": ("gpu_w", 1),
    "rapl_energy_joules_total": ("cpu_j", 1),
}
POWER = frozenset({"gpu_w", "gpu_j", "cpu_j"})
