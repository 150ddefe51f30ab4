"""Users who make an Ollama load models: cold starts one after the other, and models that compete for the memory."""

import time
from contextlib import suppress
from dataclasses import replace

import gevent

from tokenswarm.metrics.record import Record
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.settings.command_line import seconds_in
from tokenswarm.transport.control import Unanswered
from tokenswarm.transport.listing import ModelListing
from tokenswarm.users.base import LLMUser
from tokenswarm.wire import ollama_chat, ollama_generate

LOOK_S, PATIENCE_S, SPARE_S = 0.1, 5.0, 10.0
KEEP_S = 300


class OllamaColdStartUser(LLMUser):
    """Load, first token, unload, again and again: a cold request, `--warm-requests` warm ones, and the model is let go.

    With `--cold-keep-alive` it goes by itself when that has expired; with 0 it is unloaded. With several
    models each round asks for the next of them: the one that has to make room is cold when its turn comes again.
    """

    only_named = ollama_only = True
    api = ollama_chat

    def on_start(self) -> None:
        """Beside the connection of the load, one to ask what is in memory."""
        super().on_start()
        s = self.run_context.settings
        self._listing = ModelListing(s, PATIENCE_S)
        self._keep_alive_s = int(seconds_in(self.environment.parsed_options.cold_keep_alive))
        self._warm_requests = self.environment.parsed_options.warm_requests
        self._round = self._number + self.run_context.worker
        self._next_model()

    def on_stop(self) -> None:
        """Close both connections."""
        self._listing.close()
        super().on_stop()

    def converse(self, prompt: Prompt | None = None, scheduled_ns: int | None = None) -> Record:
        """One round; gives the cold request's Record."""
        keep_s = self._keep_alive_s or KEEP_S
        fields = {**self._ask.fields, "keep_alive": f"{keep_s}s"}
        self._ask = replace(self._ask, model=self.own_model, fields=fields)
        first = self._asked_with_memory(prompt, scheduled_ns)
        for _ in range(self._warm_requests):
            self._asked_with_memory()
        if len(set(self.run_context.settings.models)) == 1:
            self._let_go()
        self._next_model()
        return first

    def _next_model(self) -> None:
        models = self.run_context.settings.models
        self.own_model = models[self._round % len(models)]
        self._round += 1

    def _asked_with_memory(self, prompt: Prompt | None = None, scheduled_ns: int | None = None) -> Record:
        self._memory = self._listing.memory(self._ask.model)
        return self.generate(prompt or self.run_context.pick(self.own_model), scheduled_ns)

    def _let_go(self) -> None:
        """Until /api/ps no longer lists the model, or somebody else seems to keep it."""
        if not self._keep_alive_s:
            unload = Prompt("unload", (Message("user", ""),), fields={"keep_alive": 0})
            with suppress(Unanswered):
                self._listing.ask(ollama_generate.build(unload, replace(self._ask, stream=False)))
        until_s = time.monotonic() + self._keep_alive_s + SPARE_S
        while self._listing.memory(self._ask.model) == "listed" and time.monotonic() < until_s:
            gevent.sleep(LOOK_S)


class OllamaSwapUser(LLMUser):
    """Asks one of the models all the time, the next user the next one: they compete for the memory.

    Where they do not fit together, requests for the loaded model overtake those that wait for the other; or, if none is
    under way just then, every request waits for a load. A model of twice the weight gets twice the users.
    """

    only_named = ollama_only = True
    least_models = 2
    api = ollama_chat

    def on_start(self) -> None:
        """Choose this user's model."""
        super().on_start()
        models = self.run_context.settings.models
        self.own_model = models[(self._number + self.run_context.worker) % len(models)]
