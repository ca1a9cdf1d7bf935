"""Singular forms of nouns, by the rules of the package `inflect` and a list of exceptions.

`inflect` alone turns "bus" into "bu" and "tennis" into "tenni"; WordNet's morphology would need
data that is not on every machine, and results must not depend on that.
"""

from functools import lru_cache

import inflect

from pipeline.nouns.lexicon import lexicon

_ENGLISH = inflect.engine()
_NEVER_PLURAL = ("ss", "us", "is", "'s", "s'")
_PLURALS_WITHOUT_S = frozenset({"geese", "teeth", "feet", "mice", "oxen", "lice", "fungi"})
_SINGULAR_IN_MEN = frozenset({"ramen", "specimen", "abdomen", "omen", "amen", "semen", "stamen"})


@lru_cache(maxsize=100_000)
def singular(noun: str) -> str:
    """Return the singular of a lower-case noun; a singular or unknown noun is returned unchanged.

    In a multi-word noun the last word is changed: "wine glasses" -> "wine glass". Idempotent.
    """
    words = lexicon()
    if noun in words.unchanged:
        return noun
    if noun in words.irregular:
        return words.irregular[noun]
    first, space, last = noun.rpartition(" ")
    if space:
        return f"{first} {'glass' if last == 'glasses' else singular(last)}"
    if len(noun) < 3 or noun.endswith(_NEVER_PLURAL) or "." in noun or not noun.isascii():
        return noun
    if noun.endswith("men") and noun not in _SINGULAR_IN_MEN:
        return f"{noun[:-2]}an"
    if not noun.endswith("s") and noun not in _PLURALS_WITHOUT_S:
        return noun
    found = _ENGLISH.singular_noun(noun)
    return found if found and len(found) > 1 else noun
