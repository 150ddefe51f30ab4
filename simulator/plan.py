"""What an answer will be, decided before its first token: tokens, lines and text; not yet when."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from simulator import faults, tokens

Kind = Literal["thinking", "text", "empty", "final", "headers"]

# A thinking model's tags as Ollama's template path shows them: four tokens each. /api/generate sends an empty line for
# some of them (3 of the opening, 2 of the closing), the other APIs send nothing while a tag is being matched.
_OPEN_TAG = ("tag", "tag", "tag", "hush")
_CLOSE_TAG = ("tag", "tag", "hush", "hush")
_LEAST_THINKING_TOKENS = len(_OPEN_TAG) + len(_CLOSE_TAG) + 4


class Line(NamedTuple):
    """One line (or SSE event) of a stream."""

    at_token: int  # it leaves when this token, counted from 1, has been generated
    tokens: int  # generated since the line before
    kind: Kind
    text: str


@dataclass(frozen=True)
class Plan:
    """An answer: tokens it takes (what `eval_count` will say), why it ends, and its lines in order."""

    output_tokens: int
    reason: Literal["stop", "length"]
    lines: tuple[Line, ...]
    tape_start: int

    def joined(self, kind: Kind) -> str:
        """All text of one kind, as the answer that is not streamed has it."""
        return "".join(line.text for line in self.lines if line.kind == kind)


@dataclass(frozen=True)
class Style:
    """How the API that is asked shows thinking."""

    tags_as_empty: bool = False  # /api/generate and /v1/completions: empty lines while a tag is matched
    thinking_as_empty: bool = False  # /v1/completions throws thinking away and sends empty chunks


def _raw_tags(pieces: int) -> list[tuple[str, str | None]]:
    """Token kinds of a model that writes its tags into the answer; `None` stands for the next word."""
    thinking = max(1, pieces // 3)
    said: list[tuple[str, str | None]] = [("text", "<thi"), ("text", "nk>\n")]
    said += [("text", None)] * thinking
    said += [("text", "\n</thi"), ("text", "nk>\n\n")]
    said += [("text", None) for _ in range(pieces - len(said))]
    return said


def _sequence(natural: int, *, thinks: bool, fault: faults.Fault) -> list[tuple[str, str | None]]:
    """Kind and text of each token in order, end-of-sequence token last."""
    if fault.silent:
        return [("hush", None)] * natural
    if fault.think_tags:
        return [*_raw_tags(max(natural - 1, 8)), ("hush", None)]
    if not thinks:
        return [*[("text", None)] * (natural - 1), ("hush", None)]
    spoken = max(natural, _LEAST_THINKING_TOKENS) - len(_OPEN_TAG) - len(_CLOSE_TAG) - 1
    thinking = max(1, spoken * 2 // 5)
    kinds = [*_OPEN_TAG, *["thinking"] * thinking, *_CLOSE_TAG, *["text"] * (spoken - thinking), "hush"]
    return [(kind, None) for kind in kinds]


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
) -> Plan:
    """Decide an answer of `natural` tokens cut at `limit` tokens (`None` = no limit); deterministic in its arguments.

    A line that holds several tokens leaves with the last of them, so there are never more lines than tokens.
    """
    sequence = _sequence(natural, thinks=thinks, fault=fault)
    reason: Literal["stop", "length"] = "stop"
    if limit is not None and limit < len(sequence) and not fault.ignores_limit:
        sequence, reason = sequence[:limit], "length"
    words, merges = tokens.text_tape(seed, cjk), tokens.merge_tape(seed, merge)
    start = key % len(words)
    lines: list[Line] = []
    counted = 0  # tokens already told of in a line
    held, want, begun = "", 0, ""  # text held back for a line of `want` tokens, and of what kind
    fresh = True  # a text begins without the space that its first word bears
    last = len(sequence)
    for number, (kind, fixed) in enumerate(sequence, start=1):
        if kind in ("tag", "hush"):
            if kind == "tag" and style.tags_as_empty:
                lines.append(Line(number, number - counted, "empty", ""))
                counted = number
            fresh = True
            continue
        place = (start + number) % len(words)
        word = words[place] if fixed is None else fixed
        held += word.lstrip() if fresh and fixed is None else word
        fresh = False
        if not want:
            want, begun = (fault.tokens_per_line or (merges[place] if lines and fixed is None else 1)), kind
        following = sequence[number][0] if number < last else ""
        want -= 1
        if want and following == begun and sequence[number][1] is None:
            continue
        shown: Kind = "text" if kind == "text" else "thinking"
        if kind == "thinking" and style.thinking_as_empty:
            shown, held = "empty", ""
        lines.append(Line(number, number - counted, shown, held))
        counted, held, want = number, "", 0
    return Plan(last, reason, tuple(lines), start)


def context_ids(start: int, count: int) -> str:
    """`count` token ids of a made-up vocabulary, joined by commas: the `context` that /api/generate hands back."""
    return ",".join(str(1000 + (start + step * 7919) % 250_000) for step in range(count))
