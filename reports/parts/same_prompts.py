"""The same prompts through several APIs of one engine: side by side, and what each costs, prompt by prompt."""

from collections.abc import Mapping, Sequence
from typing import Any

from tokenswarm.reports.compare import blocks
from tokenswarm.reports.compare.student import quantile
from tokenswarm.reports.intervals import ALPHA, LEAST_WORTH
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.percentiles import describe
from tokenswarm.reports.render.document import Cell, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number

SHOWN = ("prompt_tokens", "output_tokens", "ttft_ms", "tpot_ms", "e2e_ms")
COMPARED = ("prompt_tokens", "ttft_ms", "tpot_ms")
_PROMPT = ["worker", "round"]
_NEEDED = (*_PROMPT, "turn", "endpoint", "outcome", *SHOWN)


def same_prompts(frame: Any) -> dict[str, Any] | None:
    """`apis` by endpoint, of first turns with outcome ok: n, p50s; `against`: of the prompts that were answered through
    both, the mean difference to `base`, the first API, with n and interval at 95 % (None: too few); None without.
    """
    rows = frame[frame["round"].notna() & (frame["turn"] == 1) & (frame["outcome"] == "ok")].frame(_NEEDED)
    paths = sorted(map(str, rows["endpoint"].unique()), key=lambda path: (not path.startswith("/api/"), path))
    if len(paths) < 2:
        return None
    by_path = {path: rows[rows["endpoint"] == path].set_index(_PROMPT).sort_index() for path in paths}
    base = by_path[paths[0]]
    return {
        "base": paths[0],
        "apis": {
            path: {
                "n": len(some),
                **{name: describe(_values(some[name]), (50.0,)) for name in SHOWN},
                "against": None if path == paths[0] else {name: _difference(some, base, name) for name in COMPARED},
            }
            for path, some in by_path.items()
        },
    }


def _values(column: Any) -> Any:
    return column.to_numpy(dtype="float64", na_value=float("nan"))


def _difference(some: Any, base: Any, name: str) -> dict[str, Any]:
    both = some[[name]].join(base[name].rename("base"), how="inner").dropna().sort_index(level="round")
    found = _values(both[name]) - _values(both["base"])
    mean = round(float(found.mean()), 6) if len(found) else None
    interval: list[float] | None = None
    if mean is not None and len(found) > 1 and blocks.worth(found) >= LEAST_WORTH:
        error, df = blocks.standard_error(found)
        half = quantile(ALPHA, df) * error
        interval = [round(mean - half, 6), round(mean + half, 6)]
    return {"mean": mean, "n": len(found), "interval": interval}


def section(summary: Mapping[str, Any]) -> Section:
    """The section of the report; empty where each prompt was asked once."""
    found = summary.get("same_prompts")
    if not found:
        return Section("same-prompts", "The same prompts")
    base = found["base"]
    rows = tuple((path, *_cells(api)) for path, api in found["apis"].items())
    n = max(api["against"]["prompt_tokens"]["n"] for api in found["apis"].values() if api["against"])
    lines = (
        f"Each prompt was asked through each API, in turns; {many(n, 'prompt')} answered through two of them at least.",
        f"What an API costs beside {base}: the mean difference of the same prompt (± at 95 %). How long the answers "
        "were shows in the E2E.",
        "Each asks with a mark of its own, so that no cache helps: a few prompt tokens more or less may be the mark's.",
    )
    columns = (
        "API",
        "n",
        "prompt tokens p50",
        "output tokens p50",
        "TTFT p50, ms",
        "TPOT p50, ms",
        "E2E p50, ms",
        "prompt tokens more",
        "TTFT more, ms",
        "TPOT more, ms",
    )
    return Section(
        "same-prompts", "The same prompts", lines=tuple((line,) for line in lines), tables=(Table(columns, rows),)
    )


def _cells(api: Mapping[str, Any]) -> Sequence[Cell]:
    against = api["against"]
    more = [against[name] if against else None for name in COMPARED]
    return (
        integer(api["n"]),
        *(number(api[name]["p50"]) for name in SHOWN),
        *(_more(one) if one else "" for one in more),
    )


def _more(difference: Mapping[str, Any]) -> str:
    mean, interval = difference["mean"], difference["interval"]
    return f"{number(mean)} ± {number(interval[1] - mean)}" if interval else number(mean)


def _data(run: Run, summary: Summary) -> dict[str, Any]:
    found = same_prompts(run.measured)
    return {"same_prompts": found} if found else {}


PART = Part(section, data=_data)
