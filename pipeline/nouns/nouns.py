"""Find the candidate names of a picture: the nouns of its captions (paper section 3.2, step 2).

The paper takes every noun that NLTK's tagger finds. Here multi-word nouns are kept together,
plurals become singular, and words that the tagger misread or that name nothing visible are dropped,
each with its reason. Every group of rules can be switched off; with all off, these are the tagger's
nouns, as in the paper, but in the singular.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from pipeline.nouns.language import is_foreign, is_latin
from pipeline.nouns.lemmas import singular
from pipeline.nouns.lexicon import Lexicon, lexicon
from pipeline.nouns.params import NounRules
from pipeline.nouns.tag_rules import is_noun, is_proper_name, misread
from pipeline.nouns.tokens import read_tokens

_LONGEST_PHRASE = 4
_SHORTEST = 2  # characters of a lemma
_WORD = r"[^\W\d_]+(?:(?:[-']|'-)[^\W\d_]+)*"
_LETTERS = re.compile(rf"{_WORD}(?: {_WORD})*\.?")


class Tagger(Protocol):
    """Anything that returns Penn Treebank tags, as NLTK's taggers do."""

    def tag(self, tokens: list[str]) -> list[tuple[str, str]]: ...


@dataclass(frozen=True)
class Noun:
    """A kept noun. noun: lemma in lower case; surface: as the caption writes it ("fire_hydrants"),
    with single blanks; position: index of its first token, from 0."""

    noun: str
    surface: str
    position: int


@dataclass(frozen=True)
class _Candidate:
    start: int
    end: int
    lemma: str


def caption_nouns(
    text: str, tagger: Tagger, rules: NounRules
) -> tuple[list[Noun], list[tuple[str, str]]]:
    """Find the nouns of a caption, in order, each lemma once.

    Returns (kept, drops); a drop is (form as written, reason). Words that are not nouns are not
    drops. Depends on its arguments only; an empty text gives two empty lists.
    """
    read = read_tokens(text)
    tokens = [token.text for token in read]
    words = [token.lower() for token in tokens]
    tags = [tag for _, tag in tagger.tag(words)]
    foreign = is_foreign(tokens, lexicon())
    words = ["and" if word == "&" else word for word in words]
    kept: dict[str, Noun] = {}
    drops: list[tuple[str, str]] = []
    for candidate in _candidates(words, tags, rules):
        written = text[read[candidate.start].start : read[candidate.end - 1].end]
        surface = " ".join(written.split())
        reason = "not English" if foreign else _drop_reason(candidate, tokens, words, tags, rules)
        if reason is None and candidate.lemma in kept:
            reason = "named before"
        if reason:
            drops.append((surface, reason))
        else:
            kept[candidate.lemma] = Noun(candidate.lemma, surface, candidate.start)
    return list(kept.values()), drops


def _candidates(words: list[str], tags: list[str], rules: NounRules) -> list[_Candidate]:
    """Return multi-word nouns of the list and single nouns, left to right, without overlap."""
    lists = lexicon()
    found = []
    index = 0
    while index < len(words):
        end, name = _phrase_at(words, index, lists) if rules.multiword else (index, "")
        if name:
            found.append(_Candidate(index, end, name))
        elif tags[index].startswith("NN") or (
            rules.tag_rules and is_noun(words, tags, index, lists)
        ):
            found.append(_Candidate(index, index + 1, _lemma(words, index)))
        index = max(end, index + 1)
    return found


def _phrase_at(words: list[str], index: int, lists: Lexicon) -> tuple[int, str]:
    """Return end and name of the longest listed phrase from `index` on; (index, "") if none."""
    if words[index].partition("-")[0] not in lists.phrase_starts:
        return index, ""
    for end in range(min(len(words), index + _LONGEST_PHRASE), index, -1):
        parts = [part for word in words[index:end] for part in word.split("-")]
        by_lemma = tuple(singular(" ".join(parts)).split(" "))
        name = lists.multi_word.get(by_lemma) or lists.multi_word.get(tuple(parts))
        if name:
            return end, name
    return index, ""


def _lemma(words: list[str], index: int) -> str:
    """Return the singular; "glasses" alone are spectacles, "glasses of ..." are not."""
    if words[index] == "glasses" and words[index + 1 : index + 2] == ["of"]:
        return "glass"
    return singular(words[index])


def _drop_reason(
    candidate: _Candidate,
    tokens: list[str],
    words: list[str],
    tags: list[str],
    rules: NounRules,
) -> str | None:
    lemma, lists = candidate.lemma, lexicon()
    if not _LETTERS.fullmatch(lemma):
        return "not alphabetic"
    if not is_latin(lemma):
        return "not English"
    if len(lemma) < _SHORTEST:
        return "too short"
    if rules.tag_rules and candidate.end == candidate.start + 1 and " " not in lemma:
        reason = misread(words, tags, candidate.start, lists)
        if reason:
            return reason
        if is_proper_name(tokens, candidate.start, lists):
            return "proper name"
    if rules.stop_list and lemma in lists.stop:
        return f"stop list: {lists.stop[lemma]}"
    return None
