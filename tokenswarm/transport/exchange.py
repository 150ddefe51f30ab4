"""One request under way: what is seen of it."""

import math
import time

from tokenswarm.transport.http1 import ANSWER_BYTES, Response
from tokenswarm.transport.room import Holding, Room
from tokenswarm.wire.framing import PieceColumns
from tokenswarm.wire.values import Api, Failure, FailureKind, Transcript
from tokenswarm.wire.watch import Watch

# A read this long after the kernel's stamp may have merged chunks that came apart.
LATE_NS = 1_000_000


class Exchange:
    """One request under way, and all that was seen of it, also when it is cut in the middle."""

    def __init__(
        self,
        scheduled_ns: int | None = None,
        most_bytes: int = ANSWER_BYTES,
        api: Api | None = None,
        room: Room | None = None,
    ) -> None:
        self.response, self._most_bytes, self._api = Response(most_bytes), most_bytes, api
        self.watch = Watch(api) if api else None
        self.room = room
        self.share: Holding | None = None
        self.scheduled_ns = scheduled_ns
        self.connect_ns: int | None = None
        self.sent_ns: int | None = None
        self.ended_ns: int | None = None
        self.failure: Failure | None = None
        self.tls_failed = False  # or was it the connection beneath?
        self.kernel_stamps = self.clock_stamps = self.resends = 0
        self.read_lag_ns: int | None = None
        self.late_stamps: set[int] = set()
        self.noted_lag_ns = -math.inf  # a read with less of it tells nothing new
        self._sent_monotonic_ns = 0
        self._clock_step_ns = 0

    def begin(self) -> None:
        """The request is being sent now; of one that must be sent again, the first time counts."""
        if self.sent_ns is None:
            self.sent_ns, self._sent_monotonic_ns = time.time_ns(), time.monotonic_ns()

    def again(self) -> None:
        """It will be sent a second time: forget how the first went."""
        self.failure = self.ended_ns = None
        self.response.release()
        self.let_go()
        self.response = Response(self._most_bytes)
        self.watch = Watch(self._api) if self._api else None
        self.resends += 1

    def let_go(self) -> None:
        """What was seen is no longer needed (where there is a `room`, its caller must say so)."""
        if self.share:
            self.share.give_back()
            self.share = None

    def end(self, ended_ns: int, kind: FailureKind | None = None, text: str = "") -> None:
        """The exchange is over, whole or not; only the first end counts."""
        if self.ended_ns is not None:
            return
        self.ended_ns = ended_ns
        if kind is not None:
            self.failure = Failure(kind, text)
        if self.sent_ns is not None:
            wall_ns, monotonic_ns = time.time_ns(), time.monotonic_ns()
            self._clock_step_ns = (wall_ns - self.sent_ns) - (monotonic_ns - self._sent_monotonic_ns)

    def note_lag(self, ns: int, lag_ns: int) -> int:
        """Of bytes that the kernel stamped `ns` and that were read so much later: when they came.

        A segment that overtook a lost one lies in the kernel, with its own stamp, until that one was sent again: it has
        come when what goes before it had, unless the clock was set back.
        """
        before_ns = self.response.now_ns
        if ns < before_ns <= ns + lag_ns:
            ns, lag_ns = before_ns, ns + lag_ns - before_ns
        self.read_lag_ns = lag_ns if self.read_lag_ns is None else max(self.read_lag_ns, lag_ns)
        if lag_ns > LATE_NS:
            self.late_stamps.add(ns)
        self.noted_lag_ns = min(self.read_lag_ns, LATE_NS)
        return ns

    @property
    def reads(self) -> int:
        """Reads that gave bytes."""
        return self.kernel_stamps + self.clock_stamps

    @property
    def ended_well(self) -> bool:
        """Is it whole, and its answer's last word the protocol's own end? (What it said before, nobody has read.)"""
        response = self.response
        if self.failure or not response.complete or response.status != 200 or self.watch is None:
            return False
        if response.bodies and self.watch.mark in response.bodies[-1]:  # as nearly always, without reading it
            return True
        end = self.watch.end(response.stamps, response.bodies)
        return end is not None and end.firm

    def transcript(self) -> Transcript:
        """What was seen, as a value."""
        response, status = self.response, self.response.status
        refused = {} if status is None or 200 <= status < 300 else response.refusal(time.time())
        return Transcript(
            pieces=PieceColumns(response.stamps, response.bodies),
            scheduled_ns=self.scheduled_ns,
            connect_ns=self.connect_ns,
            sent_ns=self.sent_ns,
            ended_ns=self.ended_ns,
            status=status,
            content_type=response.content_type,
            complete=response.complete,
            failure=self.failure,
            kernel_stamps=self.kernel_stamps,
            clock_stamps=self.clock_stamps,
            clock_step_ns=self._clock_step_ns,
            resends=self.resends,
            read_lag_ns=self.read_lag_ns,
            late_stamps=frozenset(self.late_stamps),
            habits=frozenset(response.habits),
            **refused,
        )
