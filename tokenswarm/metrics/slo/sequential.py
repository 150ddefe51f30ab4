"""When is it certain that a share is above a bound, or below it, however often one has looked?"""

import math

# Requests that are sent within so long of each other are one draw, however short they are; what fewer draws say is
# nothing certain: a server that is loading its model, or down for a moment, fails all that it is asked just then.
LEAST_DRAW_NS, LEAST_DRAWS = 10**9, 5
# One false alarm in a thousand runs, over all the looks of a run together.
ALPHA = 1e-3
_ALTERNATIVES = 15


def surely_above(hits: float, n: float, bound: float, alpha: float = ALPHA) -> bool:
    """Is the true share of hits above `bound`, but for an error probability of `alpha` over all looks of a run?

    An e-process: the mean of likelihood ratios of some shares above the bound against the bound itself. As long as the
    share is at most `bound`, each of them is a supermartingale that begins at 1, so it ever reaches 1/alpha with a
    probability of alpha at most (Ville's inequality). The hits are taken to be independent of each other.
    """
    if not 0 < bound < 1:
        return hits > 0 if bound <= 0 else False
    return _log_evidence(hits, n, bound) >= -math.log(alpha)


def surely_below(hits: float, n: float, bound: float, alpha: float = ALPHA) -> bool:
    """The same for a share below the bound."""
    return surely_above(n - hits, n, 1 - bound, alpha)


def _log_evidence(hits: float, n: float, bound: float) -> float:
    logs = []
    for step in range(1, _ALTERNATIVES + 1):
        # Closer to the bound there are more of them: a share just above it takes the longest to tell.
        share = bound + (1 - bound) * (step / (_ALTERNATIVES + 1)) ** 2
        logs.append(hits * math.log(share / bound) + (n - hits) * math.log((1 - share) / (1 - bound)))
    most = max(logs)
    return most + math.log(sum(math.exp(value - most) for value in logs) / len(logs))


class Draws:
    """Requests as independent draws: those under way together wait in one queue, and fare alike, so they are one."""

    def __init__(self) -> None:
        self.n, self.hits = 0, 0.0  # draws that are over, and their shares of hits
        self._until_ns, self._requests, self._hit = 0, 0, 0

    def add(self, hit: bool, sent_ns: int, ended_ns: int) -> None:
        """A request, in the order in which they ended. Who is sent before the draw's first one has ended is of it."""
        if self._requests and sent_ns >= self._until_ns:
            self.n += 1
            self.hits += self._hit / self._requests
            self._requests = self._hit = 0
        if not self._requests:
            self._until_ns = max(ended_ns, sent_ns + LEAST_DRAW_NS)
        self._requests += 1
        self._hit += hit

    def surely_above(self, bound: float) -> bool:
        """Is the share of hits above `bound` (see `surely_above`)?"""
        return self.n >= LEAST_DRAWS and surely_above(self.hits, self.n, bound)
