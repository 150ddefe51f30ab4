"""Errors of one kind, known by their text: numbers and ids are taken out, so that 48,000 of them are a few groups."""

import re
from collections import Counter
from functools import lru_cache
from http import HTTPStatus

READ_CHARACTERS, SHOWN_CHARACTERS = 320, 160  # of a text, and of its group's
MOST_GROUPS = 20
ALIKE = 5  # texts that differ in the same one word are shown apart, up to so many
LEAST_WORDS = 4  # of texts that may be alike
BLANK, GAP, OTHER = "#", "…", "other errors"
STATUS = {*map(int, HTTPStatus), *range(494, 500), *range(520, 531), 598, 599}  # also what proxies made up

# A quoted text: a word is the name of something, a sentence is a piece of a prompt, unless it is the error's own.
_QUOTED = re.compile(r"(?<!\w)([\"'`])(.*?)(\1)(?!\w)|([“‘「『])([^“‘「『”’」』]*)([”’」』])")
_UNCLOSED = re.compile(r"(?<!\w)([\"`])([^\"`]*)$|([“「『])([^“「『”」』]*)$")
_OWN_WORDS = re.compile(
    r"(?:error|message|msg|detail|details|reason|description|title)[\"'`]?\s*[:=]\s*$", re.IGNORECASE
)
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_DATE = re.compile(
    rf"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+)?(?:\d{{1,2}}[\s/-]{_MONTH}[\s/-]\d{{4}}|{_MONTH}\s+\d{{1,2}}\b)"
    r"(?:[\s,:]+\d{1,2}:\d\d(?::\d\d)?)?(?:\s+(?:\d{4}|GMT|UTC|[+-]\d{4}))*"
)
# Durations and sizes with their unit, which is another for a longer one: 800ms, 1.2s, 1m3.5s, 512 MiB, 2.00 GiB.
_TIME = "[nuµmk]?s|secs?|seconds?|milliseconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?"
_UNIT = rf"(?:{_TIME}|[KMGT]i?B|[kmgt]b|B|bytes?)(?![a-z])"
_MEASURE = re.compile(rf"(?<![\w.,])\d[\d.,]*(?: ?{_UNIT})(?:\d[\d.]*{_UNIT})*", re.IGNORECASE)
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:\b[0-9a-f]{1,4})?(?::[0-9a-f]{0,4}){3,7}|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}\b", re.IGNORECASE)
_LONG_ID = re.compile(r"(?<![0-9a-z])(?=[a-z]*[0-9])[0-9a-z]{12,}(?:[-_]+[0-9a-z]+)*", re.IGNORECASE)
_NAMED_ID = re.compile(
    r"((?:(?<![^\W_])(?i:id|uuid|guid|nonce|trace)|Id|ID)[\"']?\s*[:=#]\s*[\"'(<\[]?)[a-z0-9_-]+", re.IGNORECASE
)
_WORD = re.compile(r"[a-z0-9]+(?:[-_]+[a-z0-9]+)*|\d+", re.IGNORECASE)
_CODE = re.compile(r"(?:http(?:/[\d.]+)?|status|code|error)[\s\"':=#]*$", re.IGNORECASE)
_EXIT = re.compile(r"(?:errno|exit status|exit code|signal)[\s:=]*$", re.IGNORECASE)
_OF_AN_ID = re.compile(r"(?:req|chatcmpl|cmpl|resp|msg|embd|call|org|proj|gen|trace|span)[-_]+", re.IGNORECASE)
# Words that often have a number behind them (the number goes), and the names of types (it stays).
_NUMBERED = re.compile(
    r"((?:[a-z]{0,3}(?:gpu|cpu)|node|worker|rank|slot|layer|cuda|core|replica|device|shard|port|v|line|step|token)\d+)|"
    r"(?:u?int|b?float|b?fp|bf)(?:4|8|16|32|64)|sha(?:1|256|512)|md5|utf(?:8|16)|ipv[46]",
    re.IGNORECASE,
)
_CAMEL_CASE = re.compile(r"(?:[A-Z]+|[a-z]+)?(?:[A-Z]+[a-z]{2,}|Id|To|Of|By|In|Is|On|At|No)*[A-Z]*s?")
_LONGEST_WORD = 24
_MODEL = "\0"  # stands for the model's name meanwhile
_BLANKS = re.compile(
    rf"(?:(?<![\w{BLANK}+-])[-+_]{{1,3}})?{BLANK}(?:[\s,;:|/.+>%\"'`_-]*{BLANK})*(?:[-_]+(?![a-z0-9]))?", re.IGNORECASE
)


