"""A user's mistake gets one clear line and exit code 2, and no load is sent."""

import socket
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from doors import refused
from gevent.pool import Pool
from locust_process import headless, processes
from scripted import request, serving, whole
from simulator_process import Simulator, running


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--load-ms", "0") as started:
        yield started


def _generations(simulator: Simulator) -> int:
    return sum(
        sum(by_status.values())
        for path, by_status in simulator.stats()["requests"].items()
        if path in ("/api/chat", "/api/generate", "/v1/chat/completions", "/v1/completions")
    )


def _the_one_line(stderr: str) -> str:
    """Our line, or the argument parser's; nothing else but Locust's log may be there, and no traceback."""
    assert "Traceback" not in stderr
    (line,) = (line for line in stderr.splitlines() if " error: " in line)
    return line


MISTAKES = {
    "unknown model": (["--model", "smi"], "has no model 'smi' (did you mean 'sim'?); it has: "),
    "no model among several": ([], "which model? Give --model; "),
    "negative tokens": (["--max-tokens", "-5"], "argument --max-tokens: ▸-5◂ is too small"),
    "endless prompts": (["--prompt-tokens", "999999999999"], "▸999999999999◂ is too large; make it 10,000,000 or less"),
    "huge batches": (["--batch-size", "1..5000"], "argument --batch-size: ▸1..5000◂ is too large; make it 2,048 or"),
    "prefix of what is embedded": (
        ["OllamaEmbedUser", "--model", "sim-embed", "--shared-prefix-tokens", "100"],
        "--shared-prefix-tokens: a prefix is a system message, which /api/embed has not; leave it out",
    ),
    "no number": (["--max-tokens", "many"], "argument --max-tokens: ▸many◂ is no number"),
    "unknown option": (["--max-token", "5", "--modle", "x"], "--modle"),
    "unknown corpus": (["--payloads", "chta"], "chta"),
    "no file": (["--payloads", "nowhere.jsonl"], "nowhere.jsonl"),
    "bad think": (["--think", "perhaps"], "argument --think: invalid choice: 'perhaps'"),
    "bad header": (["--header", "nocolon"], "--header 'nocolon' is no header; write it as"),
    "bad host": (["--host", "ftp://x"], "'ftp' is no scheme for an LLM server; use http:// or https://"),
    "key in host": (["--host", "http://me:secret@127.0.0.1"], "--host 'http://…@127.0.0.1': give only scheme, host"),
    "run folder in a file": (["--run-dir", "README.md/runs"], "--run-dir README.md/runs: Not a directory; name"),
    "bad warm-up": (["--warmup", "soon"], "argument --warmup: ▸soon◂ is no time span; give 20, 20s"),
    "warm-up too long": (["--warmup", "1m", "--run-time", "9s"], "--warmup 1m leaves nothing of --run-time 9s"),
    "options unreadable": (
        ["--options", "temperature"],
        "--options: 'temperature' is no name=value; write temperature=0",
    ),
    "unknown option name": (
        ["OllamaChatUser", "--options", "temprature=0"],
        "--options: /api/chat takes no option temprature; did you mean temperature?",
    ),
    "wrong type": (["--options", "temperature=hot"], '--options: temperature is "hot"; make it a number'),
    "fits some classes": (
        ["--options", "num_ctx=8192"],
        "--options: /v1/chat/completions takes no option num_ctx; /api/chat, /api/generate, /api/embed do; or name "
        "only the classes that it fits: OllamaChatUser OllamaGenerateUser",
    ),
    "fits not this class": (
        ["OpenAIChatUser", "--options", "OpenAIChatUser: keep_alive=1m"],
        "--options OpenAIChatUser: /v1/chat/completions takes no option keep_alive; /api/chat, /api/gen",
    ),
    "class unknown": (["OllamaChatUsr"], "no class ▸OllamaChatUsr◂ in the locustfile; did you mean OllamaChatUser?"),
    "class misspelt": (
        ["--options", "OllamaChatUsr: num_ctx=8192"],
        "--options: no class OllamaChatUsr runs; did you mean OllamaChatUser?",
    ),
    "bad keep-alive": (
        ["OllamaChatUser", "--options", "keep_alive=soon"],
        '--options: keep_alive is "soon"; use a duration',
    ),
    "bad expectation": (["--expect", "regex:("], "argument --expect: regex '(': missing ), unterminated"),
    "no schema": (["--expect", "schema:nowhere.json"], "argument --expect: schema file nowhere.json cannot be read"),
    "arrivals without a unit": (["--arrivals", "poisson 5"], "--arrivals: poisson ▸5◂: is no rate; write it like 5/s"),
    "one of several stages": (["--stages", "1x5s, 2y5s"], "--stages: 1x5s,▸ 2y5s◂: is no stage; write stages as"),
    "one of several SLOs": (["--slo", "e2e_ms max < 9s; ttft p9 < 5"], "--slo: ▸ttft◂ p9 < 5: ttft is no metric"),
    "weight of nobody": (["--weights", "OllamaChtUser=3"], "--weights ▸OllamaChtUser◂=3: no class OllamaChtUser runs"),
    "one of several models": (["--model", "sim:3,smi"], "--model sim:3,▸smi◂: "),
    "bad timeout": (["--request-timeout", "0"], "argument --request-timeout: ▸0◂ is too small"),
}


# One of each way to the line: Locust's parser, ours, the checks before the server is asked, those after.
AS_PROCESSES = ("unknown option", "class unknown", "negative tokens", "bad host", "unknown model", "no file")


