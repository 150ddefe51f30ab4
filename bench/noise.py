"""The machine's own noise, which no client can help."""

import threading
import time

INTERVAL_S = 0.005


class Stalls:
    """How late a sleeping thread wakes up, in a process that does nothing else."""

    def __init__(self) -> None:
        self._late_ms: list[float] = []
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            due_s = time.monotonic() + INTERVAL_S
            time.sleep(INTERVAL_S)
            self._late_ms.append((time.monotonic() - due_s) * 1e3)

    def take(self) -> list[float]:
        """What was seen since the last time, ms."""
        late, self._late_ms = self._late_ms, []
        return late
