"""The truth server as others use it: `serving` starts it as a process of its own, `take` asks what it did."""

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cores import Cores, pinned

ROOT = Path(__file__).parent.parent
LISTENS = "truth server: listening on "


@dataclass(frozen=True, slots=True)
class Answered:
    """What the server did for one request: wall-clock ns (see `bench.truth_log`)."""

    number: int
    request_id: str | None
    arrived_ns: int
    before_ns: list[int]
    last_before_ns: int | None
    complete: bool
    peer_port: int = 0


@dataclass(frozen=True, slots=True)
class Truth:
    """What the server did since it was asked last; `facts` are about itself (lateness, duration of sends, CPU)."""

    facts: dict[str, float]
    answers: list[Answered]

    @property
    def tokens(self) -> int:
        """Tokens sent, those of answers that were cut too."""
        return sum(len(answer.before_ns) for answer in self.answers)

    def by_request_id(self) -> dict[str, Answered]:
        """Answers to requests that bore an X-Request-Id."""
        return {answer.request_id: answer for answer in self.answers if answer.request_id}


@contextmanager
def serving(*options: str, cores: Cores = frozenset()) -> Iterator[str]:
    """Run the truth server on a free port with these options; gives its URL. SystemExit if it does not start."""
    command = [sys.executable, "-m", "bench.truth_server", *options]
    # In a session of its own: a Ctrl-C ends the clients first.
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=pinned(cores)
    ) as process:
        try:
            assert process.stdout is not None
            said = (line.removeprefix(LISTENS).strip() for line in process.stdout if line.startswith(LISTENS))
            url = next(said, None)
            if url is None:
                sys.exit(f"bench: the truth server did not start (exit code {process.wait()})")
            yield url
        finally:
            process.terminate()


def take(url: str) -> Truth:
    """Ask the server what it did; it forgets it then. Its certificate is not checked."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked)
    )
    with opener.open(f"{url}/truth", timeout=120) as answer:
        said: dict[str, Any] = json.load(answer)
    rows = said["requests"]
    names = Answered.__dataclass_fields__
    return Truth(said["server"], [Answered(**{name: row[name] for name in names}) for row in rows])
