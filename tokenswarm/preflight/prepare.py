"""All that happens before any load: options checked, the server asked, the User classes chosen."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

from tokenswarm.load import trace
from tokenswarm.metrics.validity.rules import make_finding
from tokenswarm.payloads.corpus import learnt
from tokenswarm.payloads.large import Corpus
from tokenswarm.payloads.mix import Mix
from tokenswarm.payloads.recipe import Scale
from tokenswarm.payloads.request_fields import AGENTS, LM_CHAT, V1_CHAT
from tokenswarm.preflight.discovery import FoundServer
from tokenswarm.preflight.load_fields import reloads
from tokenswarm.preflight.prompt_length import calibrate
from tokenswarm.preflight.server import Preflight, apis_spoken
from tokenswarm.preflight.unused import unused_options
from tokenswarm.preflight.waiting import step
from tokenswarm.preflight.warm_up import Rehearsal, WarmUp
from tokenswarm.settings import fingerprint as likeness
from tokenswarm.settings import open_files
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import models
from tokenswarm.settings.settings import Settings
from tokenswarm.settings.target import readings, unused_proxy
from tokenswarm.users import request_fields as asking
from tokenswarm.users.base import LLMUser
from tokenswarm.wire.values import Api, Ask

Probe = Callable[[Settings, FoundServer, Ask], dict[str, Any]]  # what it finds out for run.json; raises UsageError


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
    mix: Mix | None = None

    def circumstances(self) -> dict[str, Any]:
        """Its part of run.json: the first model's under the plain names, where there are several all of them, too."""
        known: dict[str, Any] = {"target": self.target}
        for name, by_model in (("warmup", self.warm_ups), ("scale", self.scales)):
            told = {model: asdict(one) if one else None for model, one in by_model.items()}
            known[name] = next(iter(told.values()), None)
            known |= {f"{name}s": told} if len(told) > 1 else {}
        return {**known, "probe": self.probe} if self.probe else known


def prepare(
    checked: Settings,
    options: Any,
    classes: Sequence[Any],
    named: Sequence[str],
    *,
    most_users: int,
    check_classes: Callable[[Sequence[Any]], None],
    probe: Probe | None,
) -> Prepared:
    """Ask the server, and fill `host` and `model` in; what the options come to was `checked`. Raises UsageError.

    No load was sent then. `check_classes` raises it, too, for those that were chosen.
    """
    _check_run_dir(options.run_dir)
    open_files.check_users(options, most_users)
    if text := unused_proxy(checked.target, os.environ):
        print(f"tokenswarm: {text}", file=sys.stderr)
    preflight = Preflight(checked, readings(options.host, os.environ))
    with step(f"asking {preflight.settings.target.url}"):
        server = preflight.server(options.model, native=_are_native(classes, named))
        options.model = preflight.models(server, options.model)
    several = tuple(dict.fromkeys(models(options.model)))
    chosen = choose(classes, server, named or at_path(options.path, classes))
    for c in chosen:
        if getattr(c, "least_models", 1) > len(several):
            raise UsageError(f"{c.__name__} wants {c.least_models} models or more to choose from; give --model a,b")
    check_classes(chosen)
    ours = [c for c in chosen if issubclass(c, LLMUser)]
    if options.path:
        preflight.place(the_only_api(ours), options.path)
    findings: list[dict[str, Any]] = []
    ignored = asking.check(ours, checked, ollama=server.kind == "ollama", named=bool(named))
    for what in ignored + unused_options(options, chosen):
        _warn(findings, "ignored options", what, "leave them out, or name other classes")
    if server.kind == "ollama" and (why := reloads(ours, preflight.settings)):
        _warn(findings, "load fields", why, "send the same of them from all classes and prompts, or ask several models")
    for what in trace.remarks(options.trace, options.trace_time_unit) if options.trace else ():
        _warn(findings, "trace", what, "give --trace-time-unit, or a file of exact times, if that is wrong")
    if gone := checked.mix.left_out:
        what = f"{gone:,} of {gone + len(checked.mix.prompts):,} prompts were left out by their length"
        _warn(findings, "payloads", what, "it was estimated by their characters; look at prompt_tokens")
    wanted = probe if options.probe else None
    done = _rehearse(preflight, server, ours, several, findings, probe=wanted, named=bool(named))
    for what in preflight.warnings:
        _warn(findings, "preflight", what, "see whether that is what was meant")
    options.scale = json.dumps({model: astuple(scale) for model, scale in done.scales.items() if scale})
    options.payload_places = json.dumps(learnt(checked.mix.prompts)) if isinstance(checked.mix.prompts, Corpus) else ""
    where = preflight.settings.target
    options.host, options.layout = where.url, where.layout()
    target = {"host": options.host, "model": several[0] if len(several) == 1 else options.model, **asdict(server)}
    target["digests"] = {model: digest for model in several if (digest := server.digest(model))}
    payloads = likeness.prompts_digest(checked.mix.prompts, options.trace, checked.mix.making.system)
    kept = tuple(c for c in chosen if c not in done.left_out)
    return Prepared(kept, target, done.warm_ups, done.scales, tuple(findings), done.probe, payloads, checked.mix)


