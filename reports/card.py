"""`card`: a run in ten lines to paste into an issue, a chat, a table of results."""

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tokenswarm.metrics.slo.language import as_said
from tokenswarm.metrics.text import plain
from tokenswarm.reports.again import command
from tokenswarm.reports.listing import find_run
from tokenswarm.reports.load import Run, load
from tokenswarm.reports.parts.depths import bench_lines
from tokenswarm.reports.parts.load_shape import load_line
from tokenswarm.reports.parts.stages import users_at_slos
from tokenswarm.reports.parts.steady import find_headline
from tokenswarm.reports.parts.time_spent import LABELS, accounts, main_account
from tokenswarm.reports.rejudging import as_mapping
from tokenswarm.reports.render.chinese import LANGUAGES, zh
from tokenswarm.reports.render.numbers import give_or_take, integer, number
from tokenswarm.reports.summary import summarise

SHOWN_OF_DIGEST = 12
ABOUT = frozenset({"load", "requests", "again", "users at SLO", "VALID", "INVALID", "Where it saturates"})
LATENCIES = {"ttft_ms": "TTFT", "tpot_ms": "TPOT", "e2e_ms": "E2E"}


def card(run: Run, summary: Mapping[str, Any]) -> str:
    """The lines; what a run does not have is left out."""
    software = summary["circumstances"]["software"]
    known = (f"{name} {software[name]}" for name in ("tokenswarm", "locust", "python") if name in software)
    versions = ", ".join((*known, *_models(run)))
    lines = [
        f"{summary['validity']['verdict']}: {summary['run']['run']}" + (f" ({versions})" if versions else ""),
        f"load: {load_line(summary)}",
        _requests(summary),
        *_stages(summary),
        *_rates(summary),
        *_latencies(summary),
        *_speeds(summary),
        *_slos(summary),
        *(f"{about}: {said}" for about, said in summary["conclusions"].items() if about == "Where it saturates"),
        *_ledger(summary),
        *([f"again: {again}"] if (again := command(run.info)) else []),
    ]
    return "".join(f"{plain(line)}\n" for line in lines)


def _models(run: Run) -> list[str]:
    """Which they were, by as much of their digest as `ollama list` shows: a name may become another's."""
    digests = as_mapping(as_mapping(run.info.get("target")).get("digests"))
    return [f"{name} {str(digest)[:SHOWN_OF_DIGEST]}" for name, digest in digests.items()]


def _requests(summary: Mapping[str, Any]) -> str:
    counts = summary["overall"]["requests"]
    others = ", ".join(f"{integer(n)} {name}" for name, n in counts["by_outcome"].items() if name != "ok")
    said = f"requests: {integer(counts['by_outcome'].get('ok', 0))} of {integer(counts['total'])} ok"
    return said + (f" ({others})" if others else "")


def _stages(summary: Mapping[str, Any]) -> list[str]:
    """By users: tokens/s and TTFT p50; how many of them the SLOs allow."""
    held = [
        f"{stage['users']}: {number(stage['output_tokens_per_s'])} ({number(stage['ttft_ms']['p50'])} ms)"
        for stage in summary["stages"]
    ]
    said = [f"users: tokens/s (TTFT p50): {', '.join(held)}"] if held else []
    most = users_at_slos(summary["stages"]) if summary["slos"] else None
    return [*said, *([f"users at SLO: {integer(most)}"] if most is not None else [])]


def _rates(summary: Mapping[str, Any]) -> list[str]:
    names = {"output_tokens_per_s": "output tokens/s", "vectors_per_s": "vectors/s"}
    names |= {"ok_per_s": "requests/s", "goodput_per_s": "goodput/s"}
    known = {label: find_headline(summary, name) for name, label in names.items()}
    said = ", ".join(f"{give_or_take(f['value'], f['interval'])} {label}" for label, f in known.items() if f)
    said = ", ".join(filter(None, (said, _energy(summary))))
    search = summary.get("capacity", {})
    if not search or not said:
        return [said] if said else []
    if search.get("unit") == "users":
        return [f"users at SLO: {integer(round(search['answer']))}; {said}"]
    return [f"requests/s at SLO: {number(search['answer'])}; {said}"]


