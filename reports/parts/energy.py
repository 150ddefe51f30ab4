"""Energy and cost: J per output token, gross and net of idle, and what a million output tokens cost."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.capacity import found_trial
from tokenswarm.reports.parts.part import Part, Summary, only_lines
from tokenswarm.reports.parts.stages import bend
from tokenswarm.reports.readings import LOCAL, Readings, Track, growth_per_s, joules
from tokenswarm.reports.rejudging import as_mapping
from tokenswarm.reports.render.document import Cell, Code, Line, Section, Table
from tokenswarm.reports.render.numbers import many, number

LEAST_COVERED = 0.5  # of a window, below which a mean power is none
LEAST_LOOKS = 2  # in a stage or trial: between them it is the power of its neighbours
WHAT = {"gpu_j": "GPU", "gpu_w": "GPU", "cpu_j": "CPU and DRAM"}
PRICES = ("price_per_hour", "price_in", "price_out")
MILLION = 1e6


def energy(run: Run, summary: Summary) -> dict[str, Any] | None:
    """Mean power in the run's window and of the idle server (W), energy of the window (J), J per output token, also of
    each stage or trial; None where no power is known. What nobody knows is None: net without an idle server, all of it
    where the looks cover less than half of the window."""
    tracks, span = _of_power(run.readings), run.span
    if not tracks or not span:
        return None
    window = span[0] / 1e9, span[1] / 1e9
    told = as_mapping(run.info.get("server_side"))
    rest = told.get("idle_from_unix_s"), told.get("idle_to_unix_s")
    parts = [_part(track, window, rest) for track in tracks]
    mean_w, idle_w = _sum(parts, "mean_w"), _sum(parts, "idle_w")
    each = _per_token(mean_w, idle_w, summary["overall"]["tokens"]["output_tokens_per_s"])
    gross_j = each["j_per_output_token_gross"]
    return {
        "window_s": round(window[1] - window[0], 6),
        "energy_j": None if mean_w is None else round(mean_w * (window[1] - window[0]), 6),
        "mean_w": mean_w,
        "idle_w": idle_w,
        **each,
        "output_tokens_per_wh": round(3600 / gross_j, 6) if gross_j else None,
        "parts": parts,
        "loads": [one for one in _by_load(summary, tracks, idle_w) if one["mean_w"] is not None],
    }


def _per_token(mean_w: float | None, idle_w: float | None, per_s: float | None) -> dict[str, float | None]:
    net_w = None if mean_w is None or idle_w is None else mean_w - idle_w
    return {"j_per_output_token_gross": _each(mean_w, per_s), "j_per_output_token_net": _each(net_w, per_s)}


def _by_load(summary: Summary, tracks: list[Track], idle_w: float | None) -> Iterator[dict[str, Any]]:
    """Each stage, or each trial of a search, in the window of its tokens/s."""
    search = summary.get("capacity")
    for one in search["trials"] if search else summary["stages"]:
        since_ns, until_ns = one.get("from_unix_ns"), one.get("to_unix_ns")
        if isinstance(since_ns, int) and isinstance(until_ns, int) and since_ns < until_ns:
            window = since_ns / 1e9, until_ns / 1e9
            parts = [{"mean_w": _mean_w(track, window, LEAST_LOOKS)} for track in tracks]
            mean_w, per_s = _sum(parts, "mean_w"), one.get("output_tokens_per_s")
            yield {
                "load": "trial" if search else "stage",
                "number": one.get("trial") if search else one["stage"],
                "at": _at(one["load"], search) if search else _users(one["users"]),
                "window_s": round(window[1] - window[0], 6),
                "output_tokens_per_s": per_s,
                "mean_w": mean_w,
                **_per_token(mean_w, idle_w, per_s),
            }


def _users(users: str) -> str:
    return many(int(users), "user") if users.isdigit() else f"{users} users"  # a ramp


def _at(load: float, search: Mapping[str, Any]) -> str:
    return many(round(load), "user") if search.get("unit") == "users" else f"{number(load)} requests/s"


def _mean_w(track: Track, window: tuple[float, float], least_looks: int = 0) -> float | None:
    within = int(((track.unix_s >= window[0]) & (track.unix_s <= window[1])).sum())
    found = growth_per_s(track.unix_s, joules(track), *window)
    return round(found[0], 6) if found and found[1] >= LEAST_COVERED and within >= least_looks else None


def _of_power(seen: Readings) -> list[Track]:
    """What adds up to all that is known: GPUs by their counters, else by their power; CPUs."""
    return [*(seen.of("gpu_j") or seen.of("gpu_w")), *seen.of("cpu_j")]


def _part(track: Track, window: tuple[float, float], rest: tuple[Any, Any]) -> dict[str, Any]:
    used = growth_per_s(track.unix_s, joules(track), *window)
    known = isinstance(rest[0], (int, float)) and isinstance(rest[1], (int, float)) and rest[0] < rest[1]
    return {
        "source": track.source,
        "what": WHAT[track.series],
        "mean_w": _mean_w(track, window),
        "idle_w": _mean_w(track, rest) if known else None,
        "covered_percent": round(100 * used[1], 3) if used else 0.0,
    }


def _sum(parts: list[dict[str, Any]], name: str) -> float | None:
    known = [part[name] for part in parts if part[name] is not None]
    return round(sum(known), 6) if len(known) == len(parts) else None


def _each(power_w: float | None, per_s: float | None) -> float | None:
    return round(power_w / per_s, 6) if power_w is not None and per_s else None


def cost(run: Run, summary: Summary) -> dict[str, Any] | None:
    """The prices, and for each of `loads` what a million output tokens cost there: `by_hour`, at its tokens/s, and
    `by_tokens`, with the prompts that it had for them. None without a price."""
    options = as_mapping(run.info.get("options"))
    prices = {name: _price(options.get(name)) for name in PRICES}
    if not any(prices.values()):
        return None
    loads = [
        {
            "load": name,
            "at": at,
            "output_tokens_per_s": per_s,
            "by_hour": _by_hour(prices["price_per_hour"], per_s),
            "by_tokens": _by_tokens(prices, rows),
        }
        for name, at, per_s, rows in _loads(run, summary)
    ]
    return {**prices, "loads": loads}


def _price(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value > 0 else None


def _by_hour(per_hour: float | None, tokens_per_s: float | None) -> float | None:
    return round(per_hour / (3600 * tokens_per_s) * MILLION, 6) if per_hour and tokens_per_s else None


def _by_tokens(prices: Mapping[str, float | None], rows: Any) -> float | None:
    counted = rows[rows["output_tokens"].notna()]
    output, prompt = int(counted["output_tokens"].sum()), int(counted["prompt_tokens"].sum())
    if not output or not (prices["price_in"] or prices["price_out"]):
        return None
    return round((prices["price_out"] or 0.0) + (prices["price_in"] or 0.0) * prompt / output, 6)


def _loads(run: Run, summary: Summary) -> Iterator[tuple[str, str, float | None, Any]]:
    """This load (of a search: the one that was found), and the knee of the load curve, where there is one."""
    frame, search = run.measured, summary.get("capacity")
    if not search:
        yield "this run", "", summary["overall"]["tokens"]["output_tokens_per_s"], frame
        if bent := bend(summary["stages"]):
            knee = bent[0]
            yield (
                "the knee",
                many(int(knee["users"]), "user"),
                knee["output_tokens_per_s"],
                _of_stage(frame, knee["stage"]),
            )
        return
    at_knee = as_mapping(search.get("knee")).get("load")
    tried = {trial["load"]: trial for trial in search["trials"]}
    for name, trial in (("the load that was found", found_trial(search)), ("the knee", tried.get(at_knee))):
        if trial:
            yield (
                name,
                _at(trial["load"], search),
                trial.get("output_tokens_per_s"),
                _of_stage(frame, trial.get("trial")),
            )


def _of_stage(frame: Any, stage: Any) -> Any:
    return frame[frame["stage"] == stage]


def section(summary: Summary) -> Section:
    """The section of the report; empty where neither power nor price is known."""
    found, priced = summary.get("energy"), summary.get("cost")
    lines: list[Line] = [(said,) for said in _of_energy(found)] if found else []
    tables = [_power_table(found)] if found else []
    if found and found["loads"]:
        tables.append(_load_table(found["loads"]))
    if priced:
        tables.append(_cost_table(priced))
    title = "Energy and cost" if found and priced else "Energy" if found else "Cost"
    return Section("energy", title, lines=tuple(lines), tables=tuple(tables))


def sentences(summary: Summary) -> list[str]:
    """What the terminal shows of it: J per output token, and what a million cost at each load."""
    found, said = summary.get("energy") or {}, []
    if (gross := found.get("j_per_output_token_gross")) is not None:
        net = found["j_per_output_token_net"]
        more = "" if net is None else f", {number(net)} net of the idle server"
        said.append(f"{number(gross)} J per output token ({number(found['mean_w'])} W){more}.")
    for one in (summary.get("cost") or {}).get("loads", ()):
        prices = (("by_hour", "by the hour"), ("by_tokens", "by the token"))
        costs = [f"{number(one[name])} {how}" for name, how in prices if one[name] is not None]
        if costs:
            said.append(f"A million output tokens cost {' and '.join(costs)} at {_place(one)}.")
    return said


def _place(one: Mapping[str, Any]) -> str:
    return " at ".join(filter(None, (one["load"], one["at"])))


def _of_energy(found: Mapping[str, Any]) -> Iterator[str]:
    if (gross := found["j_per_output_token_gross"]) is not None:
        yield (
            f"{number(gross)} J per output token: {number(found['mean_w'])} W over {number(found['window_s'])} s. That "
            f"is {number(found['output_tokens_per_wh'])} output tokens per Wh."
        )
    if (net := found["j_per_output_token_net"]) is not None:
        yield f"{number(net)} J of it are the load's: the idle server took {number(found['idle_w'])} W before it."
    if any(part["source"] in LOCAL for part in found["parts"]):
        yield "The power of this machine holds that of the load's own client, too."
    if any(part["mean_w"] is None for part in found["parts"]):
        yield "The looks cover less than half of the run's window: its mean power is not known."


def _power_table(found: Mapping[str, Any]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            part["what"],
            Code(part["source"]),
            number(part["mean_w"]),
            number(part["idle_w"]),
            number(part["covered_percent"]),
        )
        for part in found["parts"]
    ]
    return Table(("power of", "said by", "mean, W", "idle, W", "of the window, %"), tuple(rows), names=2)


def _load_table(loads: Sequence[Mapping[str, Any]]) -> Table:
    names = ("mean_w", "output_tokens_per_s", "j_per_output_token_gross", "j_per_output_token_net")
    rows = tuple(
        (str(one["number"]), one["at"].partition(" ")[0], *(number(one[name]) for name in names)) for one in loads
    )
    unit = "requests/s" if loads[0]["at"].endswith("requests/s") else "users"
    heads = ("mean, W", "output tokens/s", "J per output token", "net of idle, J")
    return Table((loads[0]["load"], unit, *heads), rows, names=2)


def _cost_table(priced: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            _place(one),
            number(one["output_tokens_per_s"]),
            number(one["by_hour"]),
            number(one["by_tokens"]),
        )
        for one in priced["loads"]
    )
    heads = ("a million output tokens cost", "output tokens/s", "by the hour", "by the token, with their prompts")
    return Table(heads, rows)


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`energy` and `cost`, where they are known."""
    found = energy(run, summary)
    priced = cost(run, summary)
    return ({"energy": found} if found else {}) | ({"cost": priced} if priced else {})


PART = Part(section, data, terminal=only_lines(sentences))