@dataclass
class Rehearsed:
    """What the requests before the load have shown: how they went, and classes that must not run.

    `warm_ups` are by model; those of a further API by the model and its path.
    """

    warm_ups: dict[str, WarmUp] = field(default_factory=dict)
    scales: dict[str, Scale | None] = field(default_factory=dict)
    probe: dict[str, Any] | None = None
    left_out: list[Any] = field(default_factory=list)


def _rehearse(
    preflight: Preflight,
    server: FoundServer,
    ours: Sequence[Any],
    several: Sequence[str],
    findings: list[dict[str, Any]],
    *,
    probe: Probe | None,
    named: bool,
) -> Rehearsed:
    """Ask every model once, and every API: of an Ollama, which has them all, only one and those that older ones lack.

    A class that nobody named, whose API the server has not, is left out. Raises UsageError.
    """
    done, rehearsal, native, first = Rehearsed(), Rehearsal(preflight), server.kind == "ollama", None
    for c in ours:
        if native and done.warm_ups and c.api.PATH not in AGENTS:
            continue
        asks = [replace(asking.ask_of(c, preflight.settings), model=model) for model in several]
        if probe and native and not done.warm_ups:  # before the warm-up, so that it sees a model that is not loaded yet
            done.probe = _probe(probe, preflight, server, asks[0], findings)
        try:
            for ask in asks[:1] if done.warm_ups else asks:
                with step(f"warming up {ask.model}", "loading" if native and ask.model not in server.loaded else ""):
                    warm_up = _warmed_up(rehearsal, c, ask, findings)
                other = f"{ask.model} {warm_up.endpoint}"
                done.warm_ups[other if ask.model in done.warm_ups else ask.model] = warm_up
                if preflight.settings.mix.makes_text and ask.model not in done.scales:  # each counts in its own way
                    done.scales[ask.model] = _count_tokens(
                        rehearsal, preflight.settings, c, ask, findings, server.engine
                    )
        except UsageError as error:
            if named or native:
                raise
            first = first or error
            done.left_out.append(c)
            _warn(findings, "preflight", f"{c.__name__} is left out: {error}", "name the classes that fit the server")
    if first and len(done.left_out) == len(ours):
        raise first
    if probe and ours and not native:
        asks = [replace(asking.ask_of(ours[0], preflight.settings), model=several[0])]
        done.probe = _probe(probe, preflight, server, asks[0], findings)
    return done


def _warn(findings: list[dict[str, Any]], rule: str, what: str, do: str) -> None:
    findings.append(make_finding(rule, "remark", what, do))
    print(f"tokenswarm: warning: {what}", file=sys.stderr)


def _are_native(classes: Sequence[Any], named: Sequence[str]) -> bool:
    """Were only classes named that ask an Ollama?"""
    wanted = [c for c in classes if c.__name__ in named]
    return bool(wanted) and all(
        c.api.PATH.startswith("/api/") and c.api.PATH != LM_CHAT
        if issubclass(c, LLMUser)
        else getattr(c, "ollama_only", False)
        for c in wanted
    )


