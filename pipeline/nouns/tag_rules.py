"""Correct the part-of-speech tagger where it errs on captions.

The tagger was trained on newspapers. In captions it calls verbs, adjectives and colours nouns ("cat
sits", "snowy hill", "black and white") and some nouns adjectives or verbs ("a teddy bear", "a
laptop computer"). Each rule states one such pattern; tests/nouns/test_tag_rules.py has an example
of each.
"""

from itertools import pairwise

from pipeline.nouns.lemmas import singular
from pipeline.nouns.lexicon import Lexicon
from pipeline.nouns.tokens import starts_sentence

_BEFORE_NOUN = frozenset({"DT", "PRP$", "CD", "POS", "JJ", "JJR", "JJS", "PDT", "WP$"})
_ARTICLES = frozenset({"DT", "PRP$"})
_AFTER_NOUN = frozenset({"IN", "TO", ".", "VBZ", "WDT"})
_AFTER_VERB = frozenset({"DT", "IN", "PRP", "PRP$", "TO", "RB", "RP", "VBG", "CD", "JJ", "."})
_OBJECT = frozenset({"DT", "PRP$", "PRP"})
_AFTER_SUBJECT = frozenset({"sits", "stands", "looks", "hangs"})
_AFTER_SINGLE_NOUN = frozenset({"inside", "outside", "next"})
_PRONOUNS = frozenset({"that", "who", "which", "he", "she", "it", "they", "we", "can", "will"})
_PLAYED = frozenset({"play", "plays", "playing", "played", "of", "professional"})
_BALL_SPORTS = frozenset({"baseball", "basketball", "football", "volleyball"})
_NEARBY = 50
"""Words before and after that say how a caption is written: most are shorter, and a text of 100,000
words is not read again for each of them."""
_TOWARDS_CAMERA = frozenset(
    {"at", "for", "toward", "towards", "into", "facing", "with", "to", "off"}
)


def is_noun(words: list[str], tags: list[str], index: int, lexicon: Lexicon) -> bool:
    """Return whether the word at `index` counts as a noun: by its tag, by the list of sure nouns,
    or since only a noun fits there ("a turtle beside", where "turtle" was tagged as a verb)."""
    tag = tags[index]
    next_word = words[index + 1] if index + 1 < len(words) else ""
    if tag.startswith("NN") or singular(words[index]) in lexicon.sure_nouns:
        return True
    if tag.startswith("JJ") and next_word in _AFTER_SUBJECT:
        return True
    if index == 0 or tags[index - 1] not in _ARTICLES or words[index].endswith("ed"):
        return False
    follower = tags[index + 1] if index + 1 < len(tags) else "."
    if tag.startswith("VB") or tag == "FW":
        return follower in _AFTER_NOUN or follower == "VBG"
    return tag.startswith("JJ") and (follower in _AFTER_NOUN or next_word in _AFTER_SINGLE_NOUN)


def misread(words: list[str], tags: list[str], index: int, lexicon: Lexicon) -> str | None:
    """Return why the word at `index`, tagged as a noun, is not one; None if it is.

    words: the caption's tokens in lower case; tags: Penn Treebank tags of the same length.
    """
    word, lemma = words[index], singular(words[index])
    if word in lexicon.colours:
        return None if _is_fruit(words, tags, index, lexicon) else "colour"
    if word == lemma and words[index + 1 : index + 2] in (["colored"], ["coloured"]):
        return "colour"
    if lemma in lexicon.not_nouns or word in lexicon.not_nouns:
        return "not a noun"
    if word in lexicon.modifiers and _describes(tags, index):
        return "describes the next noun"
    if _is_contraction(words, index, lexicon):
        return "contraction"
    if word.endswith("ing") and word not in lexicon.ing_nouns:
        return "verb"
    if _is_verb(words, tags, index, lexicon):
        return "verb"
    if word in _BALL_SPORTS and _is_sport(words, tags, index):
        return "sport"
    if word == "camera" and _is_photographers(words, index):
        return "camera of the photographer"
    return None


