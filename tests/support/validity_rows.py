"""Many rows, and the verdict on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from golden.make import MS, ZERO_NS, folder, ollama

from tokenswarm.folder.verdict import gather
from tokenswarm.metrics.record import Record
from tokenswarm.metrics.validity.rules import Facts, judge

Change = Callable[[Record], Record]
HEALTHY = {"loop_lag_ms_p99": 0.5, "cpu_percent_mean": 10.0}


def verdict(path: Path, records: list[Record], worker: dict[str, Any] = HEALTHY, **facts: Any) -> dict[str, Any]:
    made = folder(path, records, None)
    return judge(Facts(gather(made / "requests.csv"), [worker], **facts))


def many(change: Change = lambda r: r, every: int = 1, n: int = 500) -> list[Record]:
    """Requests of 225 ms with a token each 10 ms, every so-many-th of them changed."""
    made = (ollama(i, at_ms=10 * i, interpreted_ns=ZERO_NS + (10 * i + 225) * MS, reads=12) for i in range(n))
    return [change(r) if i % every == 0 else r for i, r in enumerate(made)]
