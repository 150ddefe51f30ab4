"""Loads of a model, Ollama's only: what they take, and how many requests may wait for one."""

import time
from statistics import median

import gevent

from tokenswarm.preflight.discovery import FoundServer
from tokenswarm.probe import estimates
from tokenswarm.probe.client import ProbeClient
from tokenswarm.probe.estimates import ProbeAnswer
from tokenswarm.probe.result import ProbeResult
from tokenswarm.transport.control import objects, question, text_in
from tokenswarm.wire import ollama_generate

LOADED_NS = 250_000_000  # a warm load_duration is some ms, that of another name for a loaded model about 110 ms
TRIES = 3


def warm(singles: list[ProbeAnswer]) -> ProbeResult:
    """What finding a loaded model takes."""
    loads = [seen.usage.load_ns / 1e6 for seen in singles if seen.usage.load_ns is not None]
    if not loads:
        return ProbeResult(None, "ms", "no load_duration was told")
    return ProbeResult(round(median(loads), 3), "ms", "load_duration, model in memory", len(loads))


def as_found(first: ProbeAnswer, model: str, server: FoundServer) -> ProbeResult:
    """What the first request shows: a cold load, if the model was not in memory."""
    load_ns = first.usage.load_ns
    if load_ns is None or load_ns < LOADED_NS or {model, f"{model}:latest"} & set(server.loaded):
        return ProbeResult(None, "ms", "the model was in memory; ask with --intrusive")
    return ProbeResult(round(load_ns / 1e6, 3), "ms", "load_duration of the first request", 1)


def cold(asker: ProbeClient, max_burst: int) -> tuple[ProbeResult, ProbeResult]:
    """The load after an unload; and Ollama's queue before a load, by bursts of requests that only load."""
    if not _unload(asker):
        why = "the model could not be unloaded"
        return ProbeResult(None, "ms", why), ProbeResult(None, "requests", why)
    asker.may_load()
    load_ns = asker.one(asker.prompt(), 1).usage.load_ns
    told = ProbeResult(None, "ms", "no load_duration was told")
    if load_ns is not None:
        told = ProbeResult(round(load_ns / 1e6, 3), "ms", "load_duration after an unload", 1)
    size, tries, least = min(max_burst, 32), 0, 0
    only_load = question("POST", ollama_generate.PATH, {**asker.load, "stream": False})
    while True:
        asker.connect(size)
        _unload(asker)
        burst = asker.burst([only_load] * size, prompted=False)
        refused = sum(seen.refused for seen in burst)
        if refused and (limit := estimates.load_queue_limit(burst)) is not None:
            how = f"{refused} of {size} refused while the model was loaded; one more than the limit is accepted"
            return told, ProbeResult(limit, "requests", how, size)
        if not estimates.before_the_load(burst):
            tries += 1
            if tries == TRIES:
                how = f"the load was over before {size} requests had been decided"
                return told, ProbeResult(least or None, "requests", how, size, at_least=least > 0)
            continue
        least = size - 1
        if size == max_burst:
            how = f"none of {size} refused while the model was loaded"
            return told, ProbeResult(least, "requests", how, size, at_least=True)
        size = min(max_burst, 4 * size)


def _unload(asker: ProbeClient) -> bool:
    """Ask the server to unload the model, and wait until it has; False if it has not after 15 s."""
    asker.ask_plain("POST", ollama_generate.PATH, {"model": asker.model, "keep_alive": 0, "stream": False})
    names = {asker.model, f"{asker.model}:latest"}
    until_s = time.monotonic() + 15
    while time.monotonic() < until_s:
        if not names & {text_in(model, "name") for model in objects(asker.ask_plain("GET", "/api/ps"), "models")}:
            return True
        gevent.sleep(0.05)
    return False
