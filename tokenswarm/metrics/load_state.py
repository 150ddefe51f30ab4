"""Cold or warm: had a request to wait until its model was loaded?"""

from typing import Literal

# A warm load_duration is 1 to 15 ms, and up to 110 where models share one blob; the smallest real load took 270.
COLD_MS = 200.0

# What /api/ps listed just before the request was sent: its model, others only, nothing.
Memory = Literal["listed", "others", "empty"]
LoadState = Literal["cold", "warm"]


def load_state(load_ms: float | None, memory: Memory | None = None) -> LoadState | None:
    """cold: load_ms ≥ 200, or /api/ps had just listed no model at all; warm: any other load_ms.

    A reload (another num_ctx) is cold though /api/ps lists the model; a model that shares another one's blob is warm
    though /api/ps does not. Without load_ms (/v1) only /api/ps tells; without either nothing does.
    """
    if load_ms is None:
        return None if memory is None else "warm" if memory == "listed" else "cold"
    return "cold" if load_ms >= COLD_MS or memory == "empty" else "warm"
