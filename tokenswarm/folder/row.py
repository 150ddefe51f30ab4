"""A Record as a row of requests.csv, both ways: identity, METRICS, what the checks noted, texts if they are kept."""

from collections.abc import Callable, Sequence
from typing import Any

from tokenswarm.metrics import text as plain
from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.load_state import load_state
from tokenswarm.metrics.moments import MOMENTS
from tokenswarm.metrics.record import Record

Cell = str | int | float | None

IDENTITY = (
    "worker",
    "sequence",
    "user_class",
    "endpoint",
    "model",
    "prompt_id",
    "session",
    "turn",
    "turn_kind",
    "turns_left",
    "stage",
    "arrival",
    "round",
    "streamed",
    "phase",
    "load_state",
    "outcome",
    "status",
    "retry_after_s",
    "finish_reason",
    "error",
    "max_tokens",
    "token_source",
    "ledger_source",
    "scheduled_unix_ns",
    "sent_unix_ns",
    "ended_unix_ns",
)
INTEGERS = (
    "worker",
    "sequence",
    "session",
    "turn",
    "turns_left",
    "stage",
    "arrival",
    "round",
    "streamed",
    "status",
    "max_tokens",
    "scheduled_unix_ns",
    "sent_unix_ns",
    "ended_unix_ns",
)
PACE = tuple(name for pair in MOMENTS for name in pair)
_NO_PACE = (None,) * len(PACE)
JUDGED = ("habits", "check_notes", "text_digest", "request_digest")
TEXTS = ("prompt_text", "output_text", "thinking_text")
MOST_CHARACTERS = 1000  # of a cell; only texts that are kept may be longer
_KINDS = {"duration": "duration", "rate": "rate", "count": "whole", "check": "whole", "histogram": "histogram"}
# What the cells of a column must be, where they are more than text.
NUMBERS = {
    **dict.fromkeys(INTEGERS, "whole"),
    "retry_after_s": "rate",
    **{metric.name: _KINDS[metric.kind] for metric in METRICS},
    **{name: kind for pair in MOMENTS for name, kind in zip(pair, ("whole", "rate"), strict=True)},
}
_VALUES: dict[str, Callable[[str], Cell]] = {"whole": int, "rate": float, "duration": float, "histogram": str}
_DECODERS = {name: _VALUES[kind] for name, kind in NUMBERS.items()}
COLUMNS = (*IDENTITY, *(metric.name for metric in METRICS), *PACE, *JUDGED, *TEXTS)


def row(record: Record) -> list[Cell]:
    """The cells of a record in the order of COLUMNS; None is an empty cell. ms and rates are rounded to 1e-6."""
    who, kept = record.identity, record.kept
    cells: list[Cell] = [
        who.worker,
        who.sequence,
        who.user_class,
        who.endpoint,
        who.model,
        who.prompt_id,
        who.sequence if who.session is None else who.session,
        who.turn,
        who.turn_kind,
        who.turns_left,
        who.stage,
        who.arrival,
        who.round,
        int(record.streamed),
        record.phase,
        load_state(None if (load := record.usage.load_ns) is None else load / 1e6, who.memory),
        record.outcome,
        record.status,
        record.retry_after_s,
        record.finish_reason or None,
        record.error or None,
        who.max_tokens,
        record.usage.source,
        record.usage.engine,
        record.scheduled_ns,
        record.sent_ns,
        record.ended_ns,
    ]
    for metric in METRICS:
        value = metric.of(record)
        cells.append(round(value, 6) if isinstance(value, float) else value)
    cells += _NO_PACE if not record.moments else [*sum(record.moments, ()), *_NO_PACE][: len(PACE)]
    judged = record.judged
    cells += [
        " ".join(record.habits) or None,
        judged.notes or None,
        judged.text_digest,
        judged.request_digest,
    ]
    texts = (kept.prompt, kept.output, kept.thinking) if kept else (None, None, None)
    lines = [_line(cell) if type(cell) is str else cell for cell in cells]
    return [*lines, *(None if text is None else plain.cell(_text(text)) for text in texts)]


class Row(dict[str, Any]):
    """A row read back: what `row` made of the record, by column; None where a cell is empty, or no such column is.

    Cells are whole numbers, numbers or texts as the column has them (histograms stay text), and are decoded when they
    are first asked for: most are not. Asking raises ValueError where a cell is none of that.
    """

    __slots__ = ("_cells",)

    def __init__(self, cells: Sequence[str], columns: Sequence[str] = COLUMNS) -> None:
        super().__init__()
        self._cells = dict(zip(columns, cells, strict=False))

    def __missing__(self, name: str) -> Cell:
        cell = self._cells.get(name)
        value = _DECODERS.get(name, plain.text)(cell) if cell else None
        self[name] = value
        return value


def _line(text: str) -> str:
    """A text that others gave (a name, an id, a reason, an error), as one line that any reader of CSV can read."""
    if len(text) > MOST_CHARACTERS or not text.isprintable():
        # A lone surrogate can be put neither into a file nor into a message to the master.
        text = plain.plain(text[:MOST_CHARACTERS].encode("utf-8", "replace").decode())
    return plain.cell(text)


def _text(text: str) -> str:
    # A bare carriage return is not quoted in a file with "\n" line ends: readers would take it for one.
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\\x00")
    return text.encode("utf-8", "replace").decode()