def is_proper_name(tokens: list[str], index: int, lexicon: Lexicon) -> bool:
    """Return whether a capital inside a sentence marks a name ("a street in Queens").

    tokens: with their capitals. Captions Written Like Titles, common nouns that people like to
    capitalise ("a Zebra"), all capitals ("TV", "RVs") and a letter that names a shape ("a V-neck")
    mark none.
    """
    token = tokens[index]
    if not token[:1].isupper() or starts_sentence(tokens, index):
        return False
    letter, _, shaped = token.partition("-")
    if len(letter) == 1 and shaped.islower():
        return False
    if token.isupper() or (len(token) > 2 and token.removesuffix("s").isupper()):
        return False
    nearby = tokens[max(0, index - _NEARBY) : index + _NEARBY]
    words = [other for other in nearby if other.isalpha()]
    if sum(other[0].isupper() for other in words) > len(words) / 2:
        return False
    return singular(token.lower()) not in lexicon.sure_nouns


def _is_verb(words: list[str], tags: list[str], index: int, lexicon: Lexicon) -> bool:
    """ "A plane flies over", "people that board", "containers line the sink", no "street signs".

    Subject and verb agree: a form in -s follows a singular noun, the bare form a plural one.
    """
    word, lemma = words[index], singular(words[index])
    predicate = lemma in lexicon.predicates
    often = predicate or lemma in lexicon.verbs
    if index == 0 or not (often or lemma in lexicon.transitive):
        return False
    before = words[index - 1]
    follower = tags[index + 1] if index + 1 < len(tags) else "."
    if before in _PRONOUNS or (often and before == "to"):
        return often or follower in _OBJECT
    noun_before = is_noun(words, tags, index - 1, lexicon)
    if predicate and noun_before:
        return follower in _AFTER_VERB
    plural_before = singular(before) != before
    if not noun_before or plural_before == (word != lemma):
        return False
    return follower in (_AFTER_VERB if often else _OBJECT)


def _is_contraction(words: list[str], index: int, lexicon: Lexicon) -> bool:
    """ "Three o'clock", "y'all", "a dog runnin' home", but not "a jack-o'-lantern"."""
    word = words[index]
    if singular(word) in lexicon.sure_nouns:
        return False
    if "'" in word:
        return True
    if not word.endswith("in") or words[index + 1 : index + 2] != ["'"]:
        return False
    quoted = [
        before for before, mark in pairwise(words[max(0, index - _NEARBY) : index]) if mark == "'"
    ]
    return all(before.endswith("in") for before in quoted) and words[0] != "'"


def _is_fruit(words: list[str], tags: list[str], index: int, lexicon: Lexicon) -> bool:
    """ "An orange on a plate", but not "an orange cat", "orange and white" or "in orange"."""
    if words[index] not in {"orange", "peach"} or not _has_determiner(tags, index):
        return False
    if index + 1 == len(words):
        return True
    if words[index + 1] in {"and", ",", "or"}:
        return not set(words[index + 2 : index + 3]) & lexicon.colours
    return not tags[index + 1].startswith(("NN", "JJ", "CD", "VB"))


def _has_determiner(tags: list[str], index: int) -> bool:
    return index > 0 and tags[index - 1] in _BEFORE_NOUN


def _describes(tags: list[str], index: int) -> bool:
    """Return whether another noun follows, adjectives between: "a male tennis player"."""
    rest = iter(tags[index + 1 : index + _NEARBY])
    following = next((tag for tag in rest if not tag.startswith("JJ")), "")
    return following.startswith("NN")


def _is_sport(words: list[str], tags: list[str], index: int) -> bool:
    """ "Playing baseball", "a baseball game", but not "catches a baseball"."""
    if index and words[index - 1] in _PLAYED:
        return True
    return index + 1 < len(tags) and tags[index + 1].startswith("NN")


def _is_photographers(words: list[str], index: int) -> bool:
    """ "Looking at the camera": it took the picture and is not in it."""
    before = [word for word in words[max(0, index - 2) : index] if word not in {"the", "a"}]
    return bool(before) and before[-1] in _TOWARDS_CAMERA