def _energy(summary: Mapping[str, Any]) -> str:
    """J a token, where somebody looked at the power."""
    found = as_mapping(summary.get("energy"))
    gross, net = (found.get(f"j_per_output_token_{which}") for which in ("gross", "net"))
    idle = f" ({number(net)} above idle)" if net is not None else ""
    return f"{number(gross)} J/output token{idle}" if gross is not None else ""


def _latencies(summary: Mapping[str, Any]) -> list[str]:
    said = []
    for name, label in LATENCIES.items():
        p50, p95 = (find_headline(summary, f"{name}_p{percent}") for percent in (50, 95))
        if p50:
            said.append(f"{label} {number(p50['value'])} / {number(p95.get('value'))}")
    return [f"p50 / p95, ms: {', '.join(said)}"] if said else []


def _speeds(summary: Mapping[str, Any]) -> list[str]:
    """As llama-bench names them: prefill of so many prompt tokens, decoding of so many; of depths a line each."""
    if by_depth := bench_lines(summary):
        return by_depth
    metrics = summary["overall"]["metrics"]
    sizes = {"pp": ("prompt_tokens", "prompt_tokens_per_s"), "tg": ("output_tokens", "decode_tokens_per_s")}
    said = [
        f"{test}{metrics[size]['p50']:.0f} {number(metrics[rate]['p50'])} t/s"
        for test, (size, rate) in sizes.items()
        if metrics.get(size, {}).get("p50") and metrics.get(rate, {}).get("p50")
    ]
    return [f"one stream, p50: {', '.join(said)}"] if said else []


def _slos(summary: Mapping[str, Any]) -> list[str]:
    said = []
    for slo in summary["slos"]:
        value, unit = as_said(str(slo["slo"]), slo["figure"])
        said.append(f"{slo['slo']}: {slo['state']} ({number(value)}{unit})")
    return [f"SLO {'; '.join(said)}"] if said else []


def _ledger(summary: Mapping[str, Any]) -> list[str]:
    found = main_account(summary)
    if not found:
        return []
    whole, every = found["sum_mean_ms"], sum(one["n"] for one in accounts(summary))
    parts = sorted(found["parts_mean_ms"].items(), key=lambda part: -part[1])
    shown = (f"{LABELS[name]} {number(100 * ms / whole)} %" for name, ms in parts if whole and ms >= 0.01 * whole)
    of = f" (of {integer(found['n'])} of {integer(every)} requests)" if found["n"] < every else ""
    return [f"a mean request, {number(whole)} ms{of}: {', '.join(shown)}"]


def _zh(line: str) -> str:
    """A line whose first words say what it is about, each translated for itself."""
    if line.startswith("SLO "):
        return f"SLO {'；'.join(map(zh, line[4:].rstrip().split('; ')))}\n"
    about, colon, rest = line.rstrip("\n").partition(": ")
    if about.startswith("a mean request"):
        parts = (part.rsplit(" ", 2) for part in re.split("(?<=%), ", rest))  # a name, a share, %
        return f"{zh(about)}：{'，'.join(' '.join((zh(name), *share)) for name, *share in parts)}\n"
    if not colon or about not in ABOUT:
        return zh(line.rstrip("\n")) + "\n"
    return f"{zh(f'{about}: ')}{zh(rest)}\n"


def main(arguments: Sequence[str]) -> int:
    """`card RUN`. Raises ReportError."""
    parser = argparse.ArgumentParser(prog="python -m reports card", description=__doc__)
    parser.add_argument("run", help="a run's folder, its name in runs/, or latest")
    parser.add_argument("--lang", choices=LANGUAGES, default="en")
    options = parser.parse_args(arguments)
    run = load(find_run(options.run))
    said = card(run, summarise(run))
    print("".join(map(_zh, said.splitlines(keepends=True))) if options.lang == "zh" else said, end="")
    return 0
