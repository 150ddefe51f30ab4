"""How many tokens: prompt counts and natural output lengths, both deterministic, both without a tokenizer."""

import math
import random
import re
from collections.abc import Iterable
from functools import cache
from hashlib import blake2b

# One token for every CJK character: Han, kana, Hangul and their full-width punctuation.
_CJK = re.compile(r"[⺀-〿぀-ヿ㐀-䶿一-鿿가-힯豈-﫿＀-￯]")
_CHARACTERS_PER_TOKEN = 4
LONGEST = 32_768

TEMPLATE_TOKENS = 8
MESSAGE_TOKENS = 4
BOS_TOKENS = 1


def has_cjk(text: str) -> bool:
    """Whether the text holds a Chinese, Japanese or Korean character."""
    return not text.isascii() and _CJK.search(text) is not None


def count_tokens(text: str) -> int:
    """Prompt tokens of a text: one per CJK character, one per four others begun."""
    cjk = 0 if text.isascii() else len(_CJK.findall(text))  # to search a long prompt takes its time
    return cjk + math.ceil((len(text) - cjk) / _CHARACTERS_PER_TOKEN)


def request_key(seed: int, model: str, prompt: str) -> int:
    """A 64-bit number that stands for (seed, model, prompt): the source of all that is random about an answer."""
    source = f"{seed}\0{model}\0{prompt}".encode("utf-8", "replace")
    return int.from_bytes(blake2b(source, digest_size=8).digest(), "big")


def natural_length_tokens(key: int, mean_tokens: float, cv: float) -> int:
    """How many tokens the model would say if nothing stopped it, the end-of-sequence token included.

    Lognormal with the given mean and coefficient of variation, at least 2, at most the context of 32,768.
    """
    sigma = math.sqrt(math.log1p(cv * cv))
    mu = math.log(mean_tokens) - sigma * sigma / 2
    return min(max(2, round(random.Random(key).lognormvariate(mu, sigma))), LONGEST)


_ENGLISH = """\
the a of to and in is it that was for on are with as his they be at one have this from or had by hot but some what
there we can out other were all your when up use word how said an each she which do their time if will way about
many then them would write like so these her long make thing see him two has look more day could go come did my
sound no most number who over know water than call first people may down side been now find any new work part take
get place made live where after back little only round man year came show every good me give our under name"""
ENGLISH = tuple(dict.fromkeys(_ENGLISH.split()))
_CHINESE = """\
我们 今天 天气 很 好 他 她 在 学校 读 书 一个 人 的 时候 城市 里 有 很多 树 和 花 可以 看到 山 水
因为 所以 但是 如果 大家 都 喜欢 这 本 故事 明天 再 来 说 话 工作 生活 时间 问题 方法 需要 开始 已经
没有 知道 世界 中国 朋友 老师 学生 音乐 电影 早上 晚上"""

_TAPE_TOKENS = 8192


def _sentences(rng: random.Random, vocabulary: str, space: str, comma: str, stop: str) -> list[str]:
    words = vocabulary.split()
    tape: list[str] = []
    while len(tape) < _TAPE_TOKENS:
        length = rng.randint(6, 14)
        for place in range(length):
            word = rng.choice(words)
            tape.append(space + (word.capitalize() if place == 0 else word))
            if place == length // 2 and length > 9:
                tape.append(comma)
        tape.append(stop)
    return tape[:_TAPE_TOKENS]


@cache
def text_tape(seed: int, cjk: bool) -> tuple[str, ...]:
    """A text, one token an entry, to be read in a circle from anywhere: texts then cost nothing per request."""
    rng = random.Random(f"text {seed} {cjk}")
    return tuple(_sentences(rng, _CHINESE, "", "，", "。") if cjk else _sentences(rng, _ENGLISH, " ", ",", "."))


@cache
def merge_tape(seed: int, share: float) -> tuple[int, ...]:
    """How many tokens the line that begins at a place of the tape holds: nearly always 1, else 2 to 4."""
    rng = random.Random(f"merge {seed}")
    return tuple(rng.randint(2, 4) if rng.random() < share else 1 for _ in range(_TAPE_TOKENS))


def context_ids(start: int, count: int) -> list[int]:
    """`count` token ids of a made-up vocabulary: the `context` that /api/generate hands back."""
    return [1000 + (start + step * 7919) % 250_000 for step in range(count)]


def text_of_ids(ids: Iterable[int]) -> str:
    """Text that stands for token ids in a prompt: it counts as one token each."""
    return "".join([chr(0x4E00 + token % 20_000) for token in ids])
