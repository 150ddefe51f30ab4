"""Settings: what the options come to, checked as a whole before any load."""

import contextlib
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenswarm.payloads.conversation import Conduct
from tokenswarm.payloads.distribution import Distribution, parse
from tokenswarm.payloads.expect import Expected, from_option
from tokenswarm.payloads.mix import Mix
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.settings import expectations
from tokenswarm.settings.command_line import seconds_in
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.mixing import mix
from tokenswarm.settings.models import models
from tokenswarm.settings.overrides import read_overrides
from tokenswarm.settings.redaction import learn, learn_header, learn_query
from tokenswarm.settings.target import target
from tokenswarm.transport.connection import Timeouts
from tokenswarm.transport.target import Target
from tokenswarm.wire.values import Ask


@dataclass(frozen=True, slots=True)
class Settings:
    """One run's settings, the same on every worker.

    `overrides` are `--options` by User class, "" for all; `models` has each model as often as its weight; `depths` are
    contexts in tokens, behind which so many `prefill_tokens` come.
    """

    target: Target
    ask: Ask
    overrides: Mapping[str, Mapping[str, object]]
    mix: Mix
    conduct: Conduct
    think_time: Distribution | None
    expect: tuple[Expected, ...]
    timeouts: Timeouts
    max_answer_bytes: int
    headers: tuple[tuple[str, str], ...]
    unique_prompts: bool
    same_prompts: bool
    depths: tuple[int, ...]
    prefill_tokens: int
    keep_text: bool
    new_connection: bool
    pause_after_error_s: float
    warmup_s: float
    wait_ready_s: float
    batch_size: Distribution
    models: tuple[str, ...]
    tls: ssl.SSLContext | None
    run_id: str


def settings(options: Any) -> Settings:
    """Settings out of Locust's parsed options. Raises UsageError."""
    where = target(options.host, os.environ, options.layout)
    learn_query(where.query)
    first_byte_s = min(options.first_byte_timeout, options.request_timeout)
    chosen, several = mix(options), models(options.model) or ("",)
    return Settings(
        target=where,
        ask=Ask(several[0], options.max_tokens, not options.no_stream, _think(options.think)),
        overrides=_overrides(options.options),
        mix=chosen,
        conduct=conduct(options),
        think_time=parse(options.think_time, "s") if options.think_time.strip() else None,
        expect=_expect(options.expect, chosen.kinds),
        timeouts=Timeouts(options.connect_timeout, first_byte_s, options.request_timeout),
        max_answer_bytes=options.max_answer_bytes,
        headers=headers(options),
        unique_prompts=options.unique_prompts or options.same_prompts,
        same_prompts=options.same_prompts,
        depths=tuple(map(int, filter(None, options.depths.split(",")))),
        prefill_tokens=int(options.prompt_tokens) if options.depths else 0,
        keep_text=options.keep_text,
        new_connection=options.new_connection,
        pause_after_error_s=options.pause_after_error,
        warmup_s=_warmup_s(options),
        wait_ready_s=seconds_in(options.wait_ready),
        batch_size=parse(options.batch_size.strip() or "1", least=1),
        models=several,
        tls=tls_context(options) if where.scheme == "https" else None,
        run_id=options.run_id,
    )


def conduct(options: Any) -> Conduct:
    """How conversations are carried on."""
    return Conduct(
        own_answers=options.history == "own",
        thinking=options.history_thinking,
        feed_context=not options.no_context,
        tool_result=options.tool_result or None,
        tool_rounds=options.tool_rounds,
    )


def _overrides(text: str) -> Mapping[str, Mapping[str, object]]:
    try:
        return read_overrides(text)
    except ValueError as error:
        raise UsageError(f"--options: {error}") from None


def _expect(texts: Sequence[str], prompts: Sequence[Prompt]) -> tuple[Expected, ...]:
    try:
        expected = tuple(map(from_option, texts))
    except ValueError as error:  # a worker may lack the schema's file
        raise UsageError(f"--expect: {error}") from None
    expectations.check(prompts, expected)
    return expected


def _warmup_s(options: Any) -> float:
    warmup_s, run_time_s = seconds_in(options.warmup), 0.0
    with contextlib.suppress(ValueError):  # the form's run time, which Locust itself will refuse
        run_time_s = seconds_in(str(options.run_time or 0))
    if 0 < run_time_s <= warmup_s:
        raise UsageError(
            f"--warmup {options.warmup} leaves nothing of --run-time {run_time_s:g}s; shorten it, or run longer"
        )
    return warmup_s


def headers(options: Any) -> tuple[tuple[str, str], ...]:
    """The user's own headers and, with a key, Authorization. Raises UsageError on what is no header."""
    own: list[tuple[str, str]] = []
    for text in options.header:
        name, colon, value = text.partition(":")
        if not colon or not name.strip() or any(c.isspace() for c in name.strip()) or "\n" in text or "\r" in text:
            learn_header(text)  # a key, perhaps, of which the line shows nothing then
            raise UsageError(f'--header {text!r} is no header; write it as "Name: value"')
        own.append((name.strip(), value.strip()))
    key = options.api_key
    learn(key, own)
    if key and any(not 0x20 < ord(c) < 0x7F for c in key):
        raise UsageError("the API key holds a blank or a control character; check --api-key or OPENAI_API_KEY")
    return (("Authorization", f"Bearer {key}"), *own) if key else tuple(own)


def tls_context(options: Any) -> ssl.SSLContext:
    """How to check the server's certificate. Raises UsageError if the CA file cannot be used."""
    if options.insecure:
        return trust_any_certificate()
    try:
        return ssl.create_default_context(cafile=options.ca_cert or None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"--ca-cert {options.ca_cert}: {error}; name a PEM file with the authority's certificate"
        ) from error


def trust_any_certificate() -> ssl.SSLContext:
    """TLS that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _think(text: str) -> bool | str | None:
    return {"": None, "true": True, "false": False}.get(text, text)
