"""The probe's questions to servers in virtual time: as nothing disturbs them, every figure must be exact."""

from typing import Any

import pytest
from options import parsed

from tokenswarm.preflight.discovery import FoundServer
from tokenswarm.probe import questions
from tokenswarm.probe.estimates import ProbeAnswer
from tokenswarm.probe.questions import Limits
from tokenswarm.settings.settings import settings
from tokenswarm.wire.values import Ask, Usage

S, REFUSED_NS = 1_000_000_000, 1_000_000
TEMPLATE = 12  # tokens of each prompt beside its own


class Virtual:
    """In the place of a ProbeClient: a server with so many slots, a place for so many that wait, and these rates."""

    def __init__(
        self, slots: int, waiting: int, decode: float, prefill: float, *, queue: int = 0, load_s: float = 0.0,
        cache: bool = True, tells: bool = True,
    ) -> None:  # fmt: skip
        self.slots, self.waiting, self.queue, self.load_s, self.tells = slots, waiting, queue, load_s, tells
        self.step_ns, self.token_ns, self.cache = S / decode, S / prefill, cache
        self.now_ns, self.loaded, self.cached = 0.0, False, set[tuple[int, int]]()
        self.model, self.load = "m", {"model": "m"}
        self.requests = self.prompt_tokens = self.output_tokens = self.lost = 0

    def may_load(self) -> None: ...

    def close(self) -> None: ...

    def connect(self, number: int) -> None: ...

    def prompt(self, tokens: int = 1) -> tuple[int, int]:
        self.requests += 1
        return self.requests, tokens

    def one(self, prompt: tuple[int, int], max_tokens: int) -> ProbeAnswer:
        return self.generate([prompt], max_tokens)[0]

    def generate(self, prompts: list[tuple[int, int]], max_tokens: int, *, hang_up: bool = False) -> list[ProbeAnswer]:
        """Those beyond the slots and the places to wait are refused at once; each slot takes the next when it ends."""
        cold, self.loaded = not self.loaded, True
        ready_ns = self.now_ns + (self.load_s * S if cold else 0)
        free = [ready_ns] * self.slots
        answers = []
        for at, prompt in enumerate(prompts):
            if at >= self.slots + self.waiting:
                answers.append(self.refusal())
                continue
            tokens = prompt[1] + TEMPLATE
            new = 1 if self.cache and prompt in self.cached else tokens
            self.cached.add(prompt)
            begun_ns = min(free)
            first_ns = begun_ns + new * self.token_ns
            last_ns = first_ns + (max_tokens - 1) * self.step_ns
            free[free.index(begun_ns)] = last_ns
            usage = Usage(tokens, max_tokens)
            if self.tells:
                told = {"load_ns": round(ready_ns - self.now_ns), "prompt_eval_ns": round(first_ns - begun_ns)}
                usage = usage._replace(eval_ns=round(last_ns - first_ns), **told)
            end = ("cancelled" if hang_up else "ok", "", "length")
            times = (round(self.now_ns), round(last_ns), round(first_ns), round(last_ns))
            answers.append(ProbeAnswer(*times, 200, *end, max_tokens, usage))
        self.now_ns = max(free)
        return answers

    def burst(self, calls: list[Any], *, hang_up: bool = False, prompted: bool = True) -> list[ProbeAnswer]:
        """Requests that only load: one's load it is, and so many others may wait for it."""
        loaded_ns = round(self.now_ns + self.load_s * S)
        self.loaded, taken = True, self.queue + 1
        loaded = ProbeAnswer(round(self.now_ns), loaded_ns)
        return [loaded if at < taken else self.refusal() for at in range(len(calls))]

    def refusal(self) -> ProbeAnswer:
        """A millisecond after it was sent."""
        return ProbeAnswer(round(self.now_ns), round(self.now_ns + REFUSED_NS), status=503, outcome="http_error")

    def ask_plain(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        if path == "/api/generate":
            self.loaded = False
        listed = [{"name": "m", "context_length": 4096}] if path == "/api/ps" and self.loaded else []
        return {"models": listed}


def probed(server: Virtual, kind: str, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(questions, "ProbeClient", lambda *_: server)
    found = questions.probe(settings(parsed("--host", "http://x")), FoundServer(kind, "1", ("m",)), Ask("m"), limits)
    return {name: figure["value"] for name, figure in found["figures"].items()}


def test_all_of_an_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Virtual(3, 37, 200, 2000, queue=5, load_s=0.4)
    assert probed(server, "ollama", Limits(intrusive=True, max_burst=64), monkeypatch) == {
        "slots": 3,
        "waiting_limit": 37,
        "load_queue_limit": 5,
        "decode_tokens_per_s": 200,
        "prefill_tokens_per_s": 2000,
        "prompt_cache": True,
        "context_tokens": 4096,
        "warm_load_ms": 0,
        "cold_load_ms": 400,
    }


@pytest.mark.parametrize(("slots", "waiting"), [(1, 4), (2, 1), (5, 0), (16, 100)])
@pytest.mark.parametrize("tells", [True, False])
def test_a_server_that_lets_few_wait_and_caches_nothing(
    slots: int, waiting: int, tells: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Virtual(slots, waiting, 300, 4000, cache=False, tells=tells)
    found = probed(server, "openai", Limits(intrusive=True, max_burst=256), monkeypatch)
    assert (found["slots"], found["waiting_limit"], found["prompt_cache"]) == (slots, waiting, False)
    assert found["decode_tokens_per_s"] == pytest.approx(300, rel=1e-6)
    assert found["prefill_tokens_per_s"] == pytest.approx(4000, rel=1e-6)
    assert (found["load_queue_limit"], found["cold_load_ms"], found["context_tokens"]) == (None, None, None)


def test_without_leave_nothing_is_unloaded_and_no_limit_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Virtual(4, 100, 300, 20_000, load_s=0.3)
    found = probed(server, "ollama", Limits(max_parallel=4), monkeypatch)
    assert (found["slots"], found["waiting_limit"], found["load_queue_limit"]) == (4, None, None)
    assert found["cold_load_ms"] == 300  # the first request's
    assert server.loaded
