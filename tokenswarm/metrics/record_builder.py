"""Folding the chunks of one answer into its Record."""

import itertools
import operator
from collections import Counter

from tokenswarm.metrics.buffering import TOGETHER_NS, is_buffered
from tokenswarm.metrics.checks.case import UNJUDGED, CheckResults
from tokenswarm.metrics.durations import SPARE_CHUNKS, without_doubtful
from tokenswarm.metrics.histogram import bucket
from tokenswarm.metrics.moments import moments
from tokenswarm.metrics.record import MOST_KEPT, Identity, Kept, Phase, Record
from tokenswarm.metrics.tool_calls import join_calls
from tokenswarm.wire.reading import Ending
from tokenswarm.wire.stretch import Stretch
from tokenswarm.wire.values import Answer, Chunk, Embeddings, ToolCall, Transcript, Usage

MERGED_SHARE = 10  # from a tenth of an answer's time on, late reads may be why its chunks came together
LEAST_REPEATED = 24  # characters of a chunk that may repeat all before; a shorter one may just be said again
OUTPUT = Chunk._fields.index("finish_reason")  # so many fields begin a chunk: when it came, and what the model said
ONLY_OUTPUT = Chunk(0)[OUTPUT:]  # the others, where it says nothing else


class RecordBuilder:
    """Counts chunks as they are read; `record` gives what they come to.

    An answer that is not streamed has no first output: it arrives whole, so its TTFT and gaps are absent.
    """

    def __init__(self, *, streamed: bool, late_stamps: frozenset[int] = frozenset()) -> None:
        self._streamed = streamed
        self._late_stamps = late_stamps
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._pieces: list[ToolCall] = []
        self._context: tuple[int, ...] | None = None
        self.embeddings: Embeddings | None = None
        self._tagged = False
        self._gaps: Counter[int] = Counter()
        self._longest_gap_ns: int | None = None
        self._stamps: list[int] = []  # of the chunks with output
        self.first_output_ns: int | None = None
        self._first_answer_ns: int | None = None
        self.last_output_ns: int | None = None
        self.unread_chunks = self._coalesced = self._late = self._text_chars = self._together = 0
        self._messages = 0  # of the chunks with output
        self._cumulative = False  # does each chunk say again what those before it said?
        self._first_chunks = 1
        self.usage = Usage()
        self.doubt: str | None = None  # what of the server's durations cannot be: see metrics.durations
        self.done = False
        self.finish_reason: str | None = None
        self.failed: Chunk | None = None
        self.habits: set[str] = set()
        self._end_ns: int | None = None
        self._whole = False

    @property
    def output_chunks(self) -> int:
        """The chunks with output so far."""
        return len(self._stamps)

    def add(self, chunk: Chunk) -> None:
        """Take in the next chunk, in order of arrival."""
        if chunk[OUTPUT:] == ONLY_OUTPUT and len(chunk[1]) < LEAST_REPEATED:  # as nearly all are
            self._add_said(chunk[0], chunk[1], chunk[2], chunk[3])
            return
        # fmt: off
        (ns, text, thinking, calls, finish_reason, usage, done, error, broken, ends, context, embeddings, tagged, whole,
         unread, _, habit) = chunk
        # fmt: on
        if tagged:
            self._tagged = True
        if habit:
            self.habits.add(habit)
        if unread:
            self.unread_chunks += 1
        if whole or len(text) >= LEAST_REPEATED:
            text, thinking, calls = self._new(text, thinking, calls, whole)
        if ends:
            self._all_was_thinking()
        self._add_said(ns, text, thinking, calls)
        if finish_reason:
            self.finish_reason, self._end_ns = finish_reason, ns
        if usage:
            self.usage = self.usage.then(usage)
            self._end_ns = ns if self.finish_reason else None
        if done:
            self.done, self._end_ns = True, ns
        if context is not None:
            self._context = context
        if embeddings is not None:
            self.embeddings = embeddings
        if (error is not None or broken is not None) and not (self.done and self.finish_reason):
            self.failed = chunk  # what comes after the answer's own end takes nothing away

    def add_stretch(self, stretch: Stretch) -> None:
        """The same as `add` of each of its chunks, in fewer steps where they are short and came one after the other."""
        stamps, texts, thinkings = stretch
        last = self.last_output_ns
        known = stamps if last is None else [last, *stamps]
        gaps = list(map(operator.sub, known[1:], known))
        if not self._streamed or len(max(texts, key=len)) >= LEAST_REPEATED or min(gaps, default=0) <= TOGETHER_NS:
            for chunk in stretch.chunks():
                self.add(chunk)
            return
        said = "".join(texts)
        if said:
            self._text.extend(filter(None, texts))
            self._text_chars += len(said)
            if self._first_answer_ns is None:
                self._first_answer_ns = next(ns for ns, text in zip(stamps, texts, strict=True) if text)
        self._thinking.extend(filter(None, thinkings))
        self._gaps.update(map(bucket, gaps))
        self._longest_gap_ns = max(self._longest_gap_ns or 0, max(gaps))
        if last is None:
            self.first_output_ns = stamps[0]
        self.last_output_ns = stamps[-1]
        self._stamps += stamps

    def _add_said(self, ns: int, text: str, thinking: str, calls: tuple[ToolCall, ...]) -> None:
        if text:
            self._text.append(text)
            self._text_chars += len(text)
        elif not thinking and not calls:
            return
        if thinking:
            self._thinking.append(thinking)
        if calls:
            self._pieces.extend(calls)
        self._add_output(ns, answer=bool(text or calls))

    def _new(
        self, text: str, thinking: str, calls: tuple[ToolCall, ...], whole: bool
    ) -> tuple[str, str, tuple[ToolCall, ...]]:
        """What of a chunk was not said before: some servers say all again at the end, as a message or a delta.

        Others do so in every chunk, or give each piece as a message.
        """
        if 0 < self._text_chars < LEAST_REPEATED**2:  # of texts that are each shorter than that
            self._end_cumulative(text)
        only_messages = self._messages == self.output_chunks
        self._messages += whole
        alike = abs(self._text_chars - len(text)) < LEAST_REPEATED and self.output_chunks > 1
        longer = self._text_chars >= (1 if whole else LEAST_REPEATED) and len(text) > self._text_chars
        said = self._said() if alike or longer else ""  # which is no longer than what is to be compared with it
        again = alike and text.strip() == said.strip()
        grown = longer and text.startswith(said) and (self._cumulative or not again) and (not whole or only_messages)
        if not grown and not again and (not whole or only_messages):
            return text, thinking, calls
        self._cumulative = self._cumulative or grown
        new_text = text[len(said) :] if grown else "" if self._text_chars else text
        new = (new_text, "" if any(self._thinking) else thinking, () if self._pieces else calls)
        if new != (text, thinking, calls):
            self.habits.add("repeated")
        return new

    def _said(self) -> str:
        """All text so far, also kept as one piece from now on."""
        self._text[:] = ["".join(self._text)]
        return self._text[0]

    def _end_cumulative(self, text: str) -> None:
        """If the short texts so far, and this one, each hold the one before, only the last of them counts."""
        texts = [piece for piece in self._text if piece]
        if not 1 < len(texts) < LEAST_REPEATED or not text.startswith(texts[-1]):
            return
        if all(len(one) < len(other) and other.startswith(one) for one, other in itertools.pairwise(texts)):
            self._cumulative = True
            self._text[:] = texts[-1:]
            self._text_chars = len(texts[-1])

    def _all_was_thinking(self) -> None:
        self._first_answer_ns = None
        self._thinking.extend(self._text)
        self._text.clear()
        self._text_chars = 0

    def _add_output(self, ns: int, *, answer: bool) -> None:
        self._stamps.append(ns)
        if answer and self._first_answer_ns is None:
            self._first_answer_ns = ns
        last = self.last_output_ns
        if last is None:
            self.first_output_ns = ns
        elif self._streamed:
            gap = ns - last
            number = bucket(gap)
            self._gaps[number] = self._gaps.get(number, 0) + 1
            if self._longest_gap_ns is None or gap > self._longest_gap_ns:
                self._longest_gap_ns = gap
            if gap <= TOGETHER_NS:
                self._together += 1
                if self._together == self.output_chunks - 1:
                    self._first_chunks = self.output_chunks
            if gap == 0:
                self._coalesced += 1
                self._late += ns in self._late_stamps
        self.last_output_ns = ns

    def describe_end(self) -> Ending:
        """What the verdict needs to know of the chunks."""
        counted = bool(self.usage.prompt_tokens or self.usage.output_tokens)
        return Ending(self.done, self.finish_reason, self.failed, self.output_chunks > 0, counted)

    def end(self, transcript: Transcript) -> None:
        """All chunks are in: durations that cannot be are taken out of `usage`, and `doubt` says why."""
        if self._whole:
            return
        self._whole = True
        counted = self.usage.output_tokens or 0
        # Of an answer that Ollama made in two runs (thinking, then a format), count and duration are of the second.
        all_counted = counted + SPARE_CHUNKS >= self.output_chunks
        first_ns = self.first_output_ns if all_counted else self._first_answer_ns
        last_ns = self.last_output_ns
        span_ns = None if first_ns is None or last_ns is None or not self._streamed else last_ns - first_ns
        self.usage, self.doubt = without_doubtful(self.usage, transcript, span_ns)

    def answer(self) -> Answer:
        """What was said, whole; the pieces of a tool call's arguments joined."""
        text, thinking = "".join(self._text), "".join(self._thinking)
        return Answer(text, thinking, join_calls(self._pieces), self._context, self._tagged)

    def record(
        self,
        identity: Identity,
        transcript: Transcript,
        outcome: str,
        error: str,
        *,
        prompt_text: str | None = None,
        phase: Phase = "steady",
        interpreted_ns: int | None = None,
        judged: CheckResults = UNJUDGED,
    ) -> Record:
        """The Record of the request that this answer belongs to; the texts are kept where the prompt's is given."""
        self.end(transcript)
        streamed, answer = self._streamed, self.answer()
        in_lumps = self._buffered(transcript) if streamed else None
        timed = streamed and not in_lumps
        # A body that was left open after the answer's own end, or broke off, makes the answer no longer.
        own_end = outcome == "ok" and not transcript.complete
        ended_ns = self._end_ns if own_end and self._end_ns else transcript.ended_ns
        texts = itertools.chain(self._thinking, self._text)
        made_until_ns = ended_ns if outcome == "ok" else self.last_output_ns
        return Record(
            identity=identity,
            outcome=outcome,
            error=error,
            status=transcript.status,
            retry_after_s=transcript.retry_after_s,
            finish_reason=self.finish_reason,
            habits=tuple(sorted(self.habits)),
            streamed=streamed,
            scheduled_ns=transcript.scheduled_ns,
            connect_ns=transcript.connect_ns,
            sent_ns=transcript.sent_ns,
            first_byte_ns=transcript.pieces[0][0] if transcript.pieces else None,
            first_output_ns=self.first_output_ns if timed else None,
            first_answer_ns=self._first_answer_ns if timed else None,
            last_output_ns=self.last_output_ns if timed else None,
            ended_ns=ended_ns,
            interpreted_ns=interpreted_ns,
            output_chunks=self.output_chunks,
            unread_chunks=self.unread_chunks,
            coalesced_chunks=self._coalesced,
            late_chunks=self._late,
            buffered=in_lumps,
            text_chars=len(answer.text),
            thinking_chars=len(answer.thinking),
            tool_calls=len(answer.tool_calls),
            gaps={} if in_lumps else self._gaps,
            longest_gap_ns=None if in_lumps else self._longest_gap_ns,
            moments=moments(self._stamps, made_until_ns, self.usage, texts, self._late_stamps) if timed else (),
            usage=self.usage,
            reads=transcript.kernel_stamps + transcript.clock_stamps,
            late_reads=len(transcript.late_stamps),
            read_lag_ns=transcript.read_lag_ns,
            clock_stamps=transcript.clock_stamps,
            clock_step_ns=transcript.clock_step_ns,
            resends=transcript.resends,
            embeddings=self.embeddings,
            phase=phase,
            judged=judged,
            kept=None if prompt_text is None else Kept(*map(_cut, (prompt_text, answer.text, answer.thinking))),
        )

    def _buffered(self, transcript: Transcript) -> bool | None:
        sent_ns, ended_ns = transcript.sent_ns, transcript.ended_ns
        e2e_ns = None if sent_ns is None or ended_ns is None else ended_ns - sent_ns
        # This client merges no more than what comes while it reads late: little of an answer, but where it always does.
        merged_ns = (transcript.read_lag_ns or 0) * len(transcript.late_stamps)
        late = self._late if e2e_ns is None or MERGED_SHARE * merged_ns >= e2e_ns else 0
        return is_buffered(self.output_chunks, self._together - late, self._first_chunks, e2e_ns, self.usage.eval_ns)


def _cut(text: str) -> str:
    if len(text) <= MOST_KEPT:
        return text
    return f"{text[:MOST_KEPT]} … [cut: {len(text)} characters in all]"
