"""What is taken of a Prometheus endpoint: each engine's answer as its project shows it, and answers that are none."""

import pytest
from options import parsed
from scripted import request, serving, whole

from tokenswarm.metrics.server_metrics import BY_NAME, METRICS
from tokenswarm.run.scraper import NoReading, Scraper, samples
from tokenswarm.settings.scraping import scrape_urls
from tokenswarm.settings.settings import settings

VLLM = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3.8-27B-FP8"} 2.0
vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen3.8-27B-FP8"} 3.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="Qwen/Qwen3.8-27B-FP8",reason="capacity"} 1.0
vllm:kv_cache_usage_perc{engine="0",model_name="Qwen/Qwen3.8-27B-FP8"} 0.3412
vllm:prompt_tokens_total{engine="0",model_name="Qwen/Qwen3.8-27B-FP8"} 12345.0
vllm:generation_tokens_total{engine="0",model_name="Qwen/Qwen3.8-27B-FP8"} 678.0
vllm:e2e_request_latency_seconds_bucket{engine="0",le="1.0",model_name="Qwen/Qwen3.8-27B-FP8"} 4.0
"""
SGLANG = b"""# HELP sglang:num_running_reqs The number of running requests
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 162.0
# HELP sglang:gen_throughput The generate throughput (token/s)
# TYPE sglang:gen_throughput gauge
sglang:gen_throughput{model_name="meta-llama/Llama-3.1-8B-Instruct"} 86.50814177726902
sglang:num_queue_reqs{model_name="meta-llama/Llama-3.1-8B-Instruct"} 2826.0
sglang:token_usage{model_name="meta-llama/Llama-3.1-8B-Instruct"} 0.28
sglang:generation_tokens_total{model_name="meta-llama/Llama-3.1-8B-Instruct"} 7557572.0
"""
LLAMA = b"""# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 512
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 39080
llamacpp:predicted_tokens_seconds nan
llamacpp:requests_processing 4
llamacpp:requests_deferred 46
"""
DCGM = b"""# HELP DCGM_FI_DEV_POWER_USAGE Power draw (in W).
# TYPE DCGM_FI_DEV_POWER_USAGE gauge
DCGM_FI_DEV_POWER_USAGE{gpu="0",UUID="GPU-5b4e",device="nvidia0",modelName="NVIDIA L40S",Hostname="gpu1"} 35.686000
DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{gpu="0",UUID="GPU-5b4e",device="nvidia0",Hostname="gpu1"} 5551899580
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-5b4e"} 7
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-5b4e"} 4096
"""
NODE = b"""node_memory_MemTotal_bytes 6.7e+10
node_memory_MemAvailable_bytes 4.0e+10
node_rapl_package_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0"} 157242.82
node_rapl_core_joules_total{index="0",path="/sys/class/powercap/intel-rapl:0"} 90000
"""


def by_series(body: bytes) -> dict[str, float]:
    """Our names, and the sums in our units."""
    found: dict[str, float] = {}
    for one in samples(body):
        name, factor = METRICS[one.metric]
        found[name] = found.get(name, 0) + one.value * factor
    return found


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            VLLM,
            {"running": 2, "waiting": 3, "kv_cache_percent": 34.12, "prompt_tokens": 12345, "output_tokens": 678},
        ),
        (SGLANG, {"running": 162, "waiting": 2826, "kv_cache_percent": 28, "output_tokens": 7557572}),
        (LLAMA, {"running": 4, "waiting": 46, "prompt_tokens": 512, "output_tokens": 39080}),
        (DCGM, {"gpu_w": 35.686, "gpu_j": 5551899.58, "gpu_percent": 7, "gpu_memory_bytes": 4 * 2**30}),
        (NODE, {"host_memory_bytes": 2.7e10, "cpu_j": 157242.82}),
    ],
    ids=["vllm", "sglang", "llama.cpp", "dcgm", "node"],
)
def test_what_each_says_in_our_words_and_units(body: bytes, says: dict[str, float]) -> None:
    assert by_series(body) == pytest.approx(says)
    assert set(says) <= set(BY_NAME)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "none of the metrics that we know"),
        (b"<html><body>Grafana</body></html>", "none of the metrics that we know"),
        (b"process_cpu_seconds_total 12.5\n", "none of the metrics that we know"),
        (b"llamacpp:requests_processing nan\n", "none of the metrics that we know"),
        (b"llamacpp:requests_processing many\n", "no Prometheus text"),
        (b'vllm:num_requests_running{engine="0\xff\n', "no Prometheus text"),
    ],
)
def test_an_answer_that_is_none_says_why(body: bytes, why: str) -> None:
    with pytest.raises(NoReading, match=why):
        samples(body)


def test_lines_that_we_do_not_know_do_no_harm() -> None:
    assert by_series(b"nonsense {{{\n" + LLAMA + b"\x00\xff 3\n")["running"] == 4


def test_an_answer_of_a_million_lines_is_cut() -> None:
    assert len(samples(b"llamacpp:requests_processing 1\n" * 5000)) <= 500


@pytest.mark.parametrize("at_home", [True, False])
def test_the_key_goes_to_the_server_under_load_alone(at_home: bool) -> None:
    asked: list[bytes] = []

    def handle(sock: object) -> None:
        while one := request(sock):  # type: ignore[arg-type]
            asked.append(one)
            sock.sendall(whole(LLAMA))  # type: ignore[attr-defined]

    with serving(handle) as port:
        host = f"http://127.0.0.1:{port}" if at_home else "http://127.0.0.1:9"
        checked = settings(parsed("--host", host, "--api-key", "planted-key-1"))
        (where,) = scrape_urls(f"http://127.0.0.1:{port}/metrics?x=1")
        scraper = Scraper(where, checked, None)
        assert {one.metric for one in scraper.look()} > {"llamacpp:requests_deferred"}
        scraper.close()
    assert asked[0].startswith(b"GET /metrics?x=1 HTTP/1.1\r\n")
    assert (b"planted-key-1" in asked[0]) is at_home


@pytest.mark.parametrize("busy", [False, True])
def test_nobody_there_is_a_reason_not_an_error(busy: bool) -> None:
    def handle(sock: object) -> None:
        request(sock)  # type: ignore[arg-type]
        sock.sendall(whole(b"no", "503 Busy"))  # type: ignore[attr-defined]

    with serving(handle) as port:
        (where,) = scrape_urls(f"http://127.0.0.1:{port if busy else 9}")
        scraper = Scraper(where, settings(parsed("--host", "http://127.0.0.1:9")), None)
        with pytest.raises(NoReading, match="503" if busy else "refused"):
            scraper.look()
        scraper.close()
