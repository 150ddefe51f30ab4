"""Vectors for texts: unit length, the same for the same text, and cheap enough not to hold up running streams."""

import math
import random
import struct
from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import shake_256


@dataclass(frozen=True)
class _Base:
    """One unit vector: every text's is this one, rotated, with signs of its own; so its numbers are worded once."""

    values: tuple[float, ...]
    short: tuple[tuple[str, str], ...]  # each negative and positive, in as few digits as a float32 needs
    long: tuple[tuple[str, str], ...]  # as a float64


@cache
def _base(length: int) -> _Base:
    rng = random.Random(length)
    drawn = [max(abs(rng.gauss(0, 1)), 0.01) for _ in range(length)]
    norm = math.sqrt(sum(value * value for value in drawn))
    values = tuple(_float32(value / norm) for value in drawn)
    short = tuple((f"-{_digits(value)}", _digits(value)) for value in values)
    return _Base(values, short, tuple((repr(-value), repr(value)) for value in values))


def _float32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def _digits(value: float) -> str:
    """The shortest decimal that is this float32, as Go writes it."""
    return next(said for digits in range(6, 10) if _float32(float(said := f"{value:.{digits}g}")) == value)


def _signs(text: str, length: int) -> tuple[int, str]:
    """Where a text's vector begins in the base, and its signs as a string of 0 and 1."""
    drawn = shake_256(text.encode("utf-8", "replace")).digest(4 + (length + 7) // 8)
    bits = f"{int.from_bytes(drawn[4:]):0{length + 7}b}"
    return int.from_bytes(drawn[:4]) % length, bits[-length:]


def vector(text: str, length: int, dimensions: int | None = None) -> list[float]:
    """A text's vector, each number a float32; if fewer dimensions are asked for, cut and of unit length again."""
    start, signs = _signs(text, length)
    values = _base(length).values
    turned = values[start:] + values[:start]
    whole = [value if sign == "1" else -value for value, sign in zip(turned, signs, strict=True)]
    if dimensions is None or not 0 < dimensions < length:
        return whole
    norm = math.sqrt(sum(value * value for value in whole[:dimensions]))
    return [_float32(value / norm) for value in whole[:dimensions]]


def as_json(text: str, length: int, dimensions: int | None = None, *, doubles: bool = False) -> str:
    """The vector as a JSON array of numbers, as float32 or as float64 would be worded."""
    if dimensions is not None and 0 < dimensions < length:
        cut = vector(text, length, dimensions)
        return f"[{','.join('-' * (value < 0) + _digits(abs(value)) for value in cut)}]"
    start, signs = _signs(text, length)
    words = _base(length).long if doubles else _base(length).short
    turned = words[start:] + words[:start]
    return f"[{','.join([pair[sign == '1'] for pair, sign in zip(turned, signs, strict=True)])}]"


def as_base64(text: str, length: int, dimensions: int | None = None) -> str:
    """The vector as a JSON string: base64 of little-endian float32."""
    values = vector(text, length, dimensions)
    return f'"{b64encode(struct.pack(f"<{len(values)}f", *values)).decode()}"'