def _probe(
    probe: Probe, preflight: Preflight, server: FoundServer, ask: Ask, findings: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """What the probe finds; nothing and a finding, if the server does not answer it: the load may be about that."""
    try:
        with step(f"probing {ask.model}"):
            found = probe(preflight.settings, server, ask)
    except UsageError as error:
        _warn(findings, "probe", str(error), "see whether the server is healthy")
        return None
    print(f"tokenswarm: probed the server in {found['seconds']:.1f} s, by its model {ask.model}", file=sys.stderr)
    return found


def _warmed_up(rehearsal: Rehearsal, user_class: Any, ask: Ask, findings: list[dict[str, Any]]) -> WarmUp:
    """One short request to a model; a finding, if it fails."""
    warm_up = rehearsal.warm_up(user_class.api, ask)
    if warm_up.outcome != "ok":
        what = f"the warm-up request to {ask.model} ended as {warm_up.outcome}: {warm_up.error}"
        _warn(findings, "warm-up", what, "see whether the server is healthy")
    return warm_up


def _count_tokens(
    rehearsal: Rehearsal, checked: Settings, user_class: Any, ask: Ask, findings: list[dict[str, Any]], engine: str
) -> Scale | None:
    """How the server counts made-up text; nothing and a finding, if it does not say."""
    found, problem = calibrate(rehearsal, checked, user_class.api, ask, engine)
    if problem:
        what = (
            f"{ask.model}: made-up prompts are only roughly as long as asked for, a word taken for a token: {problem}"
        )
        _warn(findings, "prompt length", what, "look at prompt_tokens")
    return found


def _check_run_dir(run_dir: str) -> None:
    try:
        Path(run_dir).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--run-dir {run_dir}: {error.strerror}; name a folder that can be made") from None
    if not os.access(run_dir, os.W_OK):
        raise UsageError(f"--run-dir {run_dir} cannot be written to; name another folder")


def at_path(path: str, classes: Sequence[Any]) -> list[str]:
    """The name of the class that asks at `--path`, by its end: what is no known endpoint's takes chats."""
    if not path:
        return []
    end = path.partition("?")[0].rstrip("/")
    usual = [c for c in classes if issubclass(c, LLMUser) and not c.only_named]
    paths = {c.api.PATH for c in usual}
    asking = usual + [c for c in classes if issubclass(c, LLMUser) and c.only_named and c.api.PATH not in paths]
    ends = {c.__name__: c.api.PATH.removeprefix("/v1") for c in asking}
    fitting = sorted((name for name in ends if end.endswith(ends[name])), key=lambda name: -len(ends[name]))
    chats = [c.__name__ for c in asking if c.api.PATH == V1_CHAT]
    return (fitting or chats)[:1]


def the_only_api(classes: Sequence[Any]) -> Api:
    """The one API of these classes. Raises UsageError if they have several: `--path` is one path."""
    apis = {c.api.PATH: c.api for c in classes}
    if len(apis) != 1:
        raise UsageError(f"--path is the path of one API; name one User class, not {len(apis)} APIs'")
    return next(iter(apis.values()))


def choose(classes: Sequence[Any], server: FoundServer, named: Sequence[str]) -> list[Any]:
    """Those classes that the server speaks to. What was named must be spoken to."""
    default = [c for c in classes if not getattr(c, "only_named", False)] or classes
    wanted = [c for c in classes if c.__name__ in named] if named else default
    spoken = apis_spoken(server, [c.api for c in wanted if issubclass(c, LLMUser)])
    foreign = [c for c in wanted if issubclass(c, LLMUser) and c.api not in spoken]
    foreign += [c for c in wanted if getattr(c, "ollama_only", False) and server.kind != "ollama" and c not in foreign]
    if foreign and (named or not spoken):
        names = ", ".join(sorted(c.__name__ for c in foreign))
        if server.kind == "ollama":
            raise UsageError(f"{names}: {LM_CHAT} is LM Studio's own, which an Ollama has not; use OllamaChatUser")
        raise UsageError(
            f"{names}: the server speaks only /v1; use OpenAIChatUser, OpenAICompletionsUser or OpenAIEmbeddingsUser"
        )
    return [c for c in wanted if c not in foreign]
