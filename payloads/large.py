"""Large files: what is kept is where each record lies; a prompt is read anew each time it is asked."""

import os
from array import array
from base64 import b85decode, b85encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, BinaryIO, overload
from weakref import finalize
from zlib import compress, decompress

from tokenswarm.payloads.length import about_tokens
from tokenswarm.payloads.prompt import Prompt

LARGE_BYTES = 1_000_000
PIECE = 1 << 20
Read = Callable[[bytes, int], Prompt | None]


class Places:
    """Of each record its first byte, its length, its number in the file; the weight and length of its prompt."""

    def __init__(self) -> None:
        self.starts, self.lengths, self.numbers = array("Q"), array("L"), array("L")
        self.weights, self.tokens = array("d"), array("d")

    @property
    def columns(self) -> tuple["array[Any]", ...]:
        """All of them."""
        return self.starts, self.lengths, self.numbers, self.weights, self.tokens

    def add(self, *record: float) -> None:
        """One more, in the order of the columns."""
        for column, value in zip(self.columns, record, strict=True):
            column.append(value)

    def pack(self) -> str:
        """As a text, for other processes."""
        return b85encode(compress(b"".join(column.tobytes() for column in self.columns), 1)).decode()

    @classmethod
    def unpack(cls, text: str) -> "Places":
        """The same again."""
        made, data, at = cls(), decompress(b85decode(text)), 0
        count = len(data) // sum(column.itemsize for column in made.columns)
        for column in made.columns:
            column.frombytes(data[at : at + count * column.itemsize])
            at += count * column.itemsize
        return made


class LargeFile(Sequence[Prompt]):
    """The prompts of such a file, by their places; `read` makes one of a record's bytes and its number.

    `file` is a descriptor of it, `digest` that of its content. `kinds` are prompts that have between them all fields
    and options that any has, and the shortest one. `label` makes their ids, `share` is what their weights add up to.
    """

    def __init__(self, file: int, read: Read, places: Places, digest: str) -> None:
        self._file = os.dup(file)  # kept open: it may have no name, or soon another content under it
        finalize(self, os.close, self._file)
        self._read, self.places, self.digest = read, places, digest
        self.kinds: tuple[Prompt, ...] = ()
        self.name = ""  # as it was given
        self.label: Callable[[str], str] = lambda name: name
        self.share = sum(places.weights)
        self._total = self.share

    @classmethod
    def scan(cls, file: BinaryIO, read: Read, records: Iterator[tuple[int, int, bytes]]) -> "LargeFile":
        """Read all of it once. Raises ValueError as `read` does."""
        places, kinds = Places(), dict[object, Prompt]()
        shortest: tuple[float, Prompt] | None = None
        for number, start, record in records:
            prompt = read(record, number)
            if prompt is None:
                continue
            tokens = about_tokens(prompt)
            places.add(start, len(record), number, prompt.weight, tokens)
            kinds.setdefault(_kind(prompt), prompt)
            if shortest is None or tokens < shortest[0]:
                shortest = tokens, prompt
        made = cls(file.fileno(), read, places, digest_of(file))
        made.kinds = tuple(kinds.values()) + ((shortest[1],) if shortest else ())
        return made

    def __len__(self) -> int:
        return len(self.places.starts)

    @overload
    def __getitem__(self, at: int) -> Prompt: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Prompt]: ...
    def __getitem__(self, at: int | slice) -> Prompt | Sequence[Prompt]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        places = self.places
        record = os.pread(self._file, places.lengths[at], places.starts[at])
        prompt = self._read(record, places.numbers[at])
        assert prompt is not None
        return replace(prompt, id=self.label(prompt.id), weight=prompt.weight / self._total * self.share)

    @property
    def weights(self) -> Iterator[float]:
        """Of all prompts."""
        return (weight / self._total * self.share for weight in self.places.weights)

    def within(self, least: float, most: float) -> "LargeFile":
        """Those prompts that are so long, tokens."""
        kept = Places()
        for record in zip(*self.places.columns, strict=True):
            if least <= record[-1] <= most:
                kept.add(*record)
        made = LargeFile(self._file, self._read, kept, self.digest)
        made.kinds, made.label, made.share, made.name = self.kinds, self.label, self.share, self.name
        return made


class Corpus(Sequence[Prompt]):
    """Several sources of prompts as one, of which one at least is a large file."""

    def __init__(self, parts: Sequence[Sequence[Prompt]]) -> None:
        self.parts = [part for part in parts if part]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @overload
    def __getitem__(self, at: int) -> Prompt: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Prompt]: ...
    def __getitem__(self, at: int | slice) -> Prompt | Sequence[Prompt]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        for part in self.parts:
            if 0 <= at < len(part):
                return part[at]
            at -= len(part)
        raise IndexError(at)

    @property
    def weights(self) -> Iterator[float]:
        """Of all prompts."""
        for part in self.parts:
            yield from part.weights if isinstance(part, LargeFile) else (prompt.weight for prompt in part)

    @property
    def kinds(self) -> tuple[Prompt, ...]:
        """Prompts that have between them all that any has beside its text."""
        return tuple(one for part in self.parts for one in (part.kinds if isinstance(part, LargeFile) else part))

    @property
    def digests(self) -> list[str]:
        """Of each source what tells it from another: a digest, or its prompts."""
        return [part.digest if isinstance(part, LargeFile) else repr(part) for part in self.parts]

    def within(self, least: float, most: float) -> "Corpus":
        """Those prompts that are so long, tokens."""
        return Corpus(
            [
                part.within(least, most)
                if isinstance(part, LargeFile)
                else [one for one in part if least <= about_tokens(one) <= most]
                for part in self.parts
            ]
        )


def kinds(prompts: Sequence[Prompt]) -> Sequence[Prompt]:
    """Prompts that have between them all fields and options that any of these has, and the shortest one."""
    return prompts.kinds if isinstance(prompts, Corpus) else prompts


def digest_of(file: BinaryIO) -> str:
    """Of a file's whole content."""
    file.seek(0)
    whole = sha256()
    while piece := file.read(PIECE):
        whole.update(piece)
    return whole.hexdigest()


def _kind(prompt: Prompt) -> object:
    messages = (*prompt.messages, *(message for turn in prompt.then for message in turn.messages))
    images = [image.startswith(("http://", "https://")) for message in messages for image in message.images]
    beside: tuple[Any, ...] = (prompt.options, prompt.fields, prompt.expect, prompt.format)
    flags = (bool(prompt.tools), bool(prompt.inputs), bool(images), any(images), bool(prompt.recipe))
    return (*flags, *(repr(dict(one) if isinstance(one, Mapping) else one) for one in beside if one))
