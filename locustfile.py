"""The switchboard that Locust loads: user classes, options, listeners.

A locustfile of one's own may begin with `from locustfile import *` and add User classes, or listen to
`events.generation`, which is fired once per request with `record=` (metrics.record.Record).
"""

import gc
import sys
from typing import Any

gc.disable()  # what is imported stays: it need not be walked through, again and again, while more is imported

from locust import events
from locust.event import EventHook

from tokenswarm.features import FEATURES
from tokenswarm.run import library, outlets
from tokenswarm.run import worker_token as trust
from tokenswarm.run.cluster import Cluster
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.settings import options
from tokenswarm.settings.errors import UsageError
from tokenswarm.users.anthropic import AnthropicMessagesUser
from tokenswarm.users.cold_start import OllamaColdStartUser, OllamaSwapUser
from tokenswarm.users.lifecycle import OllamaLifecycleUser
from tokenswarm.users.lm_studio import LMStudioChatUser
from tokenswarm.users.ollama import OllamaChatUser, OllamaEmbedUser, OllamaGenerateUser
from tokenswarm.users.openai import OpenAIChatUser, OpenAICompletionsUser, OpenAIEmbeddingsUser, OpenAIResponsesUser

__all__ = [
    "AnthropicMessagesUser",
    "LMStudioChatUser",
    "OllamaChatUser",
    "OllamaColdStartUser",
    "OllamaEmbedUser",
    "OllamaGenerateUser",
    "OllamaLifecycleUser",
    "OllamaSwapUser",
    "OpenAIChatUser",
    "OpenAICompletionsUser",
    "OpenAIEmbeddingsUser",
    "OpenAIResponsesUser",
]

gc.freeze()
gc.enable()

events.generation = EventHook()
events.init_command_line_parser.add_listener(outlets.install)
events.init_command_line_parser.add_listener(options.add)
events.init_command_line_parser.add_listener(trust.listen)


@events.init.add_listener
def on_init(environment: Any, web_ui: Any = None, **_: Any) -> None:
    """Before anything runs: connect, and check all there is; a user's mistake is one line and exit code 2."""
    library.fill(environment)
    cluster = Cluster(environment)
    lifecycle = RunLifecycle(environment, cluster, FEATURES)
    lifecycle.listen()
    if cluster.is_worker:
        if cluster.joins_late:
            # It joins a run that goes on: the order to spawn came with the master's welcome, before this event.
            environment.events.test_start.fire(environment=environment)
        return
    try:
        trust.check(cluster, environment.parsed_options)
        if web_ui or environment.parsed_options.metrics_port:
            _open_doors(web_ui, lifecycle)
        if not web_ui or environment.parsed_options.autostart:
            lifecycle.preparation.prepare()  # else the form may still change everything; it is checked when it is sent
    except UsageError as error:
        print(f"tokenswarm: error: {error}", file=sys.stderr)
        lifecycle.end_processes()
        sys.exit(2)


def _open_doors(web_ui: Any, lifecycle: RunLifecycle) -> None:
    from tokenswarm.web import ui as webui  # with libraries that no other process needs
    from tokenswarm.web.exporter import Exporter

    exporter = Exporter(lifecycle)
    if web_ui:
        webui.attach(web_ui, lifecycle, exporter)
    if lifecycle.options.metrics_port:
        exporter.serve(lifecycle.options.metrics_port)
