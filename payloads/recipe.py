"""Made-up text of a chosen length in tokens, without any tokenizer: words of even length, and a scale from the server.

Every word is one of 256, four letters long (Chinese: one character), so that a text's tokens are nearly its words times
a constant, whether a server counts by a vocabulary or by characters.
"""

from dataclasses import dataclass
from hashlib import shake_128
from itertools import chain, pairwise

from tokenswarm.payloads.distribution import Distribution

_ENGLISH = """
able acid aged also area army away baby back ball band bank base bath bear beat been bell belt best bill bird blow blue
boat body bond bone book boom born boss both bowl bulk burn bush busy call calm came camp card care case cash cast cell
chat chip city club coal coat code cold come cook cool cope copy core cost crew crop dark data date dawn days dead deal
dean dear debt deep deny desk dial diet disc disk does done door down draw drew drop drug dual duke dust duty each earn
ease east easy edge else even ever exit face fact fail fair fall farm fast fate fear feed feel feet fell felt file fill
film find fine fire firm fish five flat flow food foot ford form fort four free from fuel full fund gain game gate gave
gear gift girl give glad goal goes gold golf gone good gray grew grey grow gulf hair half hall hand hang hard harm have
head hear heat held help here hero high hill hire hold hole holy home hope host hour huge hung hunt idea inch into iron
item join jump jury just keen keep kept kick kind king knee knew know lack lady laid lake land lane last late lead left
less life lift like line link list live load loan lock logo long look lord lose loss lost love luck made mail main make
many mark mass meal mean meat meet menu mere mile milk mind mine miss mode mood moon more most move much must name near
"""
_CHINESE = (
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之"
    "进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关"
    "各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总"
    "次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即保"
)


@dataclass(frozen=True, slots=True)
class Language:
    """256 words, what stands between them, and between sentences."""

    words: tuple[str, ...]
    space: str
    stop: str


LANGUAGES = {
    "en": Language(tuple(dict.fromkeys(_ENGLISH.split()))[:256], " ", ". "),
    "zh": Language(tuple(dict.fromkeys(_CHINESE))[:256], "", "。"),
}
SENTENCE_WORDS = 16


@dataclass(frozen=True, slots=True)
class Scale:
    """How a server counts made-up text: what its template adds to a prompt, and what a word comes to, in tokens."""

    template_tokens: float = 0.0
    word_tokens: float = 1.0

    def words(self, tokens: float, *, whole: bool) -> int:
        """How many words make that many tokens, at least one; `whole`: the template's tokens are among them."""
        return max(1, round((tokens - (self.template_tokens if whole else 0)) / self.word_tokens))


@dataclass(frozen=True, slots=True)
class Recipe:
    """A prompt that is made up when it is asked: `tokens` long as the server counts it, with its template's tokens.

    With `blocks` (ids, of `block_tokens` each, of which the last one holds the rest) the same id stands for the same
    text, so that a prefix cache sees the sharing that a trace tells of; without, the text is new each time. Where a
    block ends is counted from the prompt's beginning, to the nearest word: many short ones add up to no other length.
    """

    tokens: Distribution
    blocks: tuple[int, ...] = ()
    block_tokens: float = 512

    def text(self, u: float, scale: Scale, language: str, run: object, place: tuple[object, ...]) -> str:
        """The text for a place of a run; `u` is the quantile of its length."""
        tokens = self.tokens.whole(u)
        if not self.blocks:
            return made_up(scale.words(tokens, whole=True), language, run, *place)
        total = scale.words(tokens, whole=True)
        # The last block keeps a word at least: it is what tells this prompt from the others.
        ends = [min(total - 1, round(n * self.block_tokens / scale.word_tokens)) for n in range(len(self.blocks))]
        lengths = (after - before for before, after in pairwise([*ends, total]))
        drawn = (_draw(n, language, run, "block", one) for one, n in zip(self.blocks, lengths, strict=True))
        return _sentences(list(chain.from_iterable(drawn)), language)


def made_up(words: int, language: str, *place: object) -> str:
    """So many words of text that depends on its place alone; a longer text of a place begins as a shorter one does."""
    return _sentences(_draw(words, language, *place), language)


def _draw(words: int, language: str, *place: object) -> list[str]:
    # A stream of bytes, each of them a word: 100,000 words take a few ms, while responses arrive.
    known = LANGUAGES[language].words
    return [known[byte] for byte in shake_128("/".join(map(str, place)).encode()).digest(words)]


def _sentences(words: list[str], language: str) -> str:
    spoken = LANGUAGES[language]
    sentences = (words[at : at + SENTENCE_WORDS] for at in range(0, len(words), SENTENCE_WORDS))
    return spoken.stop.join(spoken.space.join(sentence) for sentence in sentences)
