"""`<think>…</think>` inside the text, told apart from it, also when a tag is cut over several chunks.

Ollama separates thinking itself on some of its output paths, not on others (FACTS: `think:false` does not stop a model
that thinks anyway, /api/generate on a native template never separates), and most OpenAI servers leave it to the client.
"""

from collections.abc import Iterable, Iterator

from wire.values import Chunk

OPEN, CLOSE = "<think>", "</think>"


class _Sorting:
    """A chunk whose characters are being sorted into text and thinking."""

    __slots__ = ("chunk", "text", "thinking")

    def __init__(self, chunk: Chunk) -> None:
        self.chunk, self.text, self.thinking = chunk, "", chunk.thinking

    def add(self, character: str, inside: bool) -> None:
        if inside:
            self.thinking += character
        else:
            self.text += character

    def sorted(self) -> Chunk:
        return self.chunk._replace(text=self.text, thinking=self.thinking)


def separate(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The same chunks with tagged text moved to `thinking` and the tags taken out.

    A chunk that may end within a tag waits until the next ones tell, and then keeps its own arrival time: a lone `<`
    counts from when it came, and a chunk that was only tag carries no output. A tag that never ends is text.
    """
    inside = False
    held: list[tuple[_Sorting, str]] = []  # what may be the beginning of the next tag
    waiting: list[_Sorting] = []
    for chunk in chunks:
        if not waiting and "<" not in chunk.text:
            yield chunk._replace(text="", thinking=chunk.thinking + chunk.text) if inside and chunk.text else chunk
            continue
        current = _Sorting(chunk)
        waiting.append(current)
        for character in chunk.text:
            tag = CLOSE if inside else OPEN
            if character == tag[len(held)]:
                held.append((current, character))
                if len(held) == len(tag):
                    held, inside = [], not inside
                continue
            for owner, early in held:
                owner.add(early, inside)
            held = []
            # `<` stands only at the beginning of a tag, so this is the one way for a new match to begin here.
            if character == "<":
                held.append((current, character))
            else:
                current.add(character, inside)
        while waiting and not (held and waiting[0] is held[0][0]):
            yield waiting.pop(0).sorted()
    for owner, early in held:
        owner.add(early, inside)
    for left in waiting:
        yield left.sorted()
