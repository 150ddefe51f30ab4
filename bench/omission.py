"""`make bench-omission`: what a closed loop does not see. The same server stalls for 5 s under the same mean load.

The simulator is stopped (SIGSTOP) in the middle of a run and goes on. First a closed loop of 4 users, then an open loop
of as many requests a second as the closed one had while the server answered. Into docs/open-loop.md, with a figure.
"""

import signal
import time
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from bench.draw import png
from bench.markdown import number, table
from bench.percentiles import spread
from bench.simulated import PAGE, Row, Server, publish, rows, serving, start, temporary

STALL_S, BEFORE_S, RUN_S, USERS = 5.0, 20.0, 60, 4
# An answer takes 0.2 s, however many there are at once.
SIMULATOR: tuple[str, ...] = ("--decode-tps", "100", "--output-tokens", "20", "--output-cv", "0", "--load-ms", "1")
SIMULATOR += ("--slowdown", "0", "--parallel", "512", "--prefill-tps", "100000")
FIGURE = PAGE.parent / "figures" / "coordinated-omission.png"
HEADS = (
    "loop",
    "n",
    "sent/s",
    "over 1 s",
    "TTFT p50",
    "p99",
    "max",
    "E2E p50",
    "p99",
    "max",
    "response p50",
    "p99",
    "max",
)
FROM_SENT, FROM_DUE = ("ttft_ms", "e2e_ms"), "response_ms"


@dataclass(frozen=True, slots=True)
class Loop:
    """One run: its rows that ended ok, in order of sending, and when the server stopped, wall-clock ns."""

    name: str
    rows: list[Row]
    stalled_ns: int

    def column(self, name: str) -> list[float]:
        """Its values, where it has any."""
        return [float(row[name]) for row in self.rows if row[name]]

    def per_s(self) -> float:
        """Requests a second, the stall left out."""
        sent = [int(row["sent_unix_ns"]) for row in self.rows]
        stalled = sum(0 <= ns - self.stalled_ns < STALL_S * 1e9 for ns in sent)
        return (len(sent) - stalled) / ((sent[-1] - sent[0]) / 1e9 - STALL_S)

    def cells(self) -> list[str]:
        """As the table has them."""
        long = self.column(FROM_DUE) or self.column("e2e_ms")
        cells = [self.name, str(len(self.rows)), number(self.per_s(), 1), str(sum(ms > 1000 for ms in long))]
        for name in (*FROM_SENT, FROM_DUE):
            seen = spread(self.column(name))
            cells += [number(value, 0) for value in (seen.p50, seen.p99, seen.max)]
        return cells


def measure(name: str, *load: str) -> Loop:
    """One run with a stall in it."""
    with serving(*SIMULATOR) as server, temporary() as runs:
        locust = start(server.url, runs, *load, "--run-time", f"{RUN_S}s", "--stop-timeout", "10")
        _wait_for_load(server)
        time.sleep(BEFORE_S)
        stalled_ns = time.time_ns()
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(STALL_S)
        server.process.send_signal(signal.SIGCONT)
        found = rows(locust, runs)
    answered = [row for row in found if row["outcome"] == "ok"]
    print(f"{name}: {len(answered)} of {len(found)} ok", flush=True)
    return Loop(name, sorted(answered, key=lambda row: int(row["sent_unix_ns"])), stalled_ns)


def _wait_for_load(server: Server) -> None:
    while server.stats()["complete"] < 2 * USERS:  # the warm-up is one
        time.sleep(0.05)


def draw(loops: tuple[Loop, ...]) -> go.Figure:
    """Each request's time against when it was sent (closed) or due (open)."""
    names = [f"{loop.name}: {len(loop.rows)} requests" for loop in loops]
    figure = make_subplots(rows=1, cols=len(loops), shared_yaxes=True, subplot_titles=names, horizontal_spacing=0.03)
    for place, loop in enumerate(loops, start=1):
        origin, time_ms = ("scheduled_unix_ns", FROM_DUE) if loop.column(FROM_DUE) else ("sent_unix_ns", "e2e_ms")
        at_s = [(int(row[origin]) - loop.stalled_ns) / 1e9 for row in loop.rows]
        taken_s = [float(row[time_ms]) / 1e3 for row in loop.rows]
        marker = {"size": 4, "color": "#2a7fbf"}
        figure.add_scatter(x=at_s, y=taken_s, mode="markers", marker=marker, showlegend=False, row=1, col=place)
        figure.add_vrect(x0=0, x1=STALL_S, fillcolor="#d55e00", opacity=0.12, line_width=0, row=1, col=place)
        p99_s = spread(taken_s).p99 or 0.0
        figure.add_hline(
            y=p99_s, line={"dash": "dot", "color": "#d55e00"}, annotation_text=f"p99 {p99_s:.2f} s", row=1, col=place
        )
        figure.update_xaxes(
            title_text=f"{'due' if time_ms == FROM_DUE else 'sent'}, s after the stall began", col=place
        )
    figure.update_yaxes(title_text="time to the answer's end, s", range=[-0.1, 5.6], col=1)
    return figure


def main() -> None:
    """Run both, put the table and the figure into docs/."""
    closed = measure("closed loop", "--users", str(USERS), "--spawn-rate", str(USERS))
    opened = measure("open loop", "--arrivals", f"poisson {closed.per_s():.1f}/s", "--max-in-flight", "400")
    png(draw((closed, opened)), FIGURE)
    publish("omission", table(HEADS, [closed.cells(), opened.cells()]) + "\n\nTimes in ms.")


if __name__ == "__main__":
    main()
