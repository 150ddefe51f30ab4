"""How many workers a load needs that was too much for those it had, and how many machines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tokenswarm.metrics.validity.evidence import Evidence

# What one worker bears by the published curve (docs/accuracy.md, plain HTTP, one worker): the most that was VALID.
STREAMS, CHUNKS_PER_S = 1000, 50_000
CPU_PERCENT = 70  # above which a run remarks on it
BORNE = (
    "these workers bear its streams, chunks a second and CPU on a machine of their own: "
    "look for what else kept this one busy, or try one more"
)


def workers_needed(rows: Evidence, workers: Sequence[Mapping[str, Any]]) -> int:
    """By the streams at a time, the chunks a second, the workers' CPU; 0 where nothing of that is known.

    On a machine slower than the curve's it is the CPU that tells.
    """
    length_s = rows.window.length_s() or math.inf
    streams, chunks_per_s = rows.e2e_sum_ms / 1e3 / length_s, rows.chunks / length_s
    cpu_percent = sum(float(worker.get("cpu_percent_mean") or 0.0) for worker in workers)
    by = (streams / STREAMS, chunks_per_s / CHUNKS_PER_S, cpu_percent / CPU_PERCENT)
    return max(math.ceil(share) for share in by)


def advice(rows: Evidence, workers: Sequence[Mapping[str, Any]]) -> str:
    """What to do about it, as the end of a sentence; "" where the run says nothing of its workers."""
    if not (workers and (n := workers_needed(rows, workers))):
        return ""
    if n <= len(workers):
        return f"; {BORNE}"
    cores = {worker.get("host"): int(worker.get("cpus") or 0) for worker in workers}
    if n <= sum(cores.values()) or not (most := max(cores.values())):
        return f"; this load needs {n} workers" + (f" (--processes {n})" if len(cores) == 1 else "")
    return f"; this load needs {n} workers, on {math.ceil(n / most)} machines of {most} cores"
