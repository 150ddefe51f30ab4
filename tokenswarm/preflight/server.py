"""Before any load: is the server there, what is it, has it the model?"""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TypeVar

import gevent

from tokenswarm.payloads.request_fields import LM_CHAT, V1_CHAT
from tokenswarm.preflight.discovery import PATIENCE_S, Discovery, FoundServer, Hanging, summary_of
from tokenswarm.preflight.engine import OLLAMA, OTHER
from tokenswarm.preflight.model_list import is_pattern
from tokenswarm.preflight.replies import NotReady
from tokenswarm.settings.errors import UsageError
from tokenswarm.settings.models import settle, spell
from tokenswarm.settings.settings import Settings
from tokenswarm.settings.target import at
from tokenswarm.transport.control import ControlClient, Unanswered, question
from tokenswarm.transport.target import Target
from tokenswarm.wire.values import Api

Found = TypeVar("Found")
PAUSE_S = 1.0  # between two looks at a server that is not ready
MOST_COMPARED, MOST_CHARACTERS = 2000, 200  # of a list of models, for a hint: comparing takes the square of a name


class Preflight:
    """What was asked before the run, and what is known by it.

    `addresses` are what `--host` can mean (see `settings.target`), the likeliest first: as soon as the server has told
    which of them it is, that is the target of `settings`. `warnings` are what should be said to the user. A server that
    is not ready is waited for until `--wait-ready` has gone by.
    """

    def __init__(self, settings: Settings, addresses: Sequence[Target] = ()) -> None:
        self.settings = settings
        self.addresses = tuple(addresses) or (settings.target,)
        self.warnings: list[str] = []
        self.unlisted: dict[str, str] = {}  # models that the server's list has not, each with a hint
        self.problem: UsageError | None = None  # what kept us from its list: the answer to the warm-up will tell
        self._until_s = time.monotonic() + settings.wait_ready_s
        self._waits = False

    def server(self, wanted: str = "", *, native: bool = False) -> FoundServer:
        """Find out what answers at the target. `wanted` are the models that will be asked for, if the user named any.

        Then the server need not have a list of them; `native` says what it is, if nothing else tells: an Ollama. Raises
        UsageError if nothing is there, or nothing that we speak to.
        """
        return self.patiently(lambda: self._found(wanted, native))

    def patiently(self, ask: Callable[[], Found]) -> Found:
        """What `ask` gives; of a server that is not ready, as soon as it is, or the user waits no longer: NotReady."""
        while True:
            try:
                return ask()
            except NotReady as error:
                left_s = self._left_s
                if left_s <= 0:
                    raise NotReady(self._waited(error)) from None
                if not self._waits:
                    print(f"tokenswarm: waiting {left_s:.0f} s at most: {error}", file=sys.stderr)
                self._waits = True
                gevent.sleep(min(left_s, error.retry_after_s or PAUSE_S))

    @property
    def _left_s(self) -> float:
        return self._until_s - time.monotonic()

    def _waited(self, error: UsageError) -> str:
        waited_s = self.settings.wait_ready_s
        if not isinstance(error, NotReady):
            return str(error)
        return f"{error}; " + (f"waited {waited_s:g} s" if waited_s else "--wait-ready 60s waits for it")

    def take(self, where: Target) -> None:
        """That is the server's address."""
        self.addresses = (where,)
        self.settings = replace(self.settings, target=where)

    def place(self, api: Api, path: str) -> None:
        """One API stands at a path of the user's (`--path`). Raises UsageError."""
        self.take(at(self.addresses[0], api.PATH, path))

    def _found(self, wanted: str, native: bool) -> FoundServer:
        # An address that is a whole endpoint has no list of its own.
        addresses = [one for one in self.addresses if V1_CHAT not in one.moved] or self.addresses
        looks: list[Discovery] = []
        for where in addresses:
            look = Discovery(self.settings, where)
            try:
                server = look.server()
            except Hanging:  # all that we ask; but it may know what the run will ask
                if not wanted:
                    raise
                return self._unlisted([*looks, look], wanted, native)
            if server:
                self.take(where)
                self._note_missing_list(server, look, wanted)
                return server
            looks.append(look)
        return self._unlisted(looks, wanted, native)

    def _note_missing_list(self, server: FoundServer, look: Discovery, wanted: str) -> None:
        if server.listed:
            return
        if not wanted or look.needs_key():
            raise look.problem() or self._nothing([look])
        self.warnings.append(f"{look.where.url} gives no list of its models ({look.summary()}); taking --model for it")

    def _unlisted(self, looks: Sequence[Discovery], wanted: str, native: bool) -> FoundServer:
        problem = next(filter(None, (look.problem() for look in looks)), None)
        if not wanted:
            raise problem or self._nothing(looks)
        if isinstance(problem, NotReady) and self._left_s > 0:
            raise problem
        self.problem = UsageError(self._waited(problem)) if problem else self._nothing(looks)
        why = str(problem) if problem else f"{looks[0].where.url} gives no list of its models ({summary_of(looks)})"
        self.warnings.append(f"{why}; taking --model for it")
        return FoundServer("ollama" if native else "openai", None, (), listed=False, engine=OLLAMA if native else OTHER)

    def _nothing(self, looks: Sequence[Discovery]) -> UsageError:
        return UsageError(
            f"{looks[0].where.url} answers, but is no LLM server that we speak to ({summary_of(looks)}); check --host, "
            "also its path; if it only gives no list of its models, give --model"
        )

    def models(self, server: FoundServer, wanted: str) -> str:
        """The models to load: those asked for (see `settings.models`), else the only one. Raises UsageError."""
        if not wanted:
            return self._only(server)
        return settle(wanted, server.models, lambda name: _there(server, name), lambda name: self._check(server, name))

    def _only(self, server: FoundServer) -> str:
        url, names = self.settings.target.url, [name for name in server.models if not is_pattern(name)]
        if not server.models:
            hint = "pull one first (ollama pull NAME)" if server.kind == "ollama" else "load one first, or give --model"
            raise UsageError(f"{url} has no model; {hint}")
        for choice in (() if server.more else names, server.loaded):
            if len(choice) == 1:
                return spell(choice[0])
        raise UsageError(f"which model? Give --model; {url} has: {_shown(server)}")

    def _check(self, server: FoundServer, wanted: str) -> None:
        """May this model be asked for? Only an Ollama is sure that there is none. Raises UsageError."""
        if not server.listed or _there(server, wanted):
            return
        implied = ":latest" if server.kind == "ollama" else ""
        names = [name.removesuffix(implied) for name in server.models[:MOST_COMPARED] if len(name) <= MOST_CHARACTERS]
        near = get_close_matches(wanted[:MOST_CHARACTERS], names, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        what = f"{self.settings.target.url} has no model {wanted!r}{hint}; it has: {_shown(server) or 'none'}"
        known = self._shows(wanted) if server.kind == "ollama" else None
        if known is False:
            raise UsageError(what)
        if known is None:
            self.unlisted[wanted] = what
            self.warnings.append(f"{what}; asking it for {wanted} all the same")

    def _shows(self, model: str) -> bool | None:
        """Does an Ollama know a model by this name, as it reads names? None if it does not say."""
        client = ControlClient(self.settings, PATIENCE_S)
        try:
            reply = client.send(question("POST", "/api/show", {"model": model}))
        except Unanswered:
            return None
        finally:
            client.close()
        # A proxy that lets only the generating through says that it has no such page.
        unknown = reply.status == 400 or (reply.status == 404 and "model" in reply.describe())
        return True if reply.status == 200 else False if unknown else None


def apis_spoken(server: FoundServer, apis: Sequence[Api]) -> tuple[Api, ...]:
    """Those APIs that the server may speak: Ollama all but LM Studio's own, others that, and what stands under /v1."""
    if server.kind == "ollama":
        return tuple(api for api in apis if api.PATH != LM_CHAT)
    return tuple(api for api in apis if api.PATH.startswith("/v1/") or api.PATH == LM_CHAT)


def _there(server: FoundServer, name: str) -> bool:
    return name in server.models or (server.kind == "ollama" and f"{name}:latest" in server.models)


def _shown(server: FoundServer) -> str:
    return ", ".join(server.models[:20]) + (", …" if len(server.models) > 20 or server.more else "")