def _command(mistake: str, simulator: Simulator, run_dir: Path) -> list[str]:
    options, _ = MISTAKES[mistake]
    model = [] if mistake in ("unknown model", "no model among several") else ["--model", "sim"]
    named = list(takewhile(lambda word: not word.startswith("-"), options))
    given = ["--host", simulator.url, "--run-dir", str(run_dir), "--run-time", "2s", *model]
    return [*named, *given, *options[len(named) :]]


@pytest.fixture(scope="module")
def attempts(simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, CompletedProcess[str]]:
    """Some of them as processes, three at a time; no load may have come of any."""
    parent = tmp_path_factory.mktemp("mistakes")

    def one(mistake: str) -> CompletedProcess[str]:
        return headless(simulator.url, parent, *_command(mistake, simulator, parent))

    done = dict(zip(AS_PROCESSES, Pool(3).map(one, AS_PROCESSES), strict=True))
    assert _generations(simulator) == 0
    assert list(parent.iterdir()) == []
    return done


@pytest.mark.parametrize("mistake", AS_PROCESSES)
def test_one_clear_line(mistake: str, attempts: dict[str, CompletedProcess[str]]) -> None:
    done = attempts[mistake]
    assert MISTAKES[mistake][1] in _the_one_line(done.stderr), done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("mistake", [one for one in MISTAKES if one not in ("unknown option", "class unknown")])
def test_a_mistake_is_told_before_any_load(mistake: str, simulator: Simulator, tmp_path: Path) -> None:
    assert MISTAKES[mistake][1] in refused(*_command(mistake, simulator, tmp_path))
    assert _generations(simulator) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"prompt": "a"}\n{"promt": "b"}\n', ":2: "),
        ('{"prompt": "a"}\n\n{"prompt": "b", "max_tokens": -1}\n', ":3: "),
        ("not json\n", ":1: "),
        ("", "no prompts"),
    ],
)
def test_a_payload_file_is_named_with_its_line(content: str, words: str, simulator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(content)
    before = _generations(simulator)
    given = ("--host", simulator.url, "--run-dir", str(tmp_path / "runs"), "--model", "sim", "--payloads", str(path))
    line = refused(*given)
    assert f"{path}{words}" in line or words in line
    assert _generations(simulator) == before


def test_with_processes_too(simulator: Simulator, tmp_path: Path) -> None:
    done = headless(simulator.url, tmp_path, "--model", "nope", *processes(2), "--run-time", "2s")
    assert "has no model 'nope'" in _the_one_line(done.stderr)
    assert done.returncode == 2


def test_no_server(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = headless("", tmp_path, "--run-time", "2s", OLLAMA_HOST=f"127.0.0.1:{port}")
    assert f"no server answers at http://127.0.0.1:{port} (Connection refused)" in _the_one_line(done.stderr)
    assert done.returncode == 2


def test_a_server_that_is_no_llm_server(tmp_path: Path) -> None:
    def script(sock: socket.socket) -> None:
        while request(sock):
            sock.sendall(whole(b"<html>hello</html>", "404 Not Found"))

    with serving(script) as port:
        line = refused("--host", f"http://127.0.0.1:{port}/blog", "--run-dir", str(tmp_path), "--run-time", "2s")
    assert (
        "is no LLM server that we speak to (GET /blog/api/version: 404, GET /blog/api/tags: 404, GET /blog/v1" in line
    )
    assert "GET /blog/models: 404); check --host, also its path; if it only gives no list of its models, give" in line


def test_an_api_key_is_asked_for_and_taken_from_the_environment_and_kept_nowhere(tmp_path: Path) -> None:
    key = "sk-very-secret-1234"
    load = ("--model", "sim:latest", "--run-time", "2s", "--users", "1")
    with running("--openai-only", "--api-key", key) as guarded:
        ways: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
            "without": ((), {}),
            "wrong": ((), {"OPENAI_API_KEY": "sk-other"}),
            "right": ((), {"OPENAI_API_KEY": key}),
            "as option": (("--api-key", key), {}),
        }
        without, wrong, right, as_option = Pool(4).map(
            lambda way: headless(guarded.url, tmp_path / way, *load, *ways[way][0], **ways[way][1]), ways
        )
    for done in (without, wrong):
        line = _the_one_line(done.stderr)
        assert "API key" in line
        assert "OPENAI_API_KEY or --api-key" in line
        assert done.returncode == 2
    for done in (right, as_option):
        assert done.returncode == 0, done.stderr
        assert key not in done.stdout + done.stderr
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes(), path


def test_ollama_users_on_a_server_that_speaks_only_openai(tmp_path: Path) -> None:
    with running("--openai-only") as simulator:
        named = headless(simulator.url, tmp_path / "a", "OllamaChatUser", "--model", "sim:latest", "--run-time", "2s")
        chosen = headless(
            simulator.url, tmp_path / "b", "--model", "sim:latest", "--run-time", "2s", "--users", "4", "--no-report"
        )
    assert "OllamaChatUser: the server speaks only /v1; use OpenAIChatUser" in _the_one_line(named.stderr)
    assert named.returncode == 2
    assert chosen.returncode == 0, chosen.stderr
    (run,) = (tmp_path / "b").iterdir()
    assert "/api/chat" not in (run / "requests.csv").read_text()
    assert "/v1/completions" in (run / "requests.csv").read_text()
