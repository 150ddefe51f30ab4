"""A run's live counts: each process with users looks once a second at what is under way, and tells the master.

Nothing is done per token, and little per request: what ended is counted in the look after it, many at once. What a
look reads is there already: the pieces of each body and when they came.
"""

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import gevent

from tokenswarm.metrics.catalogue import queue_ms, tpot_ms
from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.live_view import Count, Counts, Whose, count_of
from tokenswarm.metrics.output import TokensPerChunk
from tokenswarm.metrics.record import Record
from tokenswarm.run.cluster import NotSent
from tokenswarm.transport.time_slices import give_loop_turn
from tokenswarm.users.context import RunContext, UnderWay
from tokenswarm.wire.apis import EMBEDDING
from tokenswarm.wire.framing import PieceColumns
from tokenswarm.wire.reading import each_chunk
from tokenswarm.wire.values import Transcript

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

LIVE = "tokenswarm_live"
EVERY_S = 1.0
BREATHE_EVERY = 50  # requests looked at between two turns of the loop: about half a millisecond
# Of an answer that goes on for longer, so much is read for its first output, and of so many answers a look.
READ_AFTER_S, MOST_PIECES, MOST_READ = 2.0, 200, 50
FEW_PIECES = 2  # in which there mostly is one


class EndedRequest(NamedTuple):
    """A request that has ended, and what of it had been counted before; its answer is not held any longer."""

    record: Record
    status: int | None
    pieces: int
    new_pieces: int
    counted: bool
    told: bool


class LiveCounts:
    """Those of one process with users, during one run."""

    def __init__(self, run_context: RunContext) -> None:
        self._run_context = run_context
        self._tokens_a_piece = TokensPerChunk()
        self._counts: Counts = {}
        self._ended: list[EndedRequest] = []

    def on_record(self, record: Record) -> None:
        """A request has ended."""
        if under_way := self._run_context.under_way.get(record.identity.sequence):
            response, counted, before = under_way.exchange.response, under_way.counted, under_way.pieces
            under_way.counted, under_way.pieces = True, len(response.bodies)
            new_pieces = under_way.pieces - before
            ended = EndedRequest(record, response.status, under_way.pieces, new_pieces, counted, under_way.told)
        else:
            ended = EndedRequest(record, record.status, 0, 0, counted=False, told=False)
        self._ended.append(ended)

    def _take_ended(self, ended: EndedRequest) -> None:
        record = ended.record
        who, usage = record.identity, record.usage
        count = self._of((who.endpoint, who.model))
        count.outcomes[record.outcome] += 1
        output_tokens = usage.output_tokens
        count.counted_tokens += output_tokens or 0
        count.prompt_tokens += usage.prompt_tokens or 0
        if record.sent_ns is not None and not ended.counted:
            count.sent += 1
        if who.batch_size is None:
            self._take_pieces(count, (who.endpoint, who.model), ended.status, ended.new_pieces)
        if output_tokens and ended.pieces:
            self._tokens_a_piece.add(who.endpoint, who.model, output_tokens, ended.pieces)
        if record.first_output_ns is not None and record.sent_ns is not None and not ended.told:
            count.ttft[bucket(record.first_output_ns - record.sent_ns)] += 1
        count.itl.update(record.gaps)
        if (tpot := tpot_ms(record)) is not None:
            count.tpot[bucket(round(tpot * 1e6))] += 1
        if output_tokens and output_tokens > 1 and usage.eval_ns:
            count.eval_tokens, count.eval_ns = count.eval_tokens + output_tokens - 1, count.eval_ns + usage.eval_ns
        if record.outcome == "ok" and (queued := queue_ms(record)) is not None and record.ended_ns and record.sent_ns:
            count.queue_ns += round(queued * 1e6)
            count.queued_e2e_ns += record.ended_ns - record.sent_ns

    def look(self) -> Counts:
        """What this second was; the next one begins."""
        ended, self._ended = self._ended, []
        for number, one in enumerate(ended, start=1):
            self._take_ended(one)
            if number % BREATHE_EVERY == 0:
                give_loop_turn()
        now_ns, readings = time.time_ns(), 0
        for number, under_way in enumerate(list(self._run_context.under_way.values()), start=1):
            exchange = under_way.exchange
            if exchange.sent_ns is not None and exchange.ended_ns is None:
                count = self._of((under_way.api.PATH, under_way.model))
                self._take(count, under_way, now_ns)
                long = now_ns - exchange.sent_ns > READ_AFTER_S * 1e9
                if long and under_way.pieces and not under_way.told and readings < MOST_READ:
                    readings += 1
                    self._read_on(count, under_way)
                    give_loop_turn()
            if number % BREATHE_EVERY == 0:
                give_loop_turn()
        counts, self._counts = self._counts, {}
        return counts

    def _take(self, count: Count, under_way: UnderWay, now_ns: int) -> None:
        """A request that goes on."""
        exchange = under_way.exchange
        count.in_flight += 1
        if not under_way.counted:
            under_way.counted, count.sent = True, count.sent + 1
        response, api = exchange.response, under_way.api
        new_pieces = len(response.bodies) - under_way.pieces
        under_way.pieces += new_pieces
        if api not in EMBEDDING:
            self._take_pieces(count, (api.PATH, under_way.model), response.status, new_pieces)
        if stamps := exchange.response.stamps:
            count.begun += 1
            count.silent_s = max(count.silent_s, (now_ns - stamps[-1]) / 1e9)
        else:
            count.oldest_wait_s = max(count.oldest_wait_s, (now_ns - (exchange.sent_ns or now_ns)) / 1e9)

    def _take_pieces(self, count: Count, whose: Whose, status: int | None, new_pieces: int) -> None:
        """The pieces of a body that are new, as tokens."""
        if new_pieces > 0 and status is not None and 200 <= status < 300:
            count.output_tokens += new_pieces * (self._tokens_a_piece.of(*whose) or 1.0)

    def _read_on(self, count: Count, under_way: UnderWay) -> None:
        """Look for the first output of an answer that goes on for longer: its TTFT shows now, not at its end."""
        exchange, response = under_way.exchange, under_way.exchange.response
        under_way.told = len(response.bodies) > MOST_PIECES  # whatever is found now
        for most in (FEW_PIECES, MOST_PIECES):
            begun = Transcript(
                pieces=PieceColumns(response.stamps[:most], response.bodies[:most]),
                sent_ns=exchange.sent_ns,
                status=response.status,
                content_type=response.content_type,
            )
            if not begun.succeeded or not begun.streamed:
                continue
            if chunk := next((chunk for chunk in each_chunk(under_way.api, begun) if chunk.output), None):
                count.ttft[bucket(chunk.ns - (exchange.sent_ns or chunk.ns))] += 1
                under_way.told = True
                return

    def _of(self, whose: Whose) -> Count:
        return self._counts.setdefault(whose, Count())


