"""Does what is asked fit the API it is asked of? Ollama ignores what it does not know, so it is checked before."""

from collections.abc import Iterator, Mapping

from tokenswarm.payloads.field_kinds import KINDS
from tokenswarm.payloads.prompt import Message, Prompt
from tokenswarm.payloads.request_fields import FIELDS, LIMIT, LM_CHAT, OLLAMA, PATHS, PAYLOAD, V1, Field, fields
from tokenswarm.payloads.wording import nearest, quote

_WITH_IMAGES = ("images", "messages", "instructions", "system_prompt")  # an API with one of these takes them

UNCHECKED = (*V1, LM_CHAT)  # with a plus before them: others than Ollama have fields of their own


def misfit(path: str, name: str, value: object, *, ollama: bool, plus: bool = True) -> str:
    """What is wrong with a field for an API, and what to do; empty if nothing is. `ollama`: the server is one.

    Null leaves a field out, but for what is asked. With `plus` a name with a plus before it is not checked: servers of
    OpenAI's API have fields of their own.
    """
    if plus and name.startswith("+") and path in UNCHECKED:
        return ""
    known = fields(path)
    field = known.get(name)
    if field is None:
        unchecked = f"; +{name} is sent as it is" if plus and path in UNCHECKED and not ollama else ""
        return f"{path} takes no option {name}{_elsewhere(name, known)}{unchecked}"
    if value is None and field.by != PAYLOAD:
        return ""  # it is left out
    if field.by:
        return f"{name} is set by {field.by}"
    if ollama and field.on_ollama == "refused":
        instead = "; /api/chat and /api/generate take it" if name in fields(OLLAMA[0]) else ""
        instead = "; give max_tokens" if field.kind == LIMIT else instead
        return f"Ollama's {path} ignores {name}{instead}"
    kind = KINDS[field.kind]
    return "" if kind.fits(value) else f"{name} is {quote(value)}; {kind.right}"


def ignored_names(path: str, names: Mapping[str, object]) -> list[str]:
    """Which of the names Ollama is known to ignore, though the API has them."""
    known = fields(path)
    return [name for name in names if name in known and known[name].on_ollama == "ignored"]


def prompt_misfit(path: str, prompt: Prompt, *, ollama: bool) -> str:
    """What of a prompt does not fit an API, and what to do; empty if all does."""
    return next(filter(None, _prompt_misfits(path, prompt, ollama)), "")


def _prompt_misfits(path: str, prompt: Prompt, ollama: bool) -> Iterator[str]:
    if path not in PATHS:
        return
    known = fields(path)
    for given, place in ((prompt.options, "options"), (prompt.fields, "body")):
        for name, value in given.items():
            yield misfit(path, name, value, ollama=ollama, plus=False) or _right_place(known[name], place)
    if prompt.format is not None and "format" not in known:
        yield f"{path} takes no format"
    if prompt.tools and "tools" not in known:
        yield f"{path} takes no tools; {_takers('tools')} do"
    images = [image for message in _messages(prompt) for image in message.images]
    if images and not ({*_WITH_IMAGES} & known.keys()):
        yield f"{path} takes no images; {_takers(*_WITH_IMAGES)} do"
    if ollama and any(image.startswith(("http://", "https://")) for image in images):
        yield "Ollama fetches no images; put the image itself into the payload, as base64"


def _messages(prompt: Prompt) -> Iterator[Message]:
    yield from prompt.messages
    for turn in prompt.then:
        yield from turn.messages


def _right_place(field: Field, place: str) -> str:
    """Ollama looks for a field in its own place only; /v1 has all of them beside each other."""
    if field.kind == LIMIT:
        return f"{field.name} is in the wrong place; put max_tokens beside options"
    if field.place == place or field.paths[0] not in OLLAMA:
        return ""
    where = "beside options" if place == "options" else "into options"
    return f"{field.name} is in the wrong place; put it {where}"


def _elsewhere(name: str, known: Mapping[str, Field]) -> str:
    """Where else the name is known; else the nearest one that this API knows."""
    takers = _takers(name)
    return f"; {takers} do" if takers else nearest(name, [known_name for known_name, f in known.items() if not f.by])


def _takers(*names: str) -> str:
    return ", ".join(path for path in PATHS if any(path in f.paths for f in FIELDS if f.name in names))
