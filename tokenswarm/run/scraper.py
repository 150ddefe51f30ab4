"""What is looked at for the server's own side: here its Prometheus endpoints, each by one bounded question a look."""

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from prometheus_client.parser import text_string_to_metric_families

from tokenswarm.metrics.server_metrics import METRICS
from tokenswarm.settings.redaction import clean_line
from tokenswarm.settings.scraping import without_query
from tokenswarm.settings.settings import Settings
from tokenswarm.transport.connection import Timeouts
from tokenswarm.transport.control import ControlClient, Unanswered
from tokenswarm.transport.target import Target
from tokenswarm.wire.values import Call

PATIENCE_S = 5.0
MOST_SAMPLES, MOST_LABELS = 500, 300  # of a look; characters of one sample's labels
ACCEPT = (("Accept", "text/plain;version=0.0.4;q=1,*/*;q=0.1"),)
KNOWN = {name.encode(): name for name in METRICS}


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
        self._client = ControlClient(Endpoint(where, tls, headers), PATIENCE_S)

    def look(self) -> list[Sample]:
        """The metrics that we know. Raises NoReading."""
        try:
            reply = self._client.send(Call("GET", "", ACCEPT, b""))
        except Unanswered as error:
            raise NoReading(clean_line(str(error))) from None
        if not 200 <= reply.status < 300:
            raise NoReading(clean_line(reply.describe()))
        return samples(reply.body)

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()


def _origin(where: Target) -> tuple[str, str, int]:
    return where.scheme, where.host, where.port


def samples(body: bytes) -> list[Sample]:
    """Those in an answer that we know the names of. Raises NoReading where there are none.

    Only their lines are parsed: of a thousand others in an answer the loop need not know.
    """
    lines = [line for line in body.splitlines() if line.partition(b"{")[0].partition(b" ")[0].strip() in KNOWN]
    try:
        found = list(_parsed("\n".join(line.decode("utf-8", "replace") for line in lines[:MOST_SAMPLES]) + "\n"))
    except ValueError as error:
        raise NoReading(f"no Prometheus text: {clean_line(str(error))[:MOST_LABELS]}") from None
    if not found:
        raise NoReading("none of the metrics that we know is in the answer")
    return found


def _parsed(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            if one.value == one.value and abs(one.value) != float("inf"):
                yield Sample(one.name, _labels(one.labels), float(one.value))


def _labels(labels: Mapping[str, str]) -> str:
    return clean_line(",".join(f"{name}={value}" for name, value in sorted(labels.items())))[:MOST_LABELS]
