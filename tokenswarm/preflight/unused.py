"""Options that were given and that nothing in the run makes use of: they are said, not silently ignored."""

from collections.abc import Callable, Sequence
from typing import Any

from tokenswarm.settings import options as ours
from tokenswarm.users.base import LLMUser
from tokenswarm.users.cold_start import OllamaColdStartUser
from tokenswarm.users.embeddings import EmbeddingUser
from tokenswarm.users.lifecycle import OllamaLifecycleUser
from tokenswarm.users.ollama import OllamaGenerateUser

Uses = Callable[[Any, Sequence[Any]], bool]


def _for(*kinds: type) -> Uses:
    return lambda _, classes: any(issubclass(c, kinds) for c in classes)


def _generates(_: Any, classes: Sequence[Any]) -> bool:
    return any(issubclass(c, LLMUser) and not issubclass(c, EmbeddingUser) for c in classes)


# Options, whether they are used (by the run's options and classes), and what they are for.
NEEDS: tuple[tuple[tuple[str, ...], Uses, str], ...] = (
    (("pull", "push"), _for(OllamaLifecycleUser), "OllamaLifecycleUser"),
    (("cold_keep_alive", "warm_requests"), _for(OllamaColdStartUser), "OllamaColdStartUser"),
    (("batch_size",), _for(EmbeddingUser), "OllamaEmbedUser and OpenAIEmbeddingsUser"),
    (("no_context",), _for(OllamaGenerateUser), "OllamaGenerateUser"),
    (("max_tokens", "output_tokens", "think", "no_stream", "expect"), _generates, "classes that generate text"),
    (("history", "history_thinking", "tool_result", "tool_rounds"), _generates, "classes that generate text"),
    (("prefix_pool",), lambda given, _: given.shared_prefix_tokens > 0, "--shared-prefix-tokens"),
    (("slo_abort",), lambda given, _: bool(given.slo), "--slo"),
    (("trial_time",), lambda given, _: given.find_capacity, "--find-capacity"),
    (("pause_after_error",), lambda given, _: not (given.arrivals or given.trace), "a closed loop"),
)


def unused_options(given: Any, classes: Sequence[Any]) -> list[str]:
    """One line each, where an option has another value than its default."""
    return [
        f"--{name.replace('_', '-')} does nothing here: it is for {what}"
        for names, used, what in NEEDS
        for name in names
        if getattr(given, name) != ours.DEFAULTS[name] and not used(given, classes)
    ]
