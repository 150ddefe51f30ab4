"""The bench's few lines of C, compiled when they are needed: `floor.c`, a client, and `burst.c`, the truth's sends."""

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from bench.results import FOLDER

HERE = Path(__file__).parent


@cache
def compiled(name: str, *options: str) -> Path | None:
    """The program or library made of `<name>.c`; None, with a word, where no `cc` is, or it fails."""
    source = (HERE / f"{name}.c").read_bytes()
    made = HERE.parent / FOLDER / "compiled" / f"{name}-{hashlib.sha256(source).hexdigest()[:12]}"
    if made.exists():
        return made
    if (cc := shutil.which("cc")) is None:
        print(f"bench: no C compiler (cc): without {name}.c", file=sys.stderr)
        return None
    made.parent.mkdir(parents=True, exist_ok=True)
    new = made.with_name(f"{made.name}.{os.getpid()}")
    done = subprocess.run(
        [cc, "-O2", *options, "-o", str(new), str(HERE / f"{name}.c")], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"bench: {name}.c cannot be compiled: {done.stderr}", file=sys.stderr)
        return None
    new.rename(made)
    return made


@cache
def burst() -> Any:
    """The function of `burst.c`; None where it cannot be had."""
    library = compiled("burst", "-shared", "-fPIC")
    return library and ctypes.CDLL(str(library)).burst
