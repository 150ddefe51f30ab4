"""The truth server as others use it: `serving` starts it as a process of its own, `take` asks what it did."""

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cores import Cores, pinned
from bench.truth_log import Answered

ROOT = Path(__file__).parent.parent
LISTENS = ": listening on "


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
def listening(module: str, *options: str, cores: Cores = frozenset()) -> Iterator[str]:
    """Run a server on a free port; gives its URL, once it has said it. SystemExit if it does not start."""
    command = [sys.executable, "-m", module, "--port", "0", *options]
    # In a session of its own: a Ctrl-C ends the clients first.
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=pinned(cores)
    ) as process:
        try:
            assert process.stdout is not None
            said = (line.rpartition(LISTENS)[2].strip() for line in process.stdout if LISTENS in line)
            url = next(said, None)
            if url is None:
                sys.exit(f"bench: {module} did not start (exit code {process.wait()})")
            yield url
        finally:
            process.terminate()
            process.communicate()


def serving(*options: str, cores: Cores = frozenset()) -> AbstractContextManager[str]:
    """Run the truth server; gives its URL."""
    return listening("bench.truth_server", *options, cores=cores)


def take(url: str) -> Truth:
    """Ask the server what it did; it forgets it then. Its certificate is not checked."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked)
    )
    with opener.open(f"{url}/truth", timeout=120) as answer:
        said: dict[str, Any] = json.load(answer)
    return Truth(said["server"], [Answered(**row) for row in said["answers"]])
