"""`python -m bench.watched`: what it costs a run to be watched, by all ways at once.

A point of the curve with its Tokens tab open, scraped by Prometheus, and with `--otel` to a collector, against the same
point headless and alone, in turns (on, off, off, on, …). The lookers ask as often as a page and a Prometheus do, from
this process. Rows go to a file of JSON lines: {"name", "way", …figures as in `bench.measure.Point`}.
"""

import argparse
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import requests

from bench import curve, quick, results
from bench.measure import Asked, Point, free_port, measure_at, truth_server
from bench.noise import Stalls

EVERY_S = {"tokenswarm/live.json": 2.0, "stats/requests": 2.0, "metrics": 5.0}
ALONE, WATCHED = "alone", "watched"
FIGURES: dict[str, Callable[[Point], float | None]] = {
    **quick.FIGURES,
    "E2E error p99, ms": lambda point: point.e2e_ms.p99,
    "loop lag p99, ms": lambda point: point.loop_lag_ms_p99,
}


class _Collector(BaseHTTPRequestHandler):
    """Takes what OTLP brings."""

    protocol_version, taken = "HTTP/1.1", 0

    def do_POST(self) -> None:
        """As the protocol's exporters send."""
        self.rfile.read(int(self.headers["Content-Length"]))
        _Collector.taken += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is said."""


@contextmanager
def collector() -> Iterator[int]:
    """A collector's port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def looking(port: int) -> Iterator[dict[str, int]]:
    """Ask a web UI as its page and Prometheus do; how often each had an answer."""
    over, answered = threading.Event(), dict.fromkeys(EVERY_S, 0)

    def look(path: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not over.wait(EVERY_S[path]):
                try:
                    answered[path] += session.get(f"http://127.0.0.1:{port}/{path}", timeout=10).ok
                except requests.RequestException:  # not there yet, or no more
                    continue

    lookers = [threading.Thread(target=look, args=(path,)) for path in EVERY_S]
    for one in lookers:
        one.start()
    yield answered
    over.set()
    for one in lookers:
        one.join()


def watched(url: str, asked: Asked, stalls: Stalls) -> Point:
    """The point while all look. SystemExit if one of them had no answer."""
    port = free_port()
    options = ("--autostart", "--autoquit", "0", "--web-host", "127.0.0.1", "--web-port", str(port), "--otel")
    with collector() as collects, looking(port) as answered:
        before = _Collector.taken
        sent_to = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collects}"}
        point = measure_at(
            url, replace(asked, options=options), stalls, {**sent_to, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        )
        if not (all(answered.values()) and _Collector.taken > before):
            sys.exit(f"bench: nobody watched: {answered}, {_Collector.taken - before} messages by OTLP")
    return point


def main() -> None:
    """Measure both ways in turns."""
    parser = argparse.ArgumentParser(prog="bench.watched", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--point", default="100x20-1w-plain", help="of the curve's, by its name")
    parser.add_argument("--rounds", type=int, default=10, help="points of each way")
    parser.add_argument("--seconds", type=float, default=20.0, help="of load after the ramp-up, a point")
    parser.add_argument("--out", type=Path, default=results.FOLDER / "watched.jsonl")
    given = parser.parse_args()
    asked, stalls = curve.points(given.seconds)[given.point], Stalls()
    results.begin(given.out, resume=True)
    found: dict[str, list[Point]] = {ALONE: [], WATCHED: []}
    print(curve.line(curve.COLUMNS))
    with truth_server(asked) as url:
        for number in range(given.rounds):
            for way in (WATCHED, ALONE) if number % 2 == 0 else (ALONE, WATCHED):
                point = watched(url, asked, stalls) if way == WATCHED else measure_at(url, asked, stalls)
                found[way].append(point)
                results.append(given.out, {"name": given.point, "way": way, **point.row()})
                print(curve.line(curve.cells(f"{given.point[:16]} {way}", point)), flush=True)
    for name, figure in FIGURES.items():
        middle = {way: median(figure(one) or 0.0 for one in points) for way, points in found.items()}
        print(f"{name}, median of {given.rounds}: {middle[ALONE]:.3f} alone, {middle[WATCHED]:.3f} watched")


if __name__ == "__main__":
    main()
