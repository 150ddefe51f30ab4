"""`<think>…</think>` inside the text, told apart from it, also when a tag is cut over several chunks.

Ollama separates thinking itself on some of its output paths, not on others (FACTS: `think:false` does not stop a model
that thinks anyway, /api/generate on a native template never separates), and most OpenAI servers leave it to the client.
"""

from collections.abc import Iterable, Iterator

from wire.values import Chunk

OPEN, CLOSE = "<think>", "</think>"


class _Sorting:
    """A chunk whose characters are being sorted into text and thinking."""

    __slots__ = ("chunk", "ends_thinking", "tagged", "text", "thinking")

    def __init__(self, chunk: Chunk) -> None:
        self.chunk, self.text, self.thinking = chunk, "", chunk.thinking
        self.ends_thinking = self.tagged = False

    def add(self, character: str, inside: bool) -> None:
        if inside:
            self.thinking += character
        else:
            self.text += character

    def sorted(self) -> Chunk:
        return self.chunk._replace(
            text=self.text, thinking=self.thinking, ends_thinking=self.ends_thinking, tagged=self.tagged
        )


def separate(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The same chunks with tagged text moved to `thinking` and the tags taken out.

    A chunk that may end within a tag waits until the next ones tell, and then keeps its own arrival time: a lone `<`
    counts from when it came, and a chunk that was only tag carries no output. A tag that never ends is text. If the
    first tag is a closing one, the opening one stood in the prompt (as many reasoning models' templates have it): a
    chunk then says `ends_thinking` of all before it.
    """
    inside, any_seen = False, False
    held: list[tuple[_Sorting, str]] = []  # what may be the beginning of the next tag
    waiting: list[_Sorting] = []
    for chunk in chunks:
        if not waiting and "<" not in chunk.text:
            yield chunk._replace(text="", thinking=chunk.thinking + chunk.text) if inside and chunk.text else chunk
            continue
        current = _Sorting(chunk)
        waiting.append(current)
        for character in chunk.text:
            beginning = "".join(early for _, early in held) + character
            tags = (CLOSE,) if inside else (OPEN,) if any_seen else (OPEN, CLOSE)
            if any(tag.startswith(beginning) for tag in tags):
                held.append((current, character))
                if beginning in tags:
                    current.tagged = True
                    if beginning == CLOSE and not any_seen:
                        # What has been given away already, its reader must move; what waits is moved here.
                        waiting[0].ends_thinking = True
                        for before in waiting:
                            before.text, before.thinking = "", before.thinking + before.text
                    held, inside, any_seen = [], beginning == OPEN, True
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