class Live:
    """One process's part in it, from Locust's events; `RunLifecycle` must have heard of them first."""

    def __init__(self, lifecycle: "RunLifecycle") -> None:
        self._lifecycle, self._cluster = lifecycle, lifecycle.cluster
        self._counts: LiveCounts | None = None

    def listen(self) -> "Live":
        """Connect to Locust's events."""
        events = self._lifecycle.environment.events
        events.test_start.add_listener(self._on_test_start)
        events.generation.add_listener(self._on_generation)
        if self._cluster.is_master:
            self._cluster.on(LIVE, self.on_counts)
        return self

    def _on_test_start(self, **_: Any) -> None:
        lifecycle = self._lifecycle
        if not self._cluster.is_worker:
            lifecycle.live.begin(lifecycle.publisher.run_id, time.monotonic())
        if not self._cluster.is_master and lifecycle.run_context:
            self._counts = LiveCounts(lifecycle.run_context)
            gevent.spawn(self._tell, lifecycle.run_context, self._counts, lifecycle.publisher.run_id)

    def _on_generation(self, record: Record, **_: Any) -> None:
        if self._counts:
            self._counts.on_record(record)

    def _tell(self, run_context: RunContext, counts: LiveCounts, run: str) -> None:
        """Once a second, until nothing of the run is under way."""
        began_s, number = time.monotonic(), 0
        while True:
            over = run_context.ending and not run_context.health.in_flight
            gevent.sleep(max(0.0, began_s + (number + 1) * EVERY_S - time.monotonic()))
            if self._lifecycle.run_context is not run_context:
                return
            seen = counts.look()
            # After a pause of the process this second holds what came in all of it.
            number = max(number, int((time.monotonic() - began_s) / EVERY_S) - 1)
            self._send(run, number, seen)
            number += 1
            if over:
                return

    def _send(self, run: str, number: int, counts: Counts) -> None:
        if self._cluster.is_worker:
            told = [[*whose, count.as_message()] for whose, count in counts.items()]
            with suppress(NotSent):  # the next second comes soon
                self._cluster.send(LIVE, {"run": run, "number": number, "counts": told})
        elif self._lifecycle.live.run == run:
            self._take("", number, counts)

    def on_counts(self, sent: Any, worker: str) -> None:
        """On the master: a worker's second."""
        if sent["run"] == self._lifecycle.live.run:
            counts = {(endpoint, model): count_of(count) for endpoint, model, count in sent["counts"]}
            self._take(worker, sent["number"], counts)

    def _take(self, worker: str, number: int, counts: Counts) -> None:
        self._lifecycle.live.take(worker, number, counts, time.monotonic(), self._cluster.users)
