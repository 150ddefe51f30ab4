"""`make demo` and `make ui`: a server (the simulator, llama.cpp, or the user's own), a load on it, a report."""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

ROOT = Path(__file__).parent
SERVERS = {
    "simulator": (["-m", "tokenswarm.simulator", "--port", "0"], ["--parallel", "4", "--output-tokens", "32"]),
    "llama": (["-m", "tokenswarm.simulator.llama"], ["--parallel", "4"]),
}
MODELS = {"simulator": "sim", "llama": "gemma3-270m"}


@contextmanager
def server(engine: str, options: list[str] | None = None) -> Iterator[str]:
    """Start it, wait for the line in which it says where it listens, end it afterwards. Gives its URL."""
    command, usual = SERVERS[engine]
    arguments = [sys.executable, *command, *(usual if options is None else options)]
    # In a session of its own: a Ctrl-C is for Locust, which then cuts its requests and writes the report.
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        url = next((m[0] for line in process.stdout if (m := re.search(r"http://127\.0\.0\.1:\d+", line))), None)
        if url is None:
            sys.exit(f"demo: the {engine} did not start (exit code {process.wait()})")
        yield url
    finally:
        process.terminate()
        process.wait()


def models(host: str) -> list[str]:
    """What a server says it has; empty if it does not, which the run itself will then say better."""
    for path, key, name in (("/api/tags", "models", "name"), ("/v1/models", "data", "id")):
        try:
            with urllib.request.urlopen(host.rstrip("/") + path, timeout=10) as answer:
                found = [str(each[name]) for each in json.loads(answer.read(16_000_000))[key]]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if found:
            return found
    return []


def choose_model(host: str) -> str:
    """The model to ask a server of one's own for, where it has several: on a terminal it is asked for."""
    found = models(host)
    if len(found) < 2:
        return ""
    print(f"demo: {host} has {len(found)} models:", *found[:20], *(["…"] if len(found) > 20 else []), sep="\n  ")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        sys.exit(f"demo: which one? make demo HOST={host} MODEL={found[0]}")
    return input(f"demo: which one? [{found[0]}] ").strip() or found[0]


def answer_s(url: str, model: str, tokens: int) -> float:
    """How long one answer takes, s: a model on this CPU may be slow, and its load should last for a few of them."""
    asked = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": tokens})
    request = urllib.request.Request(f"{url}/v1/chat/completions", asked.encode(), {"Content-Type": "application/json"})
    began = time.monotonic()
    with urllib.request.urlopen(request, timeout=300) as answer:
        answer.read()
    return time.monotonic() - began


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    """Run the demo; the exit code is Locust's."""
    parser = argparse.ArgumentParser(prog="demo.py", description=__doc__)
    parser.add_argument("--engine", choices=tuple(SERVERS), default="simulator")
    parser.add_argument("--host", default="", help="a server of your own")
    parser.add_argument("--model", default="", help="the model to ask it for, where it has several")
    parser.add_argument("--ui", action="store_true", help="open Locust's web UI instead of running headless")
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    environment = {**os.environ}
    if arguments.model:
        environment["TOKENSWARM_MODEL"] = arguments.model
    serving = nullcontext(arguments.host) if arguments.host else server(arguments.engine)
    with serving as url, tempfile.TemporaryDirectory() as folder:
        if not arguments.host:
            environment.setdefault("TOKENSWARM_MODEL", MODELS[arguments.engine])
        elif "TOKENSWARM_MODEL" not in environment and not arguments.ui and (model := choose_model(arguments.host)):
            environment["TOKENSWARM_MODEL"] = model
        if arguments.engine == "llama":
            environment.setdefault("TOKENSWARM_MAX_TOKENS", "32")  # a CPU's worth of answers in the time there is
            # Eight users on four slots of one CPU wait for each other: the run lasts until each has had a few answers.
            slowest_s = 8 * answer_s(url, MODELS["llama"], 32)
            arguments.seconds = min(max(arguments.seconds, round(4 * slowest_s)), 300)
        locust = [sys.executable, "-m", "locust", "-f", str(ROOT / "locustfile.py"), "--host", url, "--name", "demo"]
        if arguments.ui:
            port = environment.get("LOCUST_WEB_PORT", "8089")
            print(f"\n  {url} is the server under load. Open http://127.0.0.1:{port} and press Start.\n", flush=True)
            locust += ["--web-host", "127.0.0.1", "--web-port", port, "--users", "8", "--spawn-rate", "4"]
            locust += ["--run-time", "30s"]
        else:
            what = {"llama": "llama.cpp with a real model"}.get(arguments.engine, "the simulator")
            print(f"demo: {arguments.seconds} s of load on {arguments.host or what} at {url}", flush=True)
            locust += ["--headless", "--only-summary", "--users", "8", "--spawn-rate", "4", "--processes", "2"]
            # The workers' port on this machine only, and one that is free: others may run Locust here.
            port = str(free_port())
            locust += ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]
            locust += ["--run-time", f"{arguments.seconds}s", "--loglevel", "WARNING"]
            # Asked for a file, Locust does not print its own long tables below the report.
            locust += ["--json-file", f"{folder}/stats"]
        running = subprocess.Popen(locust, cwd=ROOT, env=environment)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Locust gets it too, and takes its time to end well
        return running.wait()


if __name__ == "__main__":
    sys.exit(main())
