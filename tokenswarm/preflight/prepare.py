"""All that happens before any load: options checked, the server asked, the User classes chosen."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path
from typing import Any

from tokenswarm.capacity import options as searching
from tokenswarm.metrics.validity.rules import finding
from tokenswarm.payloads.recipe import Scale
from tokenswarm.preflight.prompt_length import calibrate
from tokenswarm.preflight.server import Preflight, Server, WarmUp, apis_spoken
from tokenswarm.preflight.unused import unused_options
from tokenswarm.probe.questions import probe
from tokenswarm.run import open_loop, stages
from tokenswarm.run.slo_gate import slos
from tokenswarm.settings import fingerprint as likeness
from tokenswarm.settings import weights
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import models
from tokenswarm.settings.settings import Settings, settings
from tokenswarm.users import request_fields as asking
from tokenswarm.users.base import LLMUser
from tokenswarm.wire.values import Ask


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run begins with: the classes that will run, what was learnt of the server, and what is odd already.

    `warm_ups` and `scales` are by model.
    """

    classes: tuple[Any, ...]
    target: dict[str, Any]
    warm_ups: Mapping[str, WarmUp]
    scales: Mapping[str, Scale | None]
    findings: tuple[dict[str, Any], ...] = ()
    probe: dict[str, Any] | None = None
    payloads: str = ""  # their digest

    def circumstances(self) -> dict[str, Any]:
        """Its part of run.json: the first model's under the plain names, where there are several all of them, too."""
        known: dict[str, Any] = {"target": self.target}
        for name, by_model in (("warmup", self.warm_ups), ("scale", self.scales)):
            told = {model: asdict(one) if one else None for model, one in by_model.items()}
            known[name] = next(iter(told.values()), None)
            known |= {f"{name}s": told} if len(told) > 1 else {}
        return {**known, "probe": self.probe} if self.probe else known


def offline(options: Any) -> Settings:
    """What can be checked without the server. Raises UsageError."""
    slos(options.slo)
    searching.check(options)
    open_loop.check(options)
    stages.check(options)
    weights.check(options)
    return settings(options)


def prepare(options: Any, classes: Sequence[Any], named: Sequence[str]) -> Prepared:
    """Check the options and ask the server; `host` and `model` are filled in. Raises UsageError; no load was sent."""
    checked = offline(options)
    _check_run_dir(options.run_dir)
    preflight = Preflight(checked, options.ca_cert, options.insecure)
    server = preflight.server()
    options.model = preflight.models(server, options.model)
    several = tuple(dict.fromkeys(models(options.model)))
    options.host, options.layout = checked.target.url, checked.target.told()
    chosen = choose(classes, server, named)
    for c in chosen:
        if getattr(c, "least_models", 1) > len(several):
            raise UsageError(f"{c.__name__} wants {c.least_models} models or more to choose from; give --model a,b")
    open_loop.check_classes(options, chosen)
    weights.check_classes(options.weights, chosen)
    ours = [c for c in chosen if issubclass(c, LLMUser)]
    findings = []
    ignored = asking.check(ours, checked, ollama=server.kind == "ollama", named=bool(named))
    for what in ignored + unused_options(options, chosen):
        findings.append(finding("ignored options", "remark", what, "leave them out, or name other classes"))
        print(f"tokenswarm: warning: {what}", file=sys.stderr)
    probed, warm_ups, scales = None, {}, {}
    if ours:
        asks = [replace(asking.ask_of(ours[0], checked), model=model) for model in several]
        if options.probe:  # before the warm-up, so that it sees a model that is not loaded yet
            probed = _probe(checked, server, asks[0], findings)
        for ask in asks:
            warm_ups[ask.model] = _warmed_up(preflight, ours[0], ask, findings)
            if checked.mix.makes_text:  # each counts tokens in its own way
                scales[ask.model] = _count_tokens(preflight, checked, ours[0], ask, findings)
        options.scale = json.dumps({model: astuple(scale) for model, scale in scales.items() if scale})
    model = several[0] if len(several) == 1 else options.model
    target = {"host": options.host, "model": model, **asdict(server)}
    payloads = likeness.prompts_digest(checked.mix.prompts, options.trace)
    return Prepared(tuple(chosen), target, warm_ups, scales, tuple(findings), probed, payloads)


def _probe(checked: Settings, server: Server, ask: Ask, findings: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the probe finds; nothing and a finding, if the server does not answer it: the load may be about that."""
    try:
        found = probe(checked, server, ask.model, ask.options)
    except UsageError as error:
        findings.append(finding("probe", "remark", str(error), "see whether the server is healthy"))
        print(f"tokenswarm: warning: {error}", file=sys.stderr)
        return None
    print(f"tokenswarm: probed the server in {found['seconds']:.1f} s, by its model {ask.model}", file=sys.stderr)
    return found


def _warmed_up(preflight: Preflight, user_class: Any, ask: Ask, findings: list[dict[str, Any]]) -> WarmUp:
    """One short request to a model; a finding, if it fails."""
    warm_up = preflight.warm_up(user_class.api, ask)
    if warm_up.outcome != "ok":
        what = f"the warm-up request to {ask.model} ended as {warm_up.outcome}: {warm_up.error}"
        findings.append(finding("warm-up", "remark", what, "see whether the server is healthy"))
        print(f"tokenswarm: warning: {what}", file=sys.stderr)
    return warm_up


def _count_tokens(
    preflight: Preflight, checked: Settings, user_class: Any, ask: Ask, findings: list[dict[str, Any]]
) -> Scale | None:
    """How the server counts made-up text; nothing and a finding, if it does not say."""
    found, problem = calibrate(preflight, checked, user_class.api, ask)
    if problem:
        what = (
            f"{ask.model}: made-up prompts are only roughly as long as asked for, a word taken for a token: {problem}"
        )
        findings.append(finding("prompt length", "remark", what, "look at prompt_tokens"))
        print(f"tokenswarm: warning: {what}", file=sys.stderr)
    return found


def _check_run_dir(run_dir: str) -> None:
    try:
        Path(run_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--run-dir {run_dir}: {error.strerror}; name a folder that can be made") from None
    if not os.access(run_dir, os.W_OK):
        raise UsageError(f"--run-dir {run_dir} cannot be written to; name another folder")


def choose(classes: Sequence[Any], server: Server, named: Sequence[str]) -> list[Any]:
    """Those classes that the server speaks to. What was named must be spoken to."""
    default = [c for c in classes if not getattr(c, "only_named", False)] or classes
    wanted = [c for c in classes if c.__name__ in named] if named else default
    spoken = apis_spoken(server, [c.api for c in wanted if issubclass(c, LLMUser)])
    foreign = [c for c in wanted if issubclass(c, LLMUser) and c.api not in spoken]
    foreign += [c for c in wanted if getattr(c, "ollama_only", False) and server.kind != "ollama" and c not in foreign]
    if foreign and (named or not spoken):
        names = ", ".join(sorted(c.__name__ for c in foreign))
        raise UsageError(
            f"{names}: the server speaks only /v1; use OpenAIChatUser, OpenAICompletionsUser or OpenAIEmbeddingsUser"
        )
    return [c for c in wanted if c not in foreign]
