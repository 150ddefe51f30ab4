"""Models' names as Ollama reads them: [scheme://][host/][namespace/]model[:tag]."""

import re
from dataclasses import dataclass

REGISTRY = "registry.ollama.ai"
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_NAME = re.compile(
    rf"(?:(?P<scheme>https?)://)?(?:(?P<host>[\w.-]+(?::\d+)?)/(?=[^/]+/))?(?:(?P<space>{_PART})/)?(?P<model>{_PART})"
    rf"(?::(?P<tag>{_PART}))?"
)


@dataclass(frozen=True)
class Name:
    """A model's name in its parts."""

    scheme: str
    host: str
    space: str
    model: str
    tag: str

    def full(self) -> str:
        """As /api/tags shows it: what is usual is left out."""
        if self.host != REGISTRY:
            return f"{self.host}/{self.space}/{self.model}:{self.tag}"
        space = "" if self.space == "library" else f"{self.space}/"
        return f"{space}{self.model}:{self.tag}"

    def url(self) -> str:
        """Where its registry has it."""
        return f"{self.scheme}://{self.host}/v2/{self.space}/{self.model}"


def parse(text: str) -> Name | None:
    """A name's parts; `None` if it is none."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    host = match["host"] or REGISTRY
    return Name(match["scheme"] or "https", host, match["space"] or "library", match["model"], match["tag"] or "latest")


def full_name(name: str) -> str:
    """A name as /api/tags shows it; as it is if it is none."""
    parsed = parse(name)
    return name if parsed is None else parsed.full()