def mask(text: str, model: str = "") -> str:
    """The text without what differs from one error of its kind to the next; the model's own name stays.

    Numbers, dates, durations, sizes, addresses, ids and quoted sentences are a blank; codes such as HTTP's stay.
    """
    text = text[:READ_CHARACTERS].replace(_MODEL, " ")
    if model:
        text = re.sub(rf"(?<!\w){re.escape(model)}(?!\w)", _MODEL, text)
    # Most ids go here already: what is left is often equal, and known.
    return _masked(_LONG_ID.sub(BLANK, _UUID.sub(BLANK, text))).replace(_MODEL, model)[:SHOWN_CHARACTERS]


@lru_cache(maxsize=1024)
def _masked(text: str) -> str:
    text = " ".join(text.replace('\\"', '"').split())
    text = _UNCLOSED.sub(_unclosed, _QUOTED.sub(_quoted, text))
    if not text.isalpha():
        for pattern in (_DATE, _ADDRESS, _MEASURE):
            text = pattern.sub(BLANK, text)
    text = _WORD.sub(_word, _NAMED_ID.sub(rf"\g<1>{BLANK}", text))
    return _BLANKS.sub(BLANK, text)


def _quoted(found: re.Match[str]) -> str:
    opening, said, closing = found.group(1, 2, 3) if found[1] else found.group(4, 5, 6)
    return f"{opening}{GAP}{closing}" if _is_sentence(said) and not _own(found) else found[0]


def _unclosed(found: re.Match[str]) -> str:
    opening, said = found.group(1, 2) if found[1] else found.group(3, 4)
    closed = found[1] and found.string.count(opening) % 2 == 0
    return found[0] if closed or _own(found) or not _is_sentence(said) else opening + GAP


def _is_sentence(said: str) -> bool:
    return said.count(" ") >= 2 or len(said) > 40 or (len(said) >= 6 and not said.isascii())


def _own(found: re.Match[str]) -> bool:
    return _OWN_WORDS.search(found.string, max(0, found.start() - 20), found.start()) is not None


def _word(found: re.Match[str]) -> str:
    """A word, or several with hyphens: with a blank from its first id on."""
    word = found[0]
    if word.isalpha() and len(word) < 8:
        return word
    if word.isdecimal() and len(word) <= 3:
        here = found.string, max(0, found.start() - 20), found.start()
        return word if (int(word) in STATUS and _CODE.search(*here)) or _EXIT.search(*here) else BLANK
    begins = _OF_AN_ID.match(word)
    if begins and (len(word) - begins.end() >= 8 or any(map(str.isdigit, word))):
        return begins[0] + BLANK
    pieces = []
    for piece in re.split("([-_]+)", word):
        if _is_id(piece):
            pieces.append(BLANK)
            break
        pieces.append(_numbered(piece))
    return "".join(pieces)


def _is_id(piece: str) -> bool:
    if any(map(str.isdigit, piece)):
        return len(piece) >= (8 if piece.isdecimal() else 5) and not _NUMBERED.fullmatch(piece)
    if not piece.isascii() or len(piece) < 8:
        return False
    return len(piece) > _LONGEST_WORD or not (set(piece.lower()) - set("abcdef")) or not _CAMEL_CASE.fullmatch(piece)


def _numbered(piece: str) -> str:
    if not any(map(str.isdigit, piece)):
        return piece
    known = _NUMBERED.fullmatch(piece)
    return BLANK if not known else piece.rstrip("0123456789") + BLANK if known[1] else piece


class ErrorGroups:
    """The kinds of errors seen so far, at most `most`; what comes then and is of no known kind is "other errors".

    A text that differs from a known one in one word only, where that has a blank, is of its kind. Where many differ
    in the same word (ids that look like words), those after the first few are one group.
    """

    def __init__(self, most: int = MOST_GROUPS) -> None:
        self._most = most
        self._known: dict[str, str] = {}  # a group by its text, and by that with a gap for a word that has a blank
        self._groups: set[str] = set()
        self._alike: Counter[str] = Counter()  # texts seen, by their text with a gap for one word

    def of(self, outcome: str, error: str, model: str = "") -> str:
        """The text of an error's group."""
        shape = f"{outcome}: {mask(error, model)}" if error else outcome
        if shape in self._known:
            return self._known[shape]
        words = shape.split(" ")
        gaps = {
            " ".join((*words[:place], GAP, *words[place + 1 :])): word
            for place, word in enumerate(words)
            if place and len(words) >= LEAST_WORDS and not word.isdecimal()
        }
        if found := next((self._known[gap] for gap in gaps if gap in self._known), None):
            return found
        if len(self._groups) >= self._most:
            return f"{outcome}: {OTHER}"
        self._alike.update(gaps.keys())
        group = next((gap for gap in gaps if self._alike[gap] > ALIKE), shape)
        self._groups.add(group)
        self._known[group] = group
        self._known.update((gap, group) for gap, word in gaps.items() if BLANK in word)
        return group
