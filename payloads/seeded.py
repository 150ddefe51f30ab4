"""Chance that depends on nothing but its place: the same on every machine, worker and Python version."""

from hashlib import blake2b


def digest(size: int, *place: object) -> bytes:
    """`size` bytes that stand for a place, such as ("nonce", seed, worker, sequence)."""
    # A hash of the place, not a generator's state: workers need no shared state, a draw does not depend on the draws
    # before it, and the answer is fixed by RFC 7693 rather than by a Python version.
    return blake2b("/".join(map(str, place)).encode(), digest_size=size).digest()


def fraction(*place: object) -> float:
    """A number from 0 to below 1, evenly spread over places."""
    # 53 bits, so that it is exact in a float and stays below 1.
    return (int.from_bytes(digest(8, *place)) >> 11) * 2.0**-53
