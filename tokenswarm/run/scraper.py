"""What is looked at for the server's own side: here its Prometheus endpoints, each by one bounded question a look."""

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol

from tokenswarm.metrics.server_metrics import METRICS
from tokenswarm.settings.redaction import clean_line
from tokenswarm.settings.scraping import without_query
from tokenswarm.settings.settings import Settings
from tokenswarm.transport.connection import Timeouts
from tokenswarm.transport.control import ControlClient, Unanswered
from tokenswarm.transport.target import Target
from tokenswarm.transport.time_slices import give_loop_turn
from tokenswarm.wire.values import Call

PATIENCE_S = 5.0
MOST_BYTES, MOST_LINE_BYTES = 4 << 20, 10_000  # of an answer, and of a line of it: what is longer is none of ours
MOST_SAMPLES, MOST_LABELS = 500, 300  # of a look; characters of one sample's labels
MOST_VALUE = 1e18  # far beyond any count of tokens, bytes or mJ
SLICE_BYTES, LINES_A_PAUSE = 32_768, 20  # about a third of a millisecond each
ACCEPT = (("Accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1"),)
KNOWN = {name.encode() for name in METRICS}
_NAME = re.compile(rb"[A-Za-z_:][\w:]*")


class Sample(NamedTuple):
    """One value of one look, by its source's own name."""

    metric: str
    labels: str
    value: float


class NoReading(Exception):
    """A source said nothing that can be used; the text says why in a few words."""


class Source(Protocol):
    """Something that is looked at every few seconds."""

    name: str

    def look(self) -> list[Sample]:
        """What it says now. Raises NoReading."""

    def close(self) -> None:
        """No more looks."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How an endpoint is reached (see `control.Access`): the run's own headers go to the server under load alone."""

    target: Target
    tls: ssl.SSLContext | None
    headers: tuple[tuple[str, str], ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)


class Scraper:
    """One Prometheus endpoint."""

    def __init__(self, where: Target, checked: Settings, tls: ssl.SSLContext | None) -> None:
        self.name = without_query(where)
        headers = checked.headers if _origin(where) == _origin(checked.target) else ()
        self._client = ControlClient(Endpoint(where, tls, headers), PATIENCE_S, most_bytes=MOST_BYTES)

    def look(self) -> list[Sample]:
        """The metrics that we know. Raises NoReading."""
        try:
            reply = self._client.send(Call("GET", "", ACCEPT, b""))
        except Unanswered as error:
            raise NoReading(clean_line(str(error))) from None
        if not 200 <= reply.status < 300:
            raise NoReading(clean_line(reply.describe()))
        return samples(reply.body, give_loop_turn)

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()


def _origin(where: Target) -> tuple[str, str, int]:
    return where.scheme, where.host, where.port


def samples(body: bytes, pause: Callable[[], object] = lambda: None) -> list[Sample]:
    """Those in an answer that we know the names of, with pauses in between. Raises NoReading where there are none.

    Only their lines are parsed, each by itself: neither a thousand others nor one that is broken does any harm.
    """
    found, wrong = list[Sample](), ""
    for number, line in enumerate(islice(_known_lines(body, pause), MOST_SAMPLES), 1):
        try:
            found += _parsed(line.decode("utf-8", "replace"))
        except (ValueError, IndexError) as error:  # of labels that are broken off, the parser raises either
            wrong = wrong or f"no Prometheus text: {clean_line(str(error))[:MOST_LABELS]}"
        if number % LINES_A_PAUSE == 0:
            pause()
    if not found:
        raise NoReading(wrong or "none of the metrics that we know is in the answer")
    return found


def _known_lines(body: bytes, pause: Callable[[], object]) -> Iterator[bytes]:
    at = 0
    while at < len(body):
        end = body.find(b"\n", at + SLICE_BYTES) + 1 or len(body)
        for line in body[at:end].splitlines():
            if (name := _NAME.match(line)) and name[0] in KNOWN and len(line) <= MOST_LINE_BYTES:
                yield line
        at = end
        pause()


def _parsed(line: str) -> Iterator[Sample]:
    from prometheus_client.parser import text_string_to_metric_families  # 14 MB that no worker needs

    for family in text_string_to_metric_families(f"{line}\n"):
        for one in family.samples:
            if abs(one.value) < MOST_VALUE:  # neither infinite nor no number
                yield Sample(one.name, _labels(one.labels), float(one.value))


def _labels(labels: Mapping[str, str]) -> str:
    return clean_line(",".join(f"{name}={value}" for name, value in sorted(labels.items())))[:MOST_LABELS]
