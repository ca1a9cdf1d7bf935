"""Tell captions in other languages and scripts, whose words the tagger for English takes for nouns.

Only the words of a language's grammar are looked at (`lexicon/languages.txt`), so a text without
any ("Hund") stays unknown, and a few foreign words in an English caption do not matter.
"""

import re
from collections.abc import Sequence

from pipeline.nouns.lexicon import Lexicon

_LATIN = re.compile(r"[\x00-\u024f\u2019]*")
"""Without Vietnamese, which has letters of its own (U+1E00 on)."""
_LEAST_WORDS = 2
_OUTWEIGHS = 2


def is_latin(word: str) -> bool:
    """Whether a word is in the letters of English and of what it has borrowed ("jalapeño")."""
    return _LATIN.fullmatch(word) is not None


def is_foreign(words: Sequence[str], lexicon: Lexicon) -> bool:
    """Whether a caption is in another language: at least two words of other grammars, and more
    than twice as many as of English ("a sign that reads Rue de la Paix"). Letters beside a to z
    count as one word, since English has a few such words, and other scripts as one each.

    words: the tokens of the caption in lower case.
    """
    foreign = sum(word in lexicon.foreign or not is_latin(word) for word in words)
    if foreign or not all(map(str.isascii, words)):
        foreign += any(not word.isascii() and is_latin(word) for word in words)
        english = sum(word in lexicon.english for word in words)
        return foreign >= _LEAST_WORDS and foreign > _OUTWEIGHS * english
    return False
