"""`<think>…</think>` inside the text, told apart from it, also when a tag is cut over several chunks.

Ollama separates thinking itself on some of its output paths, not on others (FACTS: `think:false` does not stop a model
that thinks anyway, /api/generate on a native template never separates), and most OpenAI servers leave it to the client.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from tokenswarm.wire.stretch import Stretch
from tokenswarm.wire.values import Chunk

OPEN, CLOSE = "<think>", "</think>"
PAUSE = Chunk(0)  # nothing came; but a reader that takes breaks should take one
TAGS_A_PAUSE = 100


class _Sorting:
    """A chunk whose text is being sorted into text and thinking."""

    __slots__ = ("chunk", "ends_thinking", "tagged", "text", "thinking")

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.text: list[str] = []
        self.thinking: list[str] = [chunk.thinking]
        self.ends_thinking = self.tagged = False

    def add(self, text: str, inside: bool) -> None:
        (self.thinking if inside else self.text).append(text)

    def all_was_thinking(self) -> None:
        self.thinking += self.text
        self.text = []

    def sort(self) -> Chunk:
        text, thinking = "".join(self.text), "".join(self.thinking)
        return self.chunk._replace(text=text, thinking=thinking, ends_thinking=self.ends_thinking, tagged=self.tagged)


def separate(chunks: Iterable[Chunk | Stretch]) -> Iterator[Chunk | Stretch]:
    """The same chunks with tagged text moved to `thinking` and the tags taken out, in time linear in their length.

    A chunk that may end within a tag waits until the next ones tell, and then keeps its own arrival time: a lone `<`
    counts from when it came, and a chunk that was only tag carries no output. A tag that never ends is text. If the
    first tag is a closing one, the opening one stood in the prompt (as many reasoning models' templates have it): a
    chunk then says `ends_thinking` of all before it.
    """
    inside, any_seen = False, False
    held: list[tuple[_Sorting, str]] = []  # what may be the beginning of the next tag
    waiting: deque[_Sorting] = deque()
    source: Iterator[Chunk | Stretch] = iter(chunks)
    singly: Iterator[Chunk] = iter(())
    while chunk := next(singly, None) or next(source, None):
        if isinstance(chunk, Stretch):
            if waiting or inside:
                singly = chunk.chunks()
            else:
                yield chunk  # there is no tag in it
            continue
        text = chunk.text
        if not waiting and "<" not in text:
            yield chunk._replace(text="", thinking=chunk.thinking + text) if inside and text else chunk
            continue
        current, at, tagged = _Sorting(chunk), 0, 0
        waiting.append(current)
        while at < len(text):
            tags = (CLOSE,) if inside else (OPEN,) if any_seen else (OPEN, CLOSE)
            begun = "".join(early for _, early in held)
            start, tag = _tag(tags, begun, text, at)
            if start > at or (begun and not tag):
                for owner, early in held:
                    owner.add(early, inside)
                held = []
            if begun and not tag:
                continue  # no tag began there after all: but one may in this text
            if start > at:
                current.add(text[at:start], inside)
            at = start + len(tag) - len(begun)
            if at > len(text):  # it is cut off here
                held.append((current, text[start:]))
                break
            if not tag:
                break
            current.tagged = True
            if tag == CLOSE and not any_seen:
                # What has been given away already, its reader must move; what waits is moved here.
                waiting[0].ends_thinking = True
                for before in waiting:
                    before.all_was_thinking()
            held, inside, any_seen, tagged = [], tag == OPEN, True, tagged + 1
            if tagged % TAGS_A_PAUSE == 0:
                yield PAUSE
        while waiting and not (held and waiting[0] is held[0][0]):
            yield waiting.popleft().sort()
    for owner, early in held:
        owner.add(early, inside)
    for left in waiting:
        yield left.sort()


def _tag(tags: Iterable[str], begun: str, text: str, at: int) -> tuple[int, str]:
    """Where in the text the next tag begins or goes on (after `begun`), also one that the end cuts off, and which.

    Its end and "" if there is none.
    """
    if begun:
        for tag in tags:
            rest = tag[len(begun) :]
            if tag.startswith(begun) and (text.startswith(rest, at) or rest.startswith(text[at : at + len(rest)])):
                return at, tag
        return at, ""
    found = [(start, tag) for tag in tags if (start := text.find(tag, at)) >= 0]
    if found:
        return min(found)
    start = text.rfind("<", max(at, len(text) - len(CLOSE) + 1))
    for tag in tags:
        if start >= 0 and tag.startswith(text[start:]):
            return start, tag
    return len(text), ""
