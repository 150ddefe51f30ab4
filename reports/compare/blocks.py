"""The error of a mean whose values depend on their neighbours: block means, and how many values are worth one."""

import math
from typing import Any

import numpy as np

Array = Any
MOST_BLOCKS, LEAST_BLOCKS = 32, 8
TIMES_A_BLOCK = 8  # autocorrelation times: then neighbouring blocks know little of each other
WINDOW = 5  # of Sokal's sum, in autocorrelation times
BATCH, MOST_CUT = 5, 0.25  # of MSER-5: values a batch, and the share that may be taken for a transient at most
FEW_LAGS, MOST_LAGS, COARSE = 1 << 12, 1 << 18, 16  # beyond the most, of means of so many neighbours
MOST_INFLATION = 0.9  # the AR(1) coefficient of block means, at most


def correlation_time(values: Array) -> float:
    """The integrated autocorrelation time: so many neighbouring values are worth one independent one, 1 or more.

    Summed up to the first lag beyond five such times (Sokal 1997).
    """
    n, lags, mean = len(values), FEW_LAGS, float(values.mean())
    while True:
        lags = lags if 4 * lags < n else n
        covariance = _covariance(values, mean, lags)
        if not covariance[0] > 0:
            return 1.0
        times = 2 * np.cumsum(covariance / covariance[0]) - 1
        beyond = np.arange(lags) >= WINDOW * times
        if beyond.any() or lags == n:
            return max(1.0, float(times[beyond.argmax() if beyond.any() else n - 1]))
        if lags >= MOST_LAGS:
            # Of means of neighbours: their own time, since the variance of the mean of all is the same.
            means = _in_blocks(values, n // COARSE).mean(axis=1)
            return max(1.0, COARSE * float(means.var()) / (covariance[0] / n) * correlation_time(means))
        lags *= 8


def _covariance(values: Array, mean: float, lags: int) -> Array:
    """The sums of products of values less their mean that lie so far apart, from 0 on: by Fourier, a piece of the
    values after the other, so that a million need no more memory than their lags do."""
    n = len(values)
    size = 1 << ((8 if lags < n else 2) * lags - 1).bit_length()  # of a power of 2, for which it is fast
    step, total = size - lags, np.zeros(size // 2 + 1, dtype=complex)
    for begin in range(0, n, step):
        piece = np.fft.rfft(values[begin : begin + step] - mean, size)
        total += np.conj(piece) * (piece if n <= step else np.fft.rfft(values[begin : begin + size] - mean, size))
    return np.fft.irfft(total, size)[:lags]


def worth(values: Array) -> float:
    """How many independent values these are worth."""
    return len(values) / correlation_time(values) if len(values) else 0.0


def standard_error(values: Array, correlated: float | None = None) -> tuple[float, int]:
    """Standard error of the mean of values in their order, and its degrees of freedom; (0, 1) of less than two.

    Blocks of eight autocorrelation times, 8 to 32 of them; what correlation their means still have inflates the error
    as that of an AR(1) process would, its coefficient corrected for its bias.
    `correlated` is their correlation time, where it is known.
    """
    blocks = int(
        np.clip(len(values) / (TIMES_A_BLOCK * (correlated or correlation_time(values))), LEAST_BLOCKS, MOST_BLOCKS)
    )
    blocks = min(blocks, len(values))
    if blocks < 2:
        return 0.0, 1
    means = _in_blocks(values, blocks).mean(axis=1)
    variance = float(means.var(ddof=1)) / blocks
    return math.sqrt(variance * _inflation(means)), blocks - 1


def transient(values: Array) -> int:
    """How many values at the beginning belong to a warm-up: the cut that leaves the mean its least error.

    MSER-5 (White, Cobb and Spratt 2000), a quarter of the values at most.
    """
    if len(values) < 10 * BATCH:
        return 0
    means = _in_blocks(values, len(values) // BATCH, first=True).mean(axis=1)
    means = means - means.mean()
    left = np.arange(len(means), 0, -1)
    sums, squares = (np.cumsum(each[::-1])[::-1] for each in (means, means**2))
    errors = (squares / left - (sums / left) ** 2) / left
    return int(np.argmin(errors[: int(len(means) * MOST_CUT) + 1])) * BATCH


def _in_blocks(values: Array, blocks: int, first: bool = False) -> Array:
    """Equal blocks of neighbours; the odd values at the beginning (or the end) are left out."""
    whole = len(values) // blocks * blocks
    return (values[:whole] if first else values[len(values) - whole :]).reshape(blocks, -1)


def _inflation(means: Array) -> float:
    """Variance of the mean of correlated block means over that of independent ones."""
    centred, blocks = means - means.mean(), len(means)
    power = float((centred**2).sum())
    lag1 = float((centred[1:] * centred[:-1]).sum()) / power if power > 0 else 0.0
    if lag1 + 1 / blocks <= 0:
        return 1.0
    lag1 = min(MOST_INFLATION, max(0.0, lag1 + (1 + 3 * max(lag1, 0.0)) / blocks))
    return (1 + lag1) / (1 - lag1)
