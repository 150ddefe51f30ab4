"""Before any load: is the server there, what is it, has it the model, does it answer? With `requests`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import requests

from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.text import plain
from tokenswarm.payloads.mix import nonce
from tokenswarm.payloads.prompt import Prompt, unique
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import settle
from tokenswarm.settings.redaction import clean_line
from tokenswarm.settings.settings import Settings
from tokenswarm.transport.http1 import AGENT
from tokenswarm.wire import embeddings, reading
from tokenswarm.wire.errors import text as error_text
from tokenswarm.wire.values import Api, Ask, Transcript

WARM_UP_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Server:
    """What was found: `kind` is `ollama` (speaks both APIs) or `openai`; `loaded` are models in memory, Ollama only."""

    kind: str
    version: str | None
    models: tuple[str, ...]
    loaded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How the one request before the load went."""

    endpoint: str
    outcome: str
    error: str = ""
    facts: dict[str, float | int | None] = field(default_factory=dict)


class Preflight:
    """The questions, asked over one session."""

    def __init__(self, settings: Settings, ca_cert: str, insecure: bool) -> None:
        self._settings = settings
        self._session = requests.Session()
        self._session.trust_env = False  # what is asked must go where the load goes, not through a proxy
        self._session.verify = False if insecure else (ca_cert or True)
        self._session.headers.update({"User-Agent": f"{AGENT} (preflight)", **dict(settings.headers)})

    def server(self) -> Server:
        """Find out what answers at the target. Raises UsageError if it is not there, or nothing that we speak to."""
        version = self._get("/api/version")
        if version.status_code == 200 and isinstance(said := _json(version).get("version"), str):
            models = tuple(plain(str(model.get("name"))) for model in _json(self._get("/api/tags")).get("models") or ())
            loaded = tuple(plain(str(model.get("name"))) for model in _json(self._get("/api/ps")).get("models") or ())
            return Server("ollama", clean_line(said), models, loaded)
        listing = self._get("/v1/models")
        if listing.status_code in (401, 403):
            raise UsageError(f"{self._url} wants an API key ({_error_line(listing)}); set OPENAI_API_KEY or --api-key")
        if listing.status_code == 200 and isinstance(data := _json(listing).get("data"), list):
            software = listing.headers.get("Server")
            return Server(
                "openai", software and clean_line(software), tuple(plain(str(model.get("id"))) for model in data)
            )
        raise UsageError(
            f"{self._url} answers, but is no LLM server that we speak to (GET /api/version: {version.status_code}, "
            f"GET /v1/models: {listing.status_code}); check --host, also its path"
        )

    def models(self, server: Server, wanted: str) -> str:
        """The models to load: those asked for if they are there (see `settings.models`), else the only one.

        Raises UsageError.
        """
        if not wanted or not server.models:
            return self._only(server)
        return settle(wanted, server.models, lambda name: _there(server, name), lambda name: self.model(server, name))

    def model(self, server: Server, wanted: str) -> str:
        """One model, if the server has it; without a name the only one. Raises UsageError."""
        if not wanted or not server.models:
            return self._only(server)
        if _there(server, wanted):
            return wanted
        implied = ":latest" if server.kind == "ollama" else ""
        near = get_close_matches(wanted, [name.removesuffix(implied) for name in server.models], n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UsageError(f"{self._url} has no model {wanted!r}{hint}; it has: {_model_names(server)}")

    def _only(self, server: Server) -> str:
        if not server.models:
            hint = "pull one first (ollama pull NAME)" if server.kind == "ollama" else "load one first"
            raise UsageError(f"{self._url} has no model; {hint}")
        for choice in (server.models, server.loaded):
            if len(choice) == 1:
                return choice[0]
        raise UsageError(f"which model? Give --model; {self._url} has: {_model_names(server)}")

    def warm_up(self, api: Api, ask: Ask) -> WarmUp:
        """One short generation, so that a cold load is not measured by accident.

        Raises UsageError if the server calls the request itself wrong (4xx): no load could go well. Any other failure
        is the server's, and what a load test may be about: it is told.
        """
        settings = self._settings
        prompt = unique(settings.mix.pick(0, 0), nonce(settings.mix.seed, 0, 0, "warm-up"))
        limit = None if ask.max_tokens is None else WARM_UP_TOKENS
        return self.ask(replace(prompt, max_tokens=None), api, replace(ask, max_tokens=limit))

    def ask(self, prompt: Prompt, api: Api, ask: Ask) -> WarmUp:
        """One request in one piece, and how it went. Raises UsageError if the server calls it wrong (4xx)."""
        settings = self._settings
        call = api.build(prompt, replace(ask, stream=False))
        timeouts = (settings.timeouts.connect_s, settings.timeouts.total_s)
        try:
            answer = self._session.request(
                call.method,
                self._url + call.path,
                data=call.body,
                headers=dict(call.headers),
                timeout=timeouts,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return WarmUp(api.PATH, "timeout" if isinstance(error, requests.Timeout) else "truncated", _plain(error))
        transcript = Transcript(
            pieces=((0, answer.content),),
            status=answer.status_code,
            content_type=answer.headers.get("Content-Type", ""),
            complete=True,
        )
        texts = len(embeddings.texts(prompt)) if api in reading.EMBEDDING else None
        builder, judged = interpret(api, transcript, stream=False, texts=texts)
        outcome, error_text = judged[0], clean_line(judged[1])
        if answer.status_code in (401, 403):
            raise UsageError(f"{self._url} wants another API key ({error_text}); set OPENAI_API_KEY or --api-key")
        _check_kind(ask.model, api, error_text)
        if 400 <= answer.status_code < 500 and answer.status_code not in (408, 429):
            raise UsageError(f"{self._url}{call.path} refuses what the run would ask: {error_text}")
        facts = {
            "e2e_ms": round(answer.elapsed.total_seconds() * 1e3, 3),
            "load_ms": None if (load_ns := builder.usage.load_ns) is None else load_ns / 1e6,
            "prompt_tokens": builder.usage.prompt_tokens,
            "output_tokens": builder.usage.output_tokens,
        }
        return WarmUp(api.PATH, outcome, error_text, facts)

    @property
    def _url(self) -> str:
        return self._settings.target.url

    def _get(self, path: str) -> requests.Response:
        timeouts = (self._settings.timeouts.connect_s, 30.0)
        try:
            return self._session.get(self._url + path, timeout=timeouts, allow_redirects=False)
        except requests.exceptions.SSLError as error:
            raise UsageError(f"{self._url}: TLS failed ({_plain(error)}); see --ca-cert and --insecure") from None
        except requests.ConnectionError as error:
            raise UsageError(
                f"no server answers at {self._url} ({_plain(error)}); is it running there? See --host and OLLAMA_HOST"
            ) from None
        except requests.RequestException as error:
            raise UsageError(f"{self._url}{path} gives no proper answer ({_plain(error)}); check --host") from None


def apis_spoken(server: Server, apis: Sequence[Api]) -> tuple[Api, ...]:
    """Those APIs that the server speaks: Ollama all of them, others what stands under /v1."""
    return tuple(api for api in apis if server.kind == "ollama" or api.PATH.startswith("/v1/"))


def _there(server: Server, name: str) -> bool:
    return name in server.models or (server.kind == "ollama" and f"{name}:latest" in server.models)


def _model_names(server: Server) -> str:
    return ", ".join(server.models[:20]) + (", …" if len(server.models) > 20 else "")


def _check_kind(model: str, api: Api, error: str) -> None:
    """Models either embed or generate; which of both only their refusals say. Raises UsageError."""
    if api in reading.EMBEDDING and "does not support embeddings" in error:
        raise UsageError(f"{model} does not embed, it generates: name OllamaChatUser, OpenAIChatUser or the like")
    if api not in reading.EMBEDDING and ("does not support generate" in error or "does not support chat" in error):
        raise UsageError(f"{model} only embeds: name OllamaEmbedUser or OpenAIEmbeddingsUser on the command line")


def _json(response: requests.Response) -> dict[str, Any]:
    try:
        decoded = response.json()
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _error_line(response: requests.Response) -> str:
    return f"HTTP {response.status_code} {error_text(response.content)}".strip()[:200]


def _plain(error: BaseException) -> str:
    """The innermost reason, without urllib3's object addresses."""
    reason: Any = error
    while (inner := getattr(reason, "reason", None) or next(iter(getattr(reason, "args", ())), None)) is not None:
        if not isinstance(inner, BaseException):
            break
        reason = inner
    text = getattr(reason, "strerror", None) or str(reason)
    return clean_line(re.sub(r".*(\[Errno -?\d+\]|>:) ", "", text))
