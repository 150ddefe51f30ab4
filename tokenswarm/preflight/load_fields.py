"""Fields with which Ollama loads a model: requests that differ in them make it load the model again and again."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenswarm.payloads.prompt import Prompt
from tokenswarm.settings.settings import Settings
from tokenswarm.users import request_fields

LOADING = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")  # another value loads it again


def load_fields(options: Mapping[str, object]) -> dict[str, object]:
    """Those of a request's options that say how its model is to be loaded."""
    return {name: options[name] for name in LOADING if options.get(name) is not None}


def reloads(classes: Sequence[Any], settings: Settings) -> str | None:
    """What makes an Ollama load the model anew during the run, as one line; None if all ask for it alike.

    /v1 cannot send these fields: there the server's defaults hold.
    """
    odd = [prompt for prompt in settings.mix.kinds if load_fields(prompt.options)]  # a large file is not read again
    found: dict[str, str] = {}
    for c in classes:
        for fields in _of_class(c, settings, odd):
            said = ", ".join(f"{name} {value}" for name, value in sorted(fields.items())) or "none of them"
            found.setdefault(said, c.__name__)
    if len(found) < 2:
        return None
    shown = "; ".join(f"{name}: {said}" for said, name in list(found.items())[:4])
    return f"the model is loaded again whenever requests with other load fields come ({shown})"


def _of_class(c: Any, settings: Settings, odd: Sequence[Prompt]) -> list[dict[str, object]]:
    if not c.api.PATH.startswith("/api/"):
        return [{}]
    own = dict(request_fields.ask_of(c, settings).options)
    all_odd = len(odd) == len(settings.mix.kinds)
    return [*([] if all_odd else [load_fields(own)]), *(load_fields({**own, **prompt.options}) for prompt in odd)]
