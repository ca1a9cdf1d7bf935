"""Tell captions in other languages and scripts, whose words the tagger for English takes for nouns.

Only the words of a language's grammar are looked at (`lexicon/languages.txt`), so a text without
any ("Hund") stays unknown, and a few foreign words in an English caption do not matter.
"""

import re
from collections.abc import Sequence

from pipeline.nouns.lexicon import Lexicon

_LATIN = re.compile(r"[\x00-\u024f\u2019]*")
"""Without Vietnamese, which has letters of its own (U+1E00 on)."""
_MIN_WORDS = 2
_OUTWEIGHS = 2


def is_latin(word: str) -> bool:
    """Return whether a word is in the letters of English and of what it has borrowed
    ("jalapeño")."""
    return _LATIN.fullmatch(word) is not None


def is_foreign(tokens: Sequence[str], lexicon: Lexicon) -> bool:
    """Return whether a caption is in another language: at least two words of other grammars or in
    other letters, and more than twice as many as of English ("a sign that reads Rue de la Paix").
    Latin letters with accents count as one word more, words in capitals ("Las Vegas") as none, but
    for the first.

    tokens: of the caption, with their capitals.
    """
    if not tokens:
        return False
    words = [tokens[0].lower(), *tokens[1:]]
    foreign = sum(word in lexicon.foreign or not is_latin(word) for word in words)
    if foreign < _MIN_WORDS:
        return False
    accents = any(not word.isascii() and is_latin(word) for word in words)
    english = sum(word.lower() in lexicon.english for word in words)
    return foreign + accents > _OUTWEIGHS * english
