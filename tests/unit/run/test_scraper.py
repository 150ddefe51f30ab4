"""What is taken of a Prometheus endpoint: each engine's answer as its project shows it, and answers that are none."""

from typing import Any

import gevent
import pytest
from options import parsed
from scripted import CHUNKED, chunk, request, serving, whole

from tokenswarm.metrics.server_metrics import BY_NAME, METRICS
from tokenswarm.run import scraper
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


RUNNING = b'vllm:num_requests_running{engine="0"} 2.0'
TOKENS = b'vllm:generation_tokens_total{engine="0"}'


def test_lines_that_we_do_not_know_do_no_harm() -> None:
    assert by_series(b"nonsense {{{\n" + LLAMA + b"\x00\xff 3\n")["running"] == 4


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (TOKENS + b' 678.0 # {trace_id="abc"} 1.0 1520879607.789', {"output_tokens": 678}),  # OpenMetrics' exemplar
        (TOKENS + b" 678.0 1520879607.789", {"output_tokens": 678}),  # its time
        (TOKENS + b" 678 1395066363000", {"output_tokens": 678}),  # Prometheus' own, ms
        (TOKENS + b" 678\r", {"output_tokens": 678}),
        (b"vllm:num_requests_waiting\t5", {"waiting": 5}),
        (TOKENS + b" NaN", {}),
        (TOKENS + b" +Inf", {}),
        (TOKENS + b" 1e308", {}),  # would be infinite in other units
        (TOKENS + b" many", {}),
        (TOKENS, {}),
        (TOKENS + b" 1,5", {}),
        (TOKENS[:-2] + b" 7", {}),
        (
            b'vllm:generation_tokens_total{a="0",m{l="a""#"\\=, ="b"} 2.0 # #,{x"} 1 2',
            {},
        ),  # an IndexError in the parser
        (b'vllm:generation_tokens_total{a="' + b"x" * 100_000 + b'"} 3', {}),
        (b"vllm:generation_tokens_created 1.5e9\n# EOF", {}),
    ],
)
def test_a_strange_line_takes_nothing_from_the_others(line: bytes, says: dict[str, float]) -> None:
    for body in (line + b"\n" + RUNNING, RUNNING + b"\n" + line + b"\n"):
        assert by_series(body) == {"running": 2, **says}


def test_an_answer_of_a_million_lines_is_cut_and_lets_others_have_their_turn() -> None:
    assert len(samples(b"llamacpp:requests_processing 1\n" * 5000)) <= 500
    turns: list[int] = []
    assert samples(b"other_total 1\n" * 100_000 + RUNNING, lambda: turns.append(1))
    assert len(turns) > 40


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (lambda sock: endless(sock, CHUNKED, chunk(RUNNING * 2000)), "an answer of more than 4,194,304 bytes"),
        (
            lambda sock: endless(sock, b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n", b"x" * 65536),
            "more than",
        ),
        (lambda sock: endless(sock, b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 4000 + b"\r\n"), "a head of more than"),
        (lambda sock: endless(sock, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "a head of more than"),
        (lambda sock: endless(sock, b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"v", 0.1), "within 0.3 s"),
        (lambda sock: sock.sendall(whole(b"", "302 Found", "Location: http://127.0.0.1:9/\r\n")), "302"),
        (lambda sock: sock.sendall(whole(b"oops", "500 Internal Server Error")), "500 oops"),
        (lambda sock: sock.sendall(whole(b"<html>Sign in</html>" * 99)), "none of the metrics that we know"),
        (lambda sock: sock.sendall(whole(RUNNING.decode().encode("utf-16"))), "none of the metrics that we know"),
        (lambda sock: sock.sendall(b"\x16\x03\x01\x00"), "."),
        (lambda sock: None, "."),
    ],
    ids=["endless", "100 MB", "header", "continue", "slow", "redirect", "500", "HTML", "UTF-16", "no HTTP", "closed"],
)
def test_an_endpoint_that_does_its_worst_is_a_reason_and_then_answers(
    monkeypatch: pytest.MonkeyPatch, script: Any, why: str
) -> None:
    monkeypatch.setattr(scraper, "PATIENCE_S", 0.3 if "0.3 s" in why else 60.0)

    def worst(sock: Any) -> None:
        request(sock)
        script(sock)

    def well(sock: Any) -> None:
        while request(sock):
            sock.sendall(whole(RUNNING))

    with serving(worst, well) as port:
        (where,) = scrape_urls(f"http://127.0.0.1:{port}")
        one = Scraper(where, settings(parsed("--host", "http://127.0.0.1:9")), None)
        with pytest.raises(NoReading, match=why):
            one.look()
        monkeypatch.setattr(one._client, "_total_s", 60.0)
        assert one.look()[0].value == 2
        one.close()


def endless(sock: Any, first: bytes, then: bytes, pause_s: float = 0.0) -> None:
    """Say that, and then the other without an end."""
    sock.sendall(first)
    while True:
        sock.sendall(then)
        gevent.sleep(pause_s)


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
        one = Scraper(where, checked, None)
        assert {found.metric for found in one.look()} > {"llamacpp:requests_deferred"}
        one.close()
    assert asked[0].startswith(b"GET /metrics?x=1 HTTP/1.1\r\n")
    assert (b"planted-key-1" in asked[0]) is at_home


@pytest.mark.parametrize("busy", [False, True])
def test_nobody_there_is_a_reason_not_an_error(busy: bool) -> None:
    def handle(sock: object) -> None:
        request(sock)  # type: ignore[arg-type]
        sock.sendall(whole(b"no", "503 Busy"))  # type: ignore[attr-defined]

    with serving(handle) as port:
        (where,) = scrape_urls(f"http://127.0.0.1:{port if busy else 9}")
        one = Scraper(where, settings(parsed("--host", "http://127.0.0.1:9")), None)
        with pytest.raises(NoReading, match="503" if busy else "refused"):
            one.look()
        one.close()
