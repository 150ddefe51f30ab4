"""What receiving the streams costs at the least: `floor.c` on the same load (see there)."""

import json
import subprocess
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench import cores
from bench.compiled import compiled
from bench.measure import Asked
from bench.truth import take


@dataclass(frozen=True, slots=True)
class Floor:
    """Of one run of the C client: µs of CPU a token that the server sent, and of it the kernel's; tokens a read."""

    cpu_us: float
    system_us: float
    tokens: int
    tokens_a_read: float


def floor(url: str, asked: Asked) -> Floor | None:
    """Ask a truth server, without TLS, for the streams of a point, half as long as ours; None without a compiler."""
    if (program := compiled("floor")) is None:
        return None
    where = urlsplit(url)
    take(url)
    command = [str(program), str(where.hostname), str(where.port), str(asked.streams), str(asked.tokens)]
    done = subprocess.run(
        [*command, str(asked.stagger_s), str(asked.ramp_s + asked.seconds / 2)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=cores.pinned(cores.split(asked.workers)[1]),
    )
    said, tokens = json.loads(done.stdout), max(1, take(url).tokens)
    return Floor(1e6 * said["cpu_s"] / tokens, 1e6 * said["system_s"] / tokens, tokens, tokens / max(1, said["reads"]))
