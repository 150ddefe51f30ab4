"""All that happens before any load: options checked, the server asked, the User classes chosen."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from metrics.validity import finding
from payloads.recipe import Scale
from users import asking, likeness, open_loop, searching, stages
from users.base import LLMUser
from users.calibration import calibrate
from users.errors import UsageError
from users.preflight import Preflight, Server, WarmUp, apis_spoken
from users.probing import probe
from users.settings import Settings, models, settings
from users.slos import slos
from wire.values import Ask


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run begins with: the classes that will run, what was learnt of the server, and what is odd already."""

    classes: tuple[Any, ...]
    target: dict[str, Any]
    warm_up: WarmUp | None
    scale: Scale | None = None
    findings: tuple[dict[str, Any], ...] = ()
    probe: dict[str, Any] | None = None
    payloads: str = ""  # their digest

    def circumstances(self) -> dict[str, Any]:
        """Its part of run.json."""
        found = {"warmup": self.warm_up, "scale": self.scale}
        known = {"target": self.target, **{name: asdict(value) if value else None for name, value in found.items()}}
        return {**known, "probe": self.probe} if self.probe else known


def offline(options: Any) -> Settings:
    """What can be checked without the server. Raises UsageError."""
    slos(options.slo)
    searching.check(options)
    open_loop.check(options)
    stages.check(options)
    return settings(options)


def prepare(options: Any, classes: Sequence[Any], named: Sequence[str]) -> Prepared:
    """Check the options and ask the server; `host` and `model` are filled in. Raises UsageError; no load was sent."""
    checked = offline(options)
    _check_run_dir(options.run_dir)
    preflight = Preflight(checked, options.ca_cert, options.insecure)
    server = preflight.server()
    several = models(options.models)
    if several and not options.model:
        options.model = several[0]
    options.model = preflight.model(server, options.model)
    for model in several:
        preflight.model(server, model)
    options.host = checked.target.url
    chosen = choose(classes, server, named)
    for c in chosen:
        if getattr(c, "least_models", 1) > max(1, len(several)):
            raise UsageError(f"{c.__name__} wants {c.least_models} models or more to choose from; give --models a,b")
    open_loop.check_classes(options, chosen)
    ours = [c for c in chosen if issubclass(c, LLMUser)]
    findings = []
    for what in asking.check(ours, checked, ollama=server.kind == "ollama", named=bool(named)):
        findings.append(finding("ignored options", "remark", what, "leave them out, or name other classes"))
        print(f"tokenswarm: warning: {what}", file=sys.stderr)
    warm_up = probed = counted = None
    if ours:
        ask = replace(asking.ask_of(ours[0], checked), model=options.model)
        if options.probe:  # before the warm-up, so that it sees a model that is not loaded yet
            probed = _probed(checked, server, ask, findings)
        warm_up = preflight.warm_up(ours[0].api, ask)
        if checked.mix.makes_text:
            counted = _counted(preflight, checked, ours[0], ask, findings)
            options.scale = f"{counted.template_tokens},{counted.word_tokens}" if counted else ""
    if warm_up and warm_up.outcome != "ok":
        what = f"the warm-up request ended as {warm_up.outcome}: {warm_up.error}"
        findings.append(finding("warm-up", "remark", what, "see whether the server is healthy"))
        print(f"tokenswarm: warning: {what}", file=sys.stderr)
    target = {"host": options.host, "model": options.model, **asdict(server)}
    payloads = likeness.asked(checked.mix.prompts, options.trace)
    return Prepared(tuple(chosen), target, warm_up, counted, tuple(findings), probed, payloads)


def _probed(checked: Settings, server: Server, ask: Ask, findings: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the probe finds; nothing and a finding, if the server does not answer it: the load may be about that."""
    try:
        found = probe(checked, server, ask.model, ask.options)
    except UsageError as error:
        findings.append(finding("probe", "remark", str(error), "see whether the server is healthy"))
        print(f"tokenswarm: warning: {error}", file=sys.stderr)
        return None
    print(f"tokenswarm: probed the server in {found['seconds']:.1f} s", file=sys.stderr)
    return found


def _counted(
    preflight: Preflight, checked: Settings, user_class: Any, ask: Ask, findings: list[dict[str, Any]]
) -> Scale | None:
    """How the server counts made-up text; nothing and a finding, if it does not say."""
    found, problem = calibrate(preflight, checked, user_class.api, ask)
    if problem:
        what = f"made-up prompts are only roughly as long as asked for, a word taken for a token: {problem}"
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
