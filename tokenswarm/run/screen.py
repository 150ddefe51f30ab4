"""What the terminal shows while a run goes on: a block of lines, or one line now and then. Pure."""

from collections.abc import Callable, Mapping
from typing import Any
from unicodedata import east_asian_width

from tokenswarm.metrics.live_view import Count, LiveView, percentiles
from tokenswarm.metrics.percentile import is_supported
from tokenswarm.metrics.text import plain
from tokenswarm.run.progress import Progress

MOST_FINDINGS, MOST_GROUPS = 3, 8
_BAR = 16
_NAME = 11  # columns of what stands before a line
_ZH = {
    "running": "运行中",
    "warm-up": "预热",
    "ramp-up": "增加用户中",
    "ending": "正在结束",
    "left": "剩余",
    "users": "用户",
    "tokens/s": "Token/s",
    "out": "输出",
    "in": "输入",
    "total": "合计",
    "streams": "并发流",
    "active": "生成中",
    "waiting": "等待中",
    "longest wait": "最长等待",
    "first byte": "首字节",
    "next byte": "下一字节",
    "next": "下一字节",
    "requests": "请求",
    "asked": "请求",
    "answered": "已回答",
    "none ended yet": "还没有结束的",
    "last 10 s": "最近 10 s",
    "p95 needs more": "p95 需要更多样本",
}


def words(lang: str) -> Callable[[str], str]:
    """The words in that language."""
    return (lambda text: _ZH.get(text, text)) if lang == "zh" else str


def block(now: Progress, view: LiveView, columns: int, lang: str = "en") -> list[str]:
    """The live block: no line wider than the terminal. (Trials that have ended stand above it, printed once.)"""
    say, whole, recent = words(lang), view.so_far(), view.recent()
    lines = [_head(now, say), _names(view, say)]
    if now.doing:
        lines.append(now.doing)
    totals = f"{say('total')} {whole.counted_tokens:,} / {whole.prompt_tokens:,}"
    made = f"{number(recent['output_tokens_per_s'])} {say('out')}, {number(recent['prompt_tokens_per_s'])} {say('in')}"
    lines.append(_line(say("tokens/s"), f"{made}   {totals}"))
    waits = f"{say('first byte')} {recent['oldest_wait_s']:.1f} s, {say('next')} {recent['silent_s']:.1f} s"
    streams = f"{recent['running']} {say('active')}, {recent['waiting']} {say('waiting')}"
    lines.append(_line(say("streams"), f"{streams}   {say('longest wait')}: {waits}"))
    lines += [_line(name.upper(), _latency(name, whole, recent, say)) for name in ("ttft", "itl", "tpot")]
    rates = f"{say('asked')} {number(recent['asked_per_s'])}/s, {say('answered')} {number(recent['ok_per_s'])}/s"
    lines.append(_line(say("requests"), f"{outcomes(whole) or say('none ended yet')}   {rates}"))
    groups = view.groups()
    if len(groups) > 1:
        lines += [_group(f"{endpoint} {model}", view.recent((endpoint, model)), say) for endpoint, model in groups][
            :MOST_GROUPS
        ]
    lines += [f"{level}: {what}" for level, what in now.findings[-MOST_FINDINGS:]]
    return [fit(line, columns) for line in lines]


def line(now: Progress, view: LiveView, lang: str = "en") -> str:
    """One plain line, of which the stage and the last trial are below."""
    say, whole, recent = words(lang), view.so_far(), view.recent()
    parts = [
        _time(now, say),
        f"{view.users} {say('users')}",
        f"{recent['running']} {say('active')}, {recent['waiting']} {say('waiting')}",
        f"{number(recent['output_tokens_per_s'])} tok/s",
        f"TTFT {number(recent['ttft_ms_p50'])} ms",
        outcomes(whole) or say("none ended yet"),
    ]
    if recent["oldest_wait_s"] >= 3 or recent["silent_s"] >= 2:
        longest = max((recent["oldest_wait_s"], "first byte"), (recent["silent_s"], "next byte"))
        parts.append(f"{say('longest wait')}: {longest[0]:.1f} s ({say(longest[1])})")
    if now.doing:
        parts.append(now.doing)
    return plain(" | ".join(parts))


def outcomes(count: Count) -> str:
    """How many ended how, what is most first."""
    return ", ".join(f"{n:,} {name}" for name, n in count.outcomes.most_common())


def number(value: float | None) -> str:
    """A figure in three digits."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def span(seconds: float) -> str:
    """A time in minutes and seconds."""
    whole = int(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    return f"{hours}{whole // 60 % 60:02}:{whole % 60:02}"


def _time(now: Progress, say: Callable[[str], str]) -> str:
    return span(now.elapsed_s) + ("" if now.left_s is None else f" ({say('left')} {span(now.left_s)})")


def _head(now: Progress, say: Callable[[str], str]) -> str:
    bar = ""
    if now.left_s is not None and now.elapsed_s + now.left_s > 0:
        share = now.elapsed_s / (now.elapsed_s + now.left_s)
        bar = f"  {'█' * round(_BAR * share)}{'░' * (_BAR - round(_BAR * share))}"
    return f"{now.run}  {say(now.state)}  {_time(now, say)}{bar}"


def _names(view: LiveView, say: Callable[[str], str]) -> str:
    groups = view.groups()
    name = " ".join(groups[0]) if len(groups) == 1 else f"{len(groups)} APIs × models" if groups else ""
    return f"{view.users} {say('users')}  {name}".rstrip()


def _line(name: str, text: str) -> str:
    return name + " " * max(1, _NAME - width(name)) + text


def _latency(name: str, whole: Count, recent: Mapping[str, Any], say: Callable[[str], str]) -> str:
    run, n = percentiles(whole), getattr(whole, name).total()
    p95 = number(run[f"{name}_ms_p95"]) if is_supported(n, 95) else "–"
    last = f"{number(recent[f'{name}_ms_p50'])} / {number(recent[f'{name}_ms_p95'])}"
    return f"p50 {number(run[f'{name}_ms_p50'])}, p95 {p95} ms (n = {n:,})   {say('last 10 s')}: {last}"


def _group(name: str, recent: Mapping[str, Any], say: Callable[[str], str]) -> str:
    streams = f"{recent['running']} {say('active')}, {recent['waiting']} {say('waiting')}"
    return f"  {fit(name, 34):34} {number(recent['output_tokens_per_s']):>7} tok/s  {streams}"


def width(text: str) -> int:
    """Columns that a terminal needs."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def fit(text: str, columns: int) -> str:
    """Cut to the columns there are, without control characters."""
    text = plain(text)
    while width(text) > columns:
        text = text[:-2] + "…"
    return text
