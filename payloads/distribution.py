"""Distributions as a user writes them: 512, 512±64, 100..1000, lognormal 512 cv=0.5, exponential 20s."""

import math
import re
from dataclasses import dataclass
from statistics import NormalDist

_NUMBER = r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?"
_SHAPES = {
    "constant": re.compile(_NUMBER),
    "normal": re.compile(rf"{_NUMBER}\s*(?:±|\+-|\+/-)\s*{_NUMBER}"),
    "uniform": re.compile(rf"{_NUMBER}\s*(?:\.\.|…)\s*{_NUMBER}"),
    "lognormal": re.compile(rf"lognormal\s+{_NUMBER}\s+cv\s*=\s*(\d+(?:\.\d+)?)()"),
    "exponential": re.compile(rf"exponential\s+{_NUMBER}"),
}
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a number is drawn from, in the unit it was parsed for.

    `kind` and its two numbers: constant (value), normal (mean, standard deviation), uniform (least, most), lognormal
    (mean, coefficient of variation), exponential (mean). Nothing below `least` is drawn.
    """

    text: str
    kind: str
    first: float
    second: float = 0.0
    least: float = 0.0

    def draw(self, u: float) -> float:
        """The value at the quantile `u`, 0 to 1: `draw(fraction(seed, worker, sequence))` is a random one."""
        u = min(max(u, 2.0**-53), 1 - 2.0**-53)
        value = self.first
        if self.kind == "normal":
            value += self.second * _NORMAL.inv_cdf(u)
        elif self.kind == "uniform":
            value += (self.second - self.first) * u
        elif self.kind == "lognormal":
            # mean = exp(mu + sigma²/2), cv² = exp(sigma²) - 1
            variance = math.log1p(self.second**2)
            value *= math.exp(math.sqrt(variance) * _NORMAL.inv_cdf(u) - variance / 2)
        elif self.kind == "exponential":
            value *= -math.log1p(-u)
        return max(value, self.least)

    def whole(self, u: float) -> int:
        """The value at the quantile `u` as a whole number; each of a uniform one's ends is as likely as the rest."""
        if self.kind == "uniform":
            return min(math.floor(self.first + (self.second - self.first + 1) * u), math.floor(self.second))
        return max(round(self.draw(u)), math.ceil(self.least))

    @property
    def mean(self) -> float:
        """The mean, before the cut at `least`."""
        return (self.first + self.second) / 2 if self.kind == "uniform" else self.first


def parse(text: str, unit: str = "", least: float = 0.0, most: float = 1e9) -> Distribution:
    """The distribution that a user wrote; with the unit "s", times such as 500ms, 20s, 2m or plain seconds, given in s.

    Raises ValueError: one line, what is wrong and how to write it.
    """
    text, u = " ".join(text.split()), "s" if unit == "s" else ""
    usage = f"write 20{u}, 20{u}±5{u}, 10{u}..40{u}, lognormal 20{u} cv=1 or exponential 20{u}"
    tried = ((kind, shape.fullmatch(text.lower())) for kind, shape in _SHAPES.items())
    kind, found = next(((kind, found) for kind, found in tried if found), ("", None))
    if not found:
        raise ValueError(f"▸{text}◂ is no number or distribution; {usage}")
    value, suffix, other, other_suffix = (*found.groups(), "0", "")[:4]
    if unit != "s" and (wrong := suffix or other_suffix):
        raise ValueError(f"▸{text}◂: {wrong} is no unit here; {usage}")
    # A unit at one of two numbers is meant for both: 10..40ms.
    first = float(value) * _SECONDS[suffix or other_suffix or "s"]
    second = float(other) * (1.0 if kind == "lognormal" else _SECONDS[other_suffix or suffix or "s"])
    if not max(first, second) <= most:
        raise ValueError(f"▸{text}◂ is too large; make it {most:,.0f}{u} or less")
    if first < least:
        raise ValueError(f"▸{text}◂ is too small; make it {least:g}{u} or more")
    if kind == "uniform" and second < first:
        raise ValueError(f"▸{text}◂ goes backwards; write the smaller number first")
    return Distribution(text, kind, first, second, least)
