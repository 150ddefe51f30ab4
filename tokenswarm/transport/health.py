"""How well this process itself is doing: the event loop's lag, CPU, and garbage collection kept out of the way."""

import gc
import os
import socket
import time

from gevent.hub import get_hub

from tokenswarm.metrics.percentile import rank
from tokenswarm.transport.room import ROOM

INTERVAL_S = 0.02
COLLECT_EVERY_S = 1.0
MOST_LAGS = 60_000  # 20 minutes' worth
Mark = tuple[list[float], float, float]  # loop lags since then (ms), and the CPU time and the clock of then (s)


class Health:
    """Watches one process over one run. `snapshot` gives what it saw so far.

    Cyclic garbage collection is switched off while streams run: with many live objects it stops the loop for 60 to
    400 ms. What was there before the run is frozen. A request leaves no cycles behind (a test holds that), so what is
    collected here, the young at every look and everything when no request is in flight, is for users' own code.
    """

    def __init__(self, warmup_s: float = 0.0) -> None:
        self.in_flight = 0
        self._held_back_before = ROOM.held_back
        self.ending = False  # cutting what is under way keeps the loop busy, and harms nothing any more
        self._lags_ms: list[float] = []
        self._marked_ms: list[float] | None = None  # since the last mark, if there was one
        self._lag_max_ms = 0.0
        self._cpu_max = 0.0
        self._cpu_s = self._began_cpu_s = time.process_time()
        self._wall_s = self._began_wall_s = time.monotonic()
        self._counts_from_s = self._began_wall_s + warmup_s
        self._due_s = self._collect_s = time.monotonic() + INTERVAL_S
        self._timer = get_hub().loop.timer(INTERVAL_S, INTERVAL_S, ref=False)
        self._timer.start(self._look)  # in the loop itself: a greenlet of its own would cost three times as much
        gc.collect()
        gc.freeze()
        gc.disable()

    def stop(self) -> None:
        """The run is over: let the collector work again."""
        self._timer.stop()
        self._timer.close()
        gc.enable()
        gc.unfreeze()

    def mark(self) -> Mark:
        """This moment: a `snapshot` since then is of what comes, until the next mark."""
        self._marked_ms = []
        return self._marked_ms, time.process_time(), time.monotonic()

    def snapshot(self, since: Mark | None = None) -> dict[str, float | int | str]:
        """Figures for the run's circumstances: lag of the loop in ms, CPU in % of a core; of all the run, or since."""
        self._measure_cpu()
        seen_ms, began_cpu_s, began_wall_s = since or (self._lags_ms, self._began_cpu_s, self._began_wall_s)
        lags = sorted(seen_ms)
        cpu_s, wall_s = time.process_time() - began_cpu_s, time.monotonic() - began_wall_s
        return {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "cpus": os.cpu_count() or 0,
            "in_flight": self.in_flight,
            "held_back": ROOM.held_back - self._held_back_before,
            "cpu_percent_mean": round(100 * cpu_s / wall_s, 1) if wall_s else 0.0,
            "cpu_percent_max": round(self._cpu_max, 1),
            "loop_lag_ms_p50": round(lags[len(lags) // 2], 3) if lags else 0.0,
            "loop_lag_ms_p99": round(lags[rank(len(lags), 99) - 1], 3) if lags else 0.0,
            "loop_lag_ms_max": round(self._lag_max_ms, 3),
        }

    def _look(self) -> None:
        now_s = time.monotonic()
        lag_ms = max(0.0, now_s - self._due_s) * 1e3
        if now_s < self._counts_from_s:
            self._began_cpu_s, self._began_wall_s = time.process_time(), now_s  # the warm-up is not judged
        elif not self.ending:
            self._lag_max_ms = max(self._lag_max_ms, lag_ms)
            self._lags_ms.append(lag_ms)
            if self._marked_ms is not None:
                self._marked_ms.append(lag_ms)
        if len(self._lags_ms) > MOST_LAGS:  # every second one stands for the rest
            del self._lags_ms[::2]
        gc.collect(0)  # of the last 20 ms only: once a second it would stop the loop for 30 ms at 600 streams
        if now_s >= self._collect_s:
            if self.in_flight == 0:
                gc.collect()
            self._measure_cpu()
            self._collect_s = now_s + COLLECT_EVERY_S
        self._timer.again(self._look)
        self._due_s = time.monotonic() + INTERVAL_S

    def _measure_cpu(self) -> None:
        cpu_s, wall_s = time.process_time(), time.monotonic()
        if wall_s - self._wall_s >= COLLECT_EVERY_S:
            self._cpu_max = max(self._cpu_max, 100 * (cpu_s - self._cpu_s) / (wall_s - self._wall_s))
            self._cpu_s, self._wall_s = cpu_s, wall_s
