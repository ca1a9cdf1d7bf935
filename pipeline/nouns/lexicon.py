"""The word lists behind the noun rules: text files in `pipeline/nouns/lexicon/`.

Format: `#` starts a comment line; `[name] what it is` starts a section; entries are separated by
commas and may run over lines and hold several words; "a = b" maps one spelling to another.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Lexicon:
    """Word lists, all lower case.

    stop: lemma -> reason why it names nothing visible; multi_word: words of a phrase, the last one
    a lemma -> its name (stopped phrases included); phrase_starts: first words of the phrases;
    unchanged: forms that are their own singular; irregular: form -> singular.

    For the tag rules, lemmas that are: not_nouns: never nouns; modifiers: not nouns before another
    noun; colours: not nouns when they describe one; predicates: verbs after any noun; verbs: verbs
    after a subject; transitive: verbs between a subject and an object; sure_nouns: always nouns;
    ing_nouns: words in -ing that name things.

    To tell the language of a caption: english, foreign: words of its grammar that only English, or
    only others, have.
    """

    stop: dict[str, str]
    multi_word: dict[tuple[str, ...], str]
    phrase_starts: frozenset[str]
    unchanged: frozenset[str]
    irregular: dict[str, str]
    not_nouns: frozenset[str]
    modifiers: frozenset[str]
    colours: frozenset[str]
    predicates: frozenset[str]
    verbs: frozenset[str]
    transitive: frozenset[str]
    ing_nouns: frozenset[str]
    sure_nouns: frozenset[str]
    english: frozenset[str]
    foreign: frozenset[str]


@cache
def lexicon() -> Lexicon:
    """Read the shipped lists, once."""
    rules = {name: frozenset(words) for name, words in _sections("tag_rules.txt").items()}
    singulars = _sections("singulars.txt")
    languages = _sections("languages.txt")
    stop = dict.fromkeys(_words("abstract_nouns.txt"), "abstract")
    for reason, entries in _sections("stop_list.txt").items():
        stop |= dict.fromkeys(entries, reason)
    multi_word = {tuple(entry.split()): entry for entry in stop if " " in entry}
    for section in _sections("multi_word.txt").values():
        multi_word |= {tuple(written.split()): name for written, name in section.items()}
    return Lexicon(
        stop=stop,
        multi_word=multi_word,
        phrase_starts=frozenset(words[0] for words in multi_word),
        unchanged=frozenset(singulars["unchanged"]),
        irregular=dict(singulars["irregular"]),
        not_nouns=rules["not nouns"] | _words("other_words.txt"),
        modifiers=rules["before a noun"],
        colours=rules["colour"],
        predicates=rules["after any noun"],
        verbs=rules["after a subject"],
        transitive=rules["before an object"],
        ing_nouns=rules["-ing nouns"],
        sure_nouns=rules["always nouns"] | _words("sure_nouns.txt"),
        english=frozenset(languages.pop("english")),
        foreign=frozenset(word for words in languages.values() for word in words),
    )


def _words(name: str) -> frozenset[str]:
    return frozenset(word for section in _sections(name).values() for word in section)


def _sections(name: str) -> dict[str, dict[str, str]]:
    """Return section -> {entry: what it maps to, by default itself}."""
    text = (files(__package__) / "lexicon" / name).read_text(encoding="utf-8")
    return parse(text, name)


def parse(text: str, name: str) -> dict[str, dict[str, str]]:
    """Parse a word list; ValueError names the file and what is wrong in it."""
    bodies: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("["):
            section = line[1:].partition("]")[0]
            if section in bodies:
                raise ValueError(f"{name}: section [{section}] stands twice")
            bodies[section] = []
        elif not bodies:
            raise ValueError(f"{name}: {line!r} stands before the first [section]")
        else:
            bodies[section].append(line)
    return {section: _entries(" ".join(lines), name) for section, lines in bodies.items()}


def _entries(body: str, name: str) -> dict[str, str]:
    entries = {}
    for entry in filter(None, (" ".join(part.split()) for part in body.split(","))):
        if entry != entry.lower():
            raise ValueError(f"{name}: {entry!r} is not lower case")
        written, _, meant = (part.strip() for part in entry.partition("="))
        if not written or ("=" in entry and not meant):
            raise ValueError(f"{name}: {entry!r} lacks one side of '='")
        entries[written] = meant or written
    return entries
