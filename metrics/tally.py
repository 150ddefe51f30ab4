"""Folding the chunks of one answer into its Record."""

from metrics.histogram import bucket
from metrics.record import Identity, Kept, Phase, Record
from wire.values import Chunk, Transcript, Usage


class Tally:
    """Counts chunks as they are read; `record` gives what they come to.

    An answer that is not streamed has no first output: it arrives whole, so its TTFT and gaps are absent.
    """

    def __init__(self, *, streamed: bool, keep_text: bool = False, late_stamps: frozenset[int] = frozenset()) -> None:
        self._streamed = streamed
        self._late_stamps = late_stamps
        self._texts: tuple[list[str], list[str]] | None = ([], []) if keep_text else None
        self._gaps: dict[int, int] = {}
        self._longest_gap_ns: int | None = None
        self._first_output_ns: int | None = None
        self._first_answer_ns: int | None = None
        self._last_output_ns: int | None = None
        self._output_chunks = self._coalesced = self._late = self._text_chars = self._thinking_chars = 0
        self._tool_calls: set[int] = set()
        self.usage = Usage()
        self.done = False
        self.finish_reason: str | None = None
        self.failed: Chunk | None = None

    def add(self, chunk: Chunk) -> None:
        """Take in the next chunk, in order of arrival."""
        ns, text, thinking, tool_calls, finish_reason, usage, done, error, broken, ends_thinking = chunk
        if ends_thinking:
            self._all_was_thinking()
        if text or thinking or tool_calls:
            self._add_output(ns, answer=bool(text or tool_calls))
            self._text_chars += len(text)
            self._thinking_chars += len(thinking)
            if tool_calls:
                self._tool_calls.update(call.place for call in tool_calls)
            if self._texts:
                self._texts[0].append(text)
                self._texts[1].append(thinking)
        if finish_reason:
            self.finish_reason = finish_reason
        if usage:
            self.usage = usage
        if done:
            self.done = True
        if error is not None or broken is not None:
            self.failed = chunk

    def _all_was_thinking(self) -> None:
        self._thinking_chars, self._text_chars = self._thinking_chars + self._text_chars, 0
        self._first_answer_ns = None
        if self._texts:
            answer, thinking = self._texts
            thinking.extend(answer)
            answer.clear()

    def _add_output(self, ns: int, *, answer: bool) -> None:
        self._output_chunks += 1
        if answer and self._first_answer_ns is None:
            self._first_answer_ns = ns
        last = self._last_output_ns
        if last is None:
            self._first_output_ns = ns
        elif self._streamed:
            gap = ns - last
            number = bucket(gap)
            self._gaps[number] = self._gaps.get(number, 0) + 1
            if self._longest_gap_ns is None or gap > self._longest_gap_ns:
                self._longest_gap_ns = gap
            if gap == 0:
                self._coalesced += 1
                self._late += ns in self._late_stamps
        self._last_output_ns = ns

    def record(
        self,
        identity: Identity,
        transcript: Transcript,
        outcome: str,
        error: str,
        *,
        prompt_text: str = "",
        phase: Phase = "steady",
        interpreted_ns: int | None = None,
    ) -> Record:
        """The Record of the request that this answer belongs to."""
        streamed = self._streamed
        return Record(
            identity=identity,
            outcome=outcome,
            error=error,
            status=transcript.status,
            finish_reason=self.finish_reason,
            streamed=streamed,
            scheduled_ns=transcript.scheduled_ns,
            connect_ns=transcript.connect_ns,
            sent_ns=transcript.sent_ns,
            first_byte_ns=transcript.pieces[0][0] if transcript.pieces else None,
            first_output_ns=self._first_output_ns if streamed else None,
            first_answer_ns=self._first_answer_ns if streamed else None,
            last_output_ns=self._last_output_ns if streamed else None,
            ended_ns=transcript.ended_ns,
            interpreted_ns=interpreted_ns,
            output_chunks=self._output_chunks,
            coalesced_chunks=self._coalesced,
            late_chunks=self._late,
            text_chars=self._text_chars,
            thinking_chars=self._thinking_chars,
            tool_calls=len(self._tool_calls),
            gaps=self._gaps,
            longest_gap_ns=self._longest_gap_ns,
            usage=self.usage,
            reads=transcript.kernel_stamps + transcript.clock_stamps,
            late_reads=len(transcript.late_stamps),
            read_lag_ns=transcript.read_lag_ns,
            clock_stamps=transcript.clock_stamps,
            clock_step_ns=transcript.clock_step_ns,
            resends=transcript.resends,
            phase=phase,
            kept=Kept(prompt_text, *("".join(parts) for parts in self._texts)) if self._texts else None,
        )
