"""What an answer will be, decided before its first token: tokens, lines and text; not yet when."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from tokenswarm.simulator.model import faults, logprobs, script, tokens, tools
from tokenswarm.simulator.model.script import Task, Token
from tokenswarm.simulator.model.tools import PlannedCall

Kind = Literal["thinking", "text", "call", "empty", "final", "headers"]
Reason = Literal["stop", "length"]


class More(NamedTuple):
    """What few lines bear beside their text: tool calls, and log probabilities, each entry as JSON already."""

    calls: tuple[PlannedCall, ...] = ()
    logprobs: tuple[str, ...] = ()


class PlannedLine(NamedTuple):
    """One line (or SSE event) of a stream."""

    at_token: int  # it leaves when this token, counted from 1, has been generated
    tokens: int  # generated since the line before
    kind: Kind
    text: str
    more: More | None = None


@dataclass(frozen=True)
class Plan:
    """An answer: tokens it takes, why it ends, its lines in order, and what its last line says beside the counts."""

    output_tokens: int
    reason: Reason
    lines: tuple[PlannedLine, ...]
    tape_start: int
    last_text: str = ""  # part of a call that was cut, where the real one lets it out at the end
    last_calls: tuple[PlannedCall, ...] = ()  # on paths N and harmony calls come with the end
    error: str | None = None  # the end is this error instead
    undone: bool = False  # Ollama's guard against repeated tokens: a clean end without a done line
    first_run_tokens: int = 0  # of a model that is asked twice: the final counts are of the second run only

    @property
    def counted_tokens(self) -> int:
        """What `eval_count` will say."""
        return self.output_tokens - self.first_run_tokens

    def join(self, kind: Kind) -> str:
        """All text of one kind, as the answer that is not streamed has it."""
        said = "".join(line.text for line in self.lines if line.kind == kind)
        return said + self.last_text if kind == "text" else said

    def calls(self) -> tuple[PlannedCall, ...]:
        """All tool calls, as the answer that is not streamed has them."""
        return *(call for line in self.lines if line.more for call in line.more.calls), *self.last_calls

    def logprobs(self) -> tuple[str, ...]:
        """All log probabilities that are told."""
        return tuple(entry for line in self.lines if line.more for entry in line.more.logprobs)


@dataclass(frozen=True)
class Style:
    """How the API that is asked shows what the model says."""

    tags_as_empty: bool = False  # /api/generate and /v1/completions: empty lines while a tag is matched
    thinking_as_empty: bool = False  # /v1/completions throws thinking away and sends empty chunks
    native: bool = False  # Ollama's own: arguments of a tool call must be JSON


def make_plan(
    key: int,
    natural: int,
    limit: int | None,
    *,
    seed: int = 0,
    merge: float = 0.0,
    cjk: bool = False,
    thinks: bool = False,
    style: Style = Style(),
    fault: faults.Fault = faults.SOUND,
    task: Task | None = None,
    room: int | None = None,
    stop: tuple[str, ...] = (),
    top_logprobs: int | None = None,
) -> Plan:
    """Decide an answer of `natural` tokens cut at `limit` and at the `room` in the context (`None` = no limit).

    Deterministic in its arguments. A line that holds several tokens leaves with the last of them, so there are never
    more lines than tokens. `top_logprobs`: alternatives a token, `None` = no log probabilities at all.
    """
    task = task or Task(thinks=thinks)
    merges = tokens.merge_tape(seed, merge)
    start = (key if task.text_key is None else task.text_key) % len(merges)
    bounds = [bound for bound in (None if fault.ignores_limit else limit, room) if bound is not None]
    most = min([*bounds, tokens.LONGEST])
    sequence = script.write(natural, task, fault, start, most, seed=seed, cjk=cjk)
    reason: Reason = "stop"
    undone = fault.no_done_line or (fault.repeats and len(sequence) <= most)
    if len(sequence) > most:
        sequence, reason = sequence[:most], "length"
    held: set[int] = set()
    if stop:
        sequence, held, found = stop_at(sequence, stop)
        reason = "stop" if found else reason
    lines = _lines(sequence, merges, start, held, task, style, fault, top_logprobs)
    last_text, last_calls, error = _end(sequence, task, style, fault)
    restart = next((number for number, token in enumerate(sequence, 1) if token.kind == "restart"), 0)
    # Cut before the second run had a token, the counts are of the first.
    restart = restart if restart < len(sequence) else 0
    return Plan(len(sequence), reason, tuple(lines), start, last_text, last_calls, error, undone, restart)


def stop_at(sequence: list[Token], stops: tuple[str, ...]) -> tuple[list[Token], set[int], bool]:
    """The tokens up to the end of the first stop sequence, without its text; whether there was one.

    Also the numbers of the tokens whose text is held back since it could begin a stop sequence.
    """
    longest, tail = max(map(len, stops)), ""
    held: set[int] = set()
    for number, token in enumerate(sequence, start=1):
        tail = tail[-longest:] + token.text
        places = [place for one in stops if (place := tail.find(one)) >= 0]
        if places:
            return _without_end(sequence[:number], len(tail) - min(places)), held, True
        if any(tail.endswith(one[:size]) for one in stops for size in range(1, len(one))):
            held.add(number)
    return sequence, held, False


def _without_end(sequence: list[Token], characters: int) -> list[Token]:
    """The tokens with so many characters taken off their end: who loses all of its text is silent."""
    for place in range(len(sequence) - 1, -1, -1):
        if characters <= 0:
            break
        kind, text, calls = sequence[place]
        kept = text[: max(0, len(text) - characters)]
        characters -= len(text)
        sequence[place] = Token(kind if kept or kind not in ("text", "thinking") else "hush", kept, calls)
    return sequence


def _lines(
    sequence: list[Token],
    merges: tuple[int, ...],
    start: int,
    held_back: set[int],
    task: Task,
    style: Style,
    fault: faults.Fault,
    top: int | None,
) -> list[PlannedLine]:
    lines: list[PlannedLine] = []
    counted = 0  # tokens already told of in a line
    held, want, begun = "", 0, ""  # text held back for a line of `want` tokens, and of what kind
    probable: list[str] = []  # log probabilities for the next line
    last, whole_words = len(sequence), not (task.format or fault.think_tags or fault.leaks)
    silent_probable = top is not None and (task.path == "B" or bool(task.tools))
    for number, (kind, text, calls) in enumerate(sequence, start=1):
        if kind not in ("text", "thinking"):
            more = None
            if silent_probable and kind != "tag" and text:
                more = More(logprobs=(logprobs.entry(text, top or 0),))
            elif top is not None and kind == "tag" and style.tags_as_empty:
                more = More(logprobs=(logprobs.entry(text, top),))
            if calls and _tells_calls_at_once(task, style, fault):
                lines.append(
                    PlannedLine(number, number - counted, "call", "", More(calls, more.logprobs if more else ()))
                )
            elif more or kind == "restart" or (kind == "tag" and style.tags_as_empty):
                lines.append(PlannedLine(number, number - counted, "empty", "", more))
            else:
                continue
            counted = number
            continue
        if top is not None:
            probable.append(logprobs.entry(text, top))
        held += text
        if not want:
            place = (start + number) % len(merges)
            want, begun = (fault.tokens_per_line or (merges[place] if lines and whole_words else 1)), kind
        want -= 1
        if number < last and sequence[number].kind == begun:
            if number in held_back:
                want = max(1, want)
            if want:
                continue
        shown: Kind = "text" if kind == "text" else "thinking"
        if kind == "thinking" and style.thinking_as_empty:
            shown, held = "empty", ""
        lines.append(
            PlannedLine(number, number - counted, shown, held, More(logprobs=tuple(probable)) if probable else None)
        )
        counted, held, want = number, "", 0
        probable.clear()
    return lines


def _fails(task: Task, style: Style, fault: faults.Fault) -> bool:
    return fault.call_no_json or (fault.bad_arguments and style.native)


def _tells_calls_at_once(task: Task, style: Style, fault: faults.Fault) -> bool:
    return task.path in ("G", "B") and not _fails(task, style, fault)


def _end(
    sequence: list[Token], task: Task, style: Style, fault: faults.Fault
) -> tuple[str, tuple[PlannedCall, ...], str | None]:
    """What tool calls leave for the end: the text of a cut one, the calls that come last, or an error."""
    if not task.tools:
        return "", (), None
    complete = [number for number, token in enumerate(sequence) if token.calls]
    rest = [token for token in sequence[complete[-1] + 1 if complete else 0 :] if token.kind in ("call", "arguments")]
    if complete and _fails(task, style, fault):
        return "", (), tools.NO_JSON
    if task.path == "N" and any(token.kind == "arguments" for token in rest):
        return "", (), tools.CUT.format(_called(rest))
    if fault.drops_call or not rest:
        rest = []
    calls = tuple(call for number in complete for call in sequence[number].calls)
    text = "".join(token.text for token in rest) if task.bare else ""
    return text, () if task.path in ("G", "B") else calls, None


def _called(rest: list[Token]) -> str:
    """The name in a call that was cut within its arguments."""
    return "".join(token.text for token in rest).partition('"name": "')[2].partition('"')[0]
