"""`--columns prompt=question,system=context`: what a file's own columns are called here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tokenswarm.payloads.formats.own import FIELDS
from tokenswarm.payloads.wording import nearest, quote

NAMES = (*FIELDS, "context")
TEXTS = ("prompt", "system", "context", "id")


@dataclass(frozen=True)
class Columns:
    """Our names and the file's; `found` are those that a record had. A dot leads into an object: `row.question`."""

    names: Mapping[str, str]
    found: set[str] = field(default_factory=set)

    @property
    def texts(self) -> frozenset[str]:
        """The file's columns whose cells are texts, also where they look like numbers."""
        return frozenset(theirs for ours, theirs in self.names.items() if ours in TEXTS)

    def rename(self, record: Mapping[str, object]) -> Mapping[str, object]:
        """The record by our names: those that were given, and what it has of ours beside them."""
        kept = {name: value for name, value in record.items() if name in FIELDS and name not in self.names.values()}
        for ours, theirs in self.names.items():
            there, value = _look_up(record, theirs)
            if there:
                self.found.add(theirs)
                texts = ours in TEXTS and isinstance(value, int | float) and not isinstance(value, bool)
                kept[ours] = str(value) if texts else value
        if missing := [theirs for ours, theirs in self.names.items() if ours not in kept and theirs not in self.found]:
            hint = "" if "." in missing[0] else nearest(missing[0], record)
            raise ValueError(f"no column {quote(missing[0])}{hint or there_are(record)}")
        return kept


def there_are(record: Mapping[str, object]) -> str:
    """The columns of a record, as the end of an error message."""
    return f"; there are only {', '.join([*record][:20])}{', …' if len(record) > 20 else ''}"


def columns(text: str) -> Columns | None:
    """What `--columns` says; None if nothing. Raises ValueError."""
    names: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        ours, equals, theirs = (one.strip() for one in part.partition("="))
        if not equals or not theirs:
            raise ValueError(f"▸{part}◂ is no name=column; write prompt=question,system=context")
        if ours not in NAMES:
            hint = nearest(ours, NAMES) or f"; use {', '.join(NAMES[:4])} …"
            raise ValueError(f"▸{ours}◂ is no field of a prompt{hint}")
        if ours in names:
            raise ValueError(f"▸{ours}◂ stands twice; give it one column")
        names[ours] = theirs
    return Columns(names) if names else None


def _look_up(record: Mapping[str, object], path: str) -> tuple[bool, object]:
    if path in record:
        return True, record[path]
    head, dot, rest = path.partition(".")
    inner = record.get(head)
    if isinstance(inner, list) and dot:
        inner = {str(at): one for at, one in enumerate(inner)}
    return _look_up(inner, rest) if dot and isinstance(inner, Mapping) else (False, None)
