"""What answers at an address: an Ollama, a server of OpenAI's API, or neither; a few small questions tell."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tokenswarm.preflight.engine import OLLAMA, OTHER, engine_of
from tokenswarm.preflight.model_list import has_ollamas_marks, ollama_digests, ollama_names, read_list
from tokenswarm.preflight.replies import BUSY, KEY, PROXY, NotReady, login_error, not_ready_error, redirect_error
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.redaction import clean_line
from tokenswarm.settings.settings import Settings, trust_any_certificate
from tokenswarm.transport.control import ControlClient, ControlReply, Unanswered, question, text_in
from tokenswarm.transport.target import V1, Target
from tokenswarm.wire.decoding import decode

VERSION, TAGS, LOADED, MODELS, ROOT = "/api/version", "/api/tags", "/api/ps", "/v1/models", "/"
PATIENCE_S, SNIFF_S = 30.0, 3.0
NO_CONNECTION = "no connection"  # as the transport says it
RUNS_OLLAMA = b"Ollama is running"
_NOISE = re.compile(r"^no connection: |\[Errno -?\d+\] |\(_ssl\.c:\d+\)")


class Hanging(NotReady):
    """It is there, but answers none of our questions in time."""


@dataclass(frozen=True, slots=True)
class FoundServer:
    """What was found: `kind` is `ollama` (speaks both APIs) or `openai`; `loaded` are models in memory, Ollama only.

    `listed`: the server gave a list of its models; `more`: there are others beside those that it named. `digests` are
    by name, Ollama only. `engine` is its name as far as it can be told (see `preflight.engine`).
    """

    kind: str
    version: str | None
    models: tuple[str, ...]
    loaded: tuple[str, ...] = ()
    listed: bool = True
    more: bool = False
    digests: Mapping[str, str] = field(default_factory=dict)
    engine: str = OTHER

    def digest(self, model: str) -> str | None:
        """Of a model as it is asked for."""
        return self.digests.get(model) or self.digests.get(f"{model}:latest")


class Discovery:
    """The questions to one address, and what came of them."""

    def __init__(self, settings: Settings, where: Target) -> None:
        self.where, self._settings = where, settings
        self._client = ControlClient(replace(settings, target=where), PATIENCE_S)
        self.replies: dict[str, ControlReply] = {}  # by path
        self.failures: dict[str, Unanswered] = {}

    def server(self) -> FoundServer | None:
        """What answers here, if it is one that we know. Raises UsageError, or NotReady, if nothing answers at all."""
        try:
            return self._ollama() or self._openai()
        finally:
            self._client.close()

    def problem(self) -> UsageError | None:
        """What stands between us and the answer, if anything of what was said tells."""
        for path, reply in self._by_importance():
            if reply.status in (*KEY, PROXY):
                return login_error(self.where, reply.describe(), reply.status, has_key=bool(self._settings.headers))
            if reply.status in BUSY:
                return not_ready_error(self.where, reply.describe(), reply.retry_after_s)
            if 300 <= reply.status < 400:
                return redirect_error(self.where, path, reply.status, reply.headers.get("location", ""))
        return None

    def summary(self) -> str:
        """Each question with the status that came."""
        said = [f"GET {self.where.path(path)}: {reply.status}" for path, reply in self.replies.items() if path != ROOT]
        return ", ".join(said + [f"GET {self.where.path(path)}: {error}" for path, error in self.failures.items()])

    def needs_key(self) -> bool:
        """Was a login asked for, and none given?"""
        return not self._settings.headers and any(reply.status == 401 for _, reply in self._by_importance())

    def _by_importance(self) -> Iterator[tuple[str, ControlReply]]:
        has_version = (found := self.replies.get(VERSION)) is not None and found.status == 200
        for path in (MODELS, TAGS, VERSION):
            if path in self.replies and (path != TAGS or has_version or MODELS not in self.replies):
                yield path, self.replies[path]

    def _ollama(self) -> FoundServer | None:
        if V1 in self.where.moved:
            return None
        said = self._json(VERSION)
        if VERSION in self.failures and self.failures[VERSION].reason == "timeout":
            return None  # some let a question hang that they do not know; more of them would take as long
        has_version = isinstance(said, dict) and "version" in said
        tags = self._json(TAGS)
        names = ollama_names(tags)
        if not has_version and names is None:
            return None
        if has_version and self.needs_key():
            raise self.problem() or login_error(self.where, "", 401, has_key=False)
        # Others have a version, too, and some a list for the sake of Ollama's clients.
        if not (has_version and names is not None) and not (names and has_ollamas_marks(tags)) and not self._says_so():
            return None
        version = text_in(said, "version") if has_version else None
        loaded = ollama_names(self._json(LOADED)) or ()
        digests = {name: clean_line(digest) for name, digest in ollama_digests(tags).items()}
        version, listed = version and clean_line(version), names is not None
        return FoundServer("ollama", version, names or (), loaded, listed=listed, digests=digests, engine=OLLAMA)

    def _says_so(self) -> bool:
        self._get(ROOT)
        found = self.replies.get(ROOT)
        return found is not None and found.body.strip().startswith(RUNS_OLLAMA)

    def _openai(self) -> FoundServer | None:
        said = self._json(MODELS)
        found = read_list(said)
        if not self.replies and self.failures[MODELS].reason == "timeout":
            raise Hanging(str(self._gone(self.failures[MODELS])))
        if found is None:
            return None
        headers = self.replies[MODELS].headers
        software, engine = headers.get("server"), engine_of(said, headers)
        return FoundServer("openai", software and clean_line(software), found.names, more=found.more, engine=engine)

    def _json(self, path: str) -> Any:
        """What a path says in a 2xx, None if that is no JSON."""
        self._get(path)
        reply = self.replies.get(path)
        if reply is None or not 200 <= reply.status < 300:
            return None
        try:
            return decode(reply.body)
        except ValueError:
            return None

    def _get(self, path: str) -> None:
        first = not self.replies and not self.failures
        try:
            self.replies[path] = reply = self._sent(path)
        except Unanswered as error:
            self.failures[path] = error
            if first and "certificate" not in str(error):
                self._check_scheme()
            if error.reason in ("refused", "tls") or str(error).startswith(NO_CONNECTION):
                raise self._gone(error) from None
        else:
            if first and reply.status in (400, 426, 497):
                self._check_scheme()

    def _sent(self, path: str) -> ControlReply:
        """What a path answers; one connection that breaks says nothing of a server. Raises Unanswered."""
        try:
            return self._client.send(question("GET", path))
        except Unanswered as error:
            if error.reason != "closed":
                raise
            return self._client.send(question("GET", path))

    def _gone(self, error: Unanswered) -> UsageError:
        url, text = self.where.url, _NOISE.sub("", str(error)).strip()
        if error.reason == "tls":
            return UsageError(f"{url}: TLS failed ({text}); see --ca-cert and --insecure")
        return NotReady(f"no server answers at {url} ({text}); is it running there? See --host and OLLAMA_HOST")

    def _check_scheme(self) -> None:
        """Raises UsageError if the server speaks the other of http and https."""
        tls = trust_any_certificate() if self.where.scheme == "http" else None
        where = replace(self.where, scheme="https" if tls else "http")
        client = ControlClient(replace(self._settings, target=where, tls=tls), SNIFF_S)
        try:
            reply = client.send(question("GET", ROOT))
            # A TLS port may say in plain words that it is one.
            spoken = tls is not None or not (
                reply.status == 400 or reply.headers.get("location", "").startswith("https:")
            )
        except Unanswered as error:
            spoken = tls is not None and error.reason not in ("refused", "tls", "timeout")
        finally:
            client.close()
        if spoken:
            what = "answers with TLS" if tls else "speaks no TLS"
            raise UsageError(f"{self.where.url} {what}; give --host {where.url}")


def summary_of(looks: Iterable[Discovery]) -> str:
    """All questions with their statuses."""
    return "; ".join(filter(None, (look.summary() for look in looks)))
