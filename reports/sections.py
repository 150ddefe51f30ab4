"""A run's report as a Document, from its summary: the head, and the sections of PARTS."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.describe import buffered
from tokenswarm.reports.parts import PARTS, tokens
from tokenswarm.reports.parts.embeddings import vectors_per_s
from tokenswarm.reports.render.document import Cell, Code, Document, Section
from tokenswarm.reports.render.numbers import BUFFERED, integer, many, number

Summary = Mapping[str, Any]
ALWAYS = frozenset({"findings", "probe", "workers", "options", "software", "glossary"})  # also where nobody asked


def document(summary: Summary) -> Document:
    """The report, with the folded sections at the end."""
    sections = [part.section(summary) for part in PARTS if part.section]
    if not summary["overall"]["requests"]["total"]:
        sections = [section for section in sections if section.key in ALWAYS]
    shown = tuple(sorted(filter(_any, sections), key=lambda section: section.folded))
    run, validity = summary["run"]["run"], summary["validity"]["verdict"]
    return Document(run, validity, _facts(summary), summary["verdict"], _tiles(summary), shown)


def _any(section: Section) -> bool:
    return bool(section.lines or section.items or section.tables)


def _facts(summary: Summary) -> tuple[tuple[str, Cell], ...]:
    run, window = summary["run"], summary["window"]
    server = " ".join(str(run[name]) for name in ("kind", "version") if run[name])
    duration = f"{number(run['duration_s'])} s" if run["duration_s"] else ""
    window_s = f"{number(window['window_s'])} s, first sent to last ended" if window["window_s"] else ""
    if window["left_out"]:
        window_s += f", without the warm-up ({many(window['left_out'], 'request')})"
    pairs: tuple[tuple[str, Cell], ...] = (
        ("target", Code(run["host"] or "")),
        ("server", Code(server)),
        ("model", Code(run["model"] or "")),
        ("run took", duration),
        ("window", window_s),
        ("state", run["state"]),
    )
    return tuple((label, cell) for label, cell in pairs if (cell.text if isinstance(cell, Code) else cell))


def _tiles(summary: Summary) -> tuple[tuple[str, str], ...]:
    requests, metrics = summary["overall"]["requests"], summary["overall"]["metrics"]
    if not requests["total"]:
        return ()
    none = dict.fromkeys(("p50", "p95", "p99"))
    ttft, itl, e2e = (metrics.get(name, none) for name in ("ttft_ms", "itl_ms", "e2e_ms"))
    in_lumps = buffered(metrics)
    rate = summary["overall"]["tokens"]["output_tokens_per_s"]
    vectors = vectors_per_s(summary["embedding"])
    tiles = [("requests ok", f"{integer(requests['by_outcome'].get('ok', 0))} / {integer(requests['total'])}")]
    if vectors is not None:
        tiles.append(("vectors/s", number(vectors)))
    if tokens.generates(summary["overall"]):
        tiles.append(("output tokens/s", number(rate)))
        shown = BUFFERED if in_lumps else f"{number(ttft['p50'])} / {number(ttft['p95'])}"
        tiles.append(("TTFT p50 / p95, ms", shown))
        tiles.append(("ITL p50 / p99, ms", BUFFERED if in_lumps else f"{number(itl['p50'])} / {number(itl['p99'])}"))
    return (*tiles, ("E2E p50 / p95, ms", f"{number(e2e['p50'])} / {number(e2e['p95'])}"))
