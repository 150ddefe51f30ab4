"""What `probe` found out about the server, and what that means for the run."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary, only_lines
from tokenswarm.reports.rejudging import as_mapping
from tokenswarm.reports.render.document import Cell, Line, Section, Table
from tokenswarm.reports.render.numbers import integer, number


def section(summary: Mapping[str, Any]) -> Section:
    """The findings beside the run; empty where nothing was probed."""
    probe = summary.get("probe")
    if not probe:
        return Section("probe", "The server, probed")
    figures = _figures(probe)
    rows: list[tuple[Cell, ...]] = [
        (str(figure.get("label") or name), _value(figure), _how(figure)) for name, figure in figures.items()
    ]
    cost = f"{probe.get('model')} at {probe.get('target')}, in {number(probe.get('seconds'))} s, apart from the load."
    lines: list[Line] = [(said,) for said in sentences(summary)]
    table = Table(("figure", "value", "how it was found"), tuple(rows), names=3)
    return Section("probe", "The server, probed", lines=(*lines, (cost,)), tables=(table,))


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """What the findings mean for this run: slots beside its users, the rates of one stream beside the measured."""
    figures = _figures(summary.get("probe") or {})
    said = []
    slots = figures.get("slots", {})
    if slots.get("value") is not None:
        options = summary["circumstances"]["options"]
        # In an open loop the users are but the most requests that may be in flight.
        said.append(
            _slots(slots, None if options.get("arrivals") or options.get("trace") else options.get("num_users"))
        )
    measured = (summary["overall"]["metrics"].get("decode_tokens_per_s") or {}).get("p50")
    if alone := figures.get("decode_tokens_per_s", {}).get("value"):
        beside = f"; p50 in this run {number(measured)}, {number(100 * measured / alone)} % of it" if measured else ""
        said.append(
            f"One stream alone: {number(alone)} tokens/s (probed{_exact(figures['decode_tokens_per_s'])}){beside}."
        )
    context = figures.get("context_tokens", {})
    if context.get("value"):
        said.append(f"Context: {_value(context)} ({context.get('how')}).")
    return said


def _slots(slots: Mapping[str, Any], users: object) -> str:
    count, had = slots["value"], f"this run had {integer(users)} users" if isinstance(users, int) else ""
    if slots.get("at_least"):
        return f"At least {count} slots (probed){'; ' + had if had else ''}."
    if not isinstance(users, int):
        return f"{count} slots (probed), so beyond {count} requests at once TTFT is queueing."
    if users <= count:
        return f"{count} slots (probed), and {had}: TTFT holds no wait for a slot, if nobody else asked."
    return f"{count} slots (probed), so beyond {count} users TTFT is queueing: {had}."


def _figures(probe: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = probe.get("figures")
    return {name: f for name, f in found.items() if isinstance(f, dict)} if isinstance(found, dict) else {}


def _value(figure: Mapping[str, Any]) -> str:
    value = figure.get("value")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "not known"
    shown = integer(value) if isinstance(value, int) else number(value)
    return f"{'≥ ' if figure.get('at_least') else ''}{shown} {figure.get('unit') or ''}".strip()


def _how(figure: Mapping[str, Any]) -> str:
    return f"{figure.get('how')} (n={figure['n']}{_exact(figure)})" if figure.get("n") else str(figure.get("how") or "")


def _exact(figure: Mapping[str, Any]) -> str:
    spread = figure.get("spread_percent")
    return f", ± {number(spread)} %" if spread is not None else ""


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`probe`, as run.json has it, of a run that was told to probe."""
    found = as_mapping(run.info.get("probe"))
    return {"probe": found} if found else {}


PART = Part(section, data, terminal=only_lines(sentences))
