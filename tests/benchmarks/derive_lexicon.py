"""Derives the word lists that come from WordNet 3.0 and writes them into `pipeline/nouns/lexicon/`.

    python -m tests.benchmarks.derive_lexicon --data ../shared/data

- `abstract_nouns.txt`: nouns whose every sense is abstract (act, state, time ...) and which
  WordNet's tagged texts use at least once, but for those in `VISIBLE`.
- `other_words.txt`: words without any noun sense that those texts use at least twice.
- `sure_nouns.txt`: words without a verb, adjective or adverb sense, first sense concrete, found
  3 times or more in 20,000 COCO captions and tagged as nouns in at least 3 of 10 places; and the
  one-word names of COCO-Stuff and of the OpenMoji world that are nouns only.

The product reads the lists only; WordNet and the captions are needed for making them anew.
"""

import argparse
import json
import textwrap
from collections import Counter, defaultdict
from pathlib import Path

from pipeline.nouns.lemmas import singular
from pipeline.nouns.lexicon import lexicon
from pipeline.nouns.tagger import load_tagger
from pipeline.nouns.tokens import tokenize
from pipeline.world.vocabulary import NOUNS

FOLDER = Path(__file__).parents[2] / "pipeline" / "text" / "lexicon"
LICENCE = """WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved. Permission \
to use, copy, modify and distribute this database for any purpose and without fee or royalty is \
granted under the WordNet license (https://wordnet.princeton.edu/license-and-commercial-use); it \
is provided "as is", without warranties of any kind."""
ABSTRACT = frozenset(
    f"noun.{kind}"
    for kind in (
        "act", "attribute", "cognition", "communication", "event", "feeling", "motive",
        "possession", "process", "quantity", "relation", "state", "time",
    )
)  # fmt: skip
CONCRETE = frozenset(
    f"noun.{kind}"
    for kind in ("animal", "artifact", "body", "food", "object", "person", "plant", "substance")
)
VISIBLE = frozenset(
    "advertisement artwork asterisk badge bible bonfire boxcar bruise bulletin campfire cartoon "
    "catalog catalogue certificate checklist coin coupon crossbones currency dictionary directory "
    "dollar droplet encyclopedia exhibit fingerprint flame footprint gift graph grassfire "
    "guidepost handwriting headline inscription letterhead license list manuscript medal "
    "memorabilia menu message money newsletter note obstacle pamphlet paperwork penny poem poster "
    "program receipt ripple scar script scripture signature signpost smiley sparkle splash "
    "spatter stationery symbol telegram text ticket timetable toilette trophy woodgrain worksheet "
    "wound".split()
)


class WordNet:
    """The parts of WordNet's files that the lists need."""

    def __init__(self, folder: Path) -> None:
        kinds = [line.split()[1] for line in _lines(folder / "lexnames")]
        self.kind_of = {
            line[:8]: kinds[int(line.split()[1])] for line in _lines(folder / "data.noun")
        }
        self.senses: dict[str, dict[str, list[str]]] = {}
        for part in ("noun", "verb", "adj", "adv"):
            fields = [line.split() for line in _lines(folder / f"index.{part}")]
            self.senses[part] = {f[0]: f[-int(f[2]) :] for f in fields}
        self.used: dict[str, Counter[str]] = defaultdict(Counter)
        for line in _lines(folder / "cntlist.rev"):
            key, _, count = line.split()
            lemma, _, rest = key.partition("%")
            part = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}[rest[0]]
            self.used[lemma][part] += int(count)

    def kinds(self, noun: str) -> list[str]:
        """The lexicographer files of a noun's senses, commonest first."""
        return [self.kind_of[offset] for offset in self.senses["noun"].get(noun, ())]

    def only_noun(self, word: str) -> bool:
        forms = {word, f"{word}s", f"{word}es"}
        return word in self.senses["noun"] and not any(
            forms & self.senses[part].keys() for part in ("verb", "adj", "adv")
        )


def abstract_nouns(wordnet: WordNet) -> list[str]:
    nouns = wordnet.senses["noun"]
    return sorted(
        noun
        for noun in nouns
        if _plain(noun)
        and all(kind in ABSTRACT for kind in wordnet.kinds(noun))
        and wordnet.used[noun]["noun"] >= 1
        and not noun.endswith("ing")
        and not (noun.endswith("s") and not noun.endswith("ss") and noun[:-1] in nouns)
        and noun not in VISIBLE
    )


def other_words(wordnet: WordNet) -> list[str]:
    nouns = wordnet.senses["noun"]
    words = set().union(*(wordnet.senses[part] for part in ("verb", "adj", "adv")))
    return sorted(
        word
        for word in words
        if _plain(word)
        and word not in nouns
        and singular(word) not in nouns
        and sum(wordnet.used[word].values()) >= 2
        and not word.endswith("ing")
    )


def sure_nouns(wordnet: WordNet, captions: list[str]) -> list[str]:
    tagger = load_tagger()
    total: Counter[str] = Counter()
    tagged: Counter[str] = Counter()
    for caption in captions:
        for word, tag in tagger.tag([token.lower() for token in tokenize(caption)]):
            total[singular(word)] += 1
            tagged[singular(word)] += tag.startswith("NN")
    names = set(NOUNS) | {name for words in lexicon().multi_word for name in words[-1:]}
    seen = {w for w, n in total.items() if n >= 3 and tagged[w] >= 0.3 * n}
    seen |= {singular(name) for name in names if " " not in name}
    return sorted(
        word
        for word in seen
        if _plain(word)
        and wordnet.only_noun(word)
        and wordnet.kinds(word)[0] in CONCRETE
        and word not in lexicon().stop
        and word not in lexicon().not_nouns
        and not word.endswith("ing")
    )


def _plain(word: str) -> bool:
    return word.isascii() and word.isalpha() and len(word) > 2


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith(" ")]


def _write(name: str, section: str, about: str, words: list[str]) -> None:
    notes = textwrap.fill(f"Made by tests/benchmarks/derive_lexicon.py. {LICENCE}", 98)
    head = "\n".join(f"# {line}" for line in notes.splitlines())
    body = textwrap.fill(", ".join(words), 100)
    (FOLDER / name).write_text(f"{head}\n\n[{section}] {about}\n{body}\n")
    print(f"{name}: {len(words)} words")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    wordnet = WordNet(data / "nltk_data" / "corpora" / "wordnet")
    captions = json.loads((data / "coco/annotations/captions_val2017_all.json").read_text())
    texts = [annotation["caption"] for annotation in captions["annotations"]]
    _write("abstract_nouns.txt", "abstract", "every sense is abstract", abstract_nouns(wordnet))
    _write("other_words.txt", "wordnet", "without a noun sense", other_words(wordnet))
    _write("sure_nouns.txt", "nouns", "nouns whatever the tagger says", sure_nouns(wordnet, texts))


if __name__ == "__main__":
    main()
