"""Images of a payload: files, data: URLs and base64 become base64 texts; http(s) URLs stay."""

import base64
import binascii
from functools import lru_cache
from pathlib import Path

from tokenswarm.payloads.wording import quote


def encode(value: object, name: str, folder: Path) -> str:
    """The image as base64, or its http(s) URL, which only OpenAI servers can take.

    A file lies in the payload file's folder or below it, to which its name is relative. Raises ValueError.
    """
    if isinstance(value, dict):  # OpenAI's {"url": …}
        value = value.get("url")
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is {quote(value)}; give a file, a URL or base64 in quotes")
    if value.startswith(("http://", "https://")):
        return value
    if value.startswith("data:"):
        head, comma, value = value.partition(",")
        if not comma or not head.endswith(";base64"):
            raise ValueError(f"{name} is a data: URL without base64; write data:image/png;base64,…")
    elif len(value) < 4096 and (file := _beside(value.removeprefix("file://"), folder)):
        return _read(str(file), file.stat().st_mtime_ns)
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        where = f"{folder}, beside the payload file or below it"
        raise ValueError(f"{name} is {quote(value)}: no such file in {where}, nor base64; name a file") from None
    return value


def _beside(name: str, folder: Path) -> Path | None:
    """The file of that name. A payload file may be anybody's: what it names elsewhere, also by links, is none."""
    try:
        file = (folder / name).resolve()
        return file if file.is_relative_to(folder.resolve()) and file.is_file() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, links in a circle: base64, mostly
        return None


@lru_cache(maxsize=1024)
def _read(path: str, _mtime_ns: int) -> str:
    # Once for all the prompts that show it: they share one text.
    try:
        return base64.b64encode(Path(path).read_bytes()).decode()
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}; name an image file") from None
