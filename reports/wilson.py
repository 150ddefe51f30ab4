"""Shares with their 95 % interval."""

from math import sqrt

Z = 1.959964  # of the normal distribution, for 95 % on two sides


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of hits / n at 95 %; unlike the plain one it holds for 0 of n and for small n."""
    share, z2 = hits / n, Z * Z
    middle, half = share + z2 / (2 * n), Z * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    scale = 1 + z2 / n
    low, high = max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
    return (0.0 if hits == 0 else low), (1.0 if hits == n else high)
