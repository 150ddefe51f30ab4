"""Arrival processes: when each request of an open loop is due. Pure arithmetic, seeded, the same on every worker."""

import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

USAGE = (
    'write "poisson 5/s", "constant 5/s", "gamma 5/s cv=2", "ramp 1/s..20/s over 5m", "steps 1,2,4,8/s every 60s" or '
    '"sine 2/s..10/s period 10m"'
)
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|min|h)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_PER_S = {"s": 1.0, "min": 1 / 60, "h": 1 / 3600}
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_KINDS = ("poisson", "constant", "gamma", "ramp", "steps", "sine")


class ArrivalsError(ValueError):
    """A text that is no arrival process: one line, with the offending place between ▸ and ◂."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """A rate over time, and how regular the gaps are: `cv` is their coefficient of variation at a steady rate.

    `rates_per_s` and `span_s` by `shape`: steady (one rate), ramp (from, to; over the span, then it stays), steps (each
    for a span, the last one stays), sine (least, most; one period a span, beginning at the mean and rising).
    """

    text: str
    shape: str
    rates_per_s: tuple[float, ...]
    span_s: float = 0.0
    cv: float = 1.0

    def rate_per_s(self, at_s: float) -> float:
        """The rate at a time since the beginning."""
        rates, span_s = self.rates_per_s, self.span_s
        if self.shape == "ramp":
            return rates[0] + (rates[1] - rates[0]) * min(1.0, at_s / span_s)
        if self.shape == "steps":
            return rates[min(len(rates) - 1, int(at_s / span_s))]
        if self.shape == "sine":
            low, high = rates
            return (low + high) / 2 + (high - low) / 2 * math.sin(2 * math.pi * at_s / span_s)
        return rates[0]

    def expect_until(self, until_s: float) -> float:
        """How many arrivals are expected until then: the integral of the rate."""
        rates, span_s = self.rates_per_s, self.span_s
        if self.shape == "ramp":
            inside_s = min(until_s, span_s)
            rising = rates[0] * inside_s + (rates[1] - rates[0]) * inside_s**2 / (2 * span_s)
            return rising + rates[1] * (until_s - inside_s)
        if self.shape == "steps":
            whole = min(len(rates) - 1, int(until_s / span_s))
            return sum(rates[:whole]) * span_s + rates[whole] * (until_s - whole * span_s)
        if self.shape == "sine":
            low, high = rates
            turn = 2 * math.pi / span_s
            return (low + high) / 2 * until_s + (high - low) / 2 * (1 - math.cos(turn * until_s)) / turn
        return rates[0] * until_s

    def times_s(self, seed: int) -> Iterator[float]:
        """Every arrival's time since the beginning, in order, the same for the same seed; only a ramp to 0 has an end.

        Gaps of mean 1 (exponential, gamma, or all equal) are laid on the expected number of arrivals: where the rate is
        twice as high they are half as long. (Time change of a renewal process; of a Poisson process again one.)
        """
        draw = self._gaps(random.Random(f"arrivals/{seed}"))
        last = self.expect_until(self.span_s) if self.shape == "ramp" and self.rates_per_s[1] == 0 else math.inf
        count, at_s = 0.0, 0.0
        while (count := count + draw()) < last:
            at_s = self._when(count, at_s)
            yield at_s

    def _gaps(self, rng: random.Random) -> Callable[[], float]:
        if self.cv == 0:
            return lambda: 1.0
        if self.cv == 1:
            return lambda: rng.expovariate(1.0)
        shape = 1 / self.cv**2
        return lambda: rng.gammavariate(shape, 1 / shape)

    def _when(self, count: float, not_before_s: float) -> float:
        """The time at which so many arrivals are expected: exact where the rate is steady, else by bisection."""
        if self.shape == "steady":
            return count / self.rates_per_s[0]
        low_s, step_s = not_before_s, 1 / max(self.rates_per_s)
        high_s = low_s + step_s
        while self.expect_until(high_s) < count:
            low_s, step_s = high_s, step_s * 2
            high_s += step_s
        for _ in range(50):
            middle_s = (low_s + high_s) / 2
            if self.expect_until(middle_s) < count:
                low_s = middle_s
            else:
                high_s = middle_s
        return high_s


class _Scan:
    """The words of a text, taken one after the other; what is wrong is marked where it stands."""

    def __init__(self, text: str) -> None:
        self.text, self._at = text, 0

    def wrong(self, what: str, start: int, end: int) -> ArrivalsError:
        text = self.text
        return ArrivalsError(f"{text[:start]}▸{text[start:end]}◂{text[end:]}: {what}")

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """The next thing, which must look so."""
        start = self._skip()
        found = pattern.match(self.text, start)
        if not found:
            end = re.compile(r"\S*").match(self.text, start)
            raise self.wrong(what, start, end.end() if end else start)
        self._at = found.end()
        return found

    def word(self, word: str) -> bool:
        """Is this the next word? Then it is taken."""
        start = self._skip()
        if not self.text.startswith(word, start):
            return False
        self._at = start + len(word)
        return True

    def end(self) -> None:
        start = self._skip()
        if start < len(self.text):
            raise self.wrong("is too much here", start, len(self.text))

    def _skip(self) -> int:
        while self._at < len(self.text) and self.text[self._at] in " ,":
            self._at += 1
        return self._at


def parse(text: str) -> Arrivals:
    """Read an arrival process. Raises ArrivalsError."""
    text = " ".join(text.split())
    scan = _Scan(text)
    kind = scan.take(re.compile("|".join(_KINDS) + r"|(?=\d)"), USAGE)[0] or "poisson"
    if kind in ("poisson", "constant", "gamma"):
        shape, span_s = "steady", 0.0
        rates: tuple[float, ...] = (_rate(scan),)
    elif kind == "steps":
        shape, rates = "steps", _steps(scan)
        span_s = _span(scan, "every")
    else:
        shape, first = kind, _rate(scan, zero=True, other=True)
        scan.take(re.compile(r"\.\."), "is no range; write it like 1/s..20/s")
        rates = (first, _rate(scan, zero=kind == "ramp"))
        span_s = _span(scan, "over" if kind == "ramp" else "period")
        if max(rates) <= 0:
            raise ArrivalsError(f"▸{text}◂: a rate of 0 sends nothing; {USAGE}")
    cv = {"constant": 0.0}.get(kind, 1.0)
    if scan.word("constant"):
        cv = 0.0
    elif scan.word("poisson"):
        cv = 1.0
    if scan.word("cv"):
        scan.take(re.compile("="), "is no value; write it like cv=2")
        given = scan.take(re.compile(r"\d+(\.\d+)?"), "is no number; write it like cv=2")
        cv = float(given[0])
        if cv and not 0.001 <= cv <= 100:
            raise scan.wrong("is out of range; make it 0, or 0.001 to 100", *given.span())
    elif kind == "gamma":
        raise ArrivalsError(f"{text}▸◂: gamma needs a coefficient of variation; add cv=2")
    scan.end()
    return Arrivals(text, shape, tuple(rates), span_s, cv)


def _rate(scan: _Scan, *, zero: bool = False, other: bool = False) -> float:
    """A rate; the first of a range may leave its unit to the second."""
    pattern = re.compile(_RATE.pattern + r"|(\d+(?:\.\d+)?)(?=\.\.\s*\d+(?:\.\d+)?/(s|min|h))") if other else _RATE
    found = scan.take(pattern, "is no rate; write it like 5/s, 300/min or 0.5/s")
    number, unit = (found[1], found[2]) if found[1] else (found[3], found[4])
    value = float(number) * _PER_S[unit]
    if value <= 0 and not zero:
        raise scan.wrong("is no rate above 0", *found.span())
    return value


def _steps(scan: _Scan) -> tuple[float, ...]:
    found = scan.take(
        re.compile(r"(\d+(?:\.\d+)?(?:/(?:s|min|h))?\s*,\s*)*\d+(?:\.\d+)?/(s|min|h)"),
        "are no rates; write them like 1,2,4,8/s",
    )
    unit = found[2]
    numbers = [part.strip().partition("/") for part in found[0].split(",")]
    rates = tuple(float(number) * _PER_S[own or unit] for number, _, own in numbers)
    if max(rates) <= 0 or rates[-1] <= 0:
        raise scan.wrong("ends with a rate of 0, at which no request would ever be due", *found.span())
    return rates


def _span(scan: _Scan, word: str) -> float:
    scan.take(re.compile(word), f"is not expected here; go on with `{word} 5m`")
    found = scan.take(_SPAN, f"is no time; write it like `{word} 90s` or `{word} 5m`")
    span_s = float(found[1]) * _SECONDS[found[2]]
    if span_s <= 0:
        raise scan.wrong("is no time above 0", *found.span())
    return span_s
