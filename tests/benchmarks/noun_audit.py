"""How precise the nouns of captions are, from samples of captions that a person read.

    python -m tests.benchmarks.noun_audit --data ../shared/data              # the percentages
    python -m tests.benchmarks.noun_audit --data ../shared/data --read 7     # a sample to read

`--read SEED` prints 200 captions with their ids, the nouns kept and the words dropped, and a stamp
of those nouns. What the reader found goes into `noun_audit.tsv`: a row `seed, 0, stamp, read` for
the sample, then a row `seed, caption id, noun, kind` for every noun that is wrong (KINDS) and every
visible thing that is missing ("missed"). All nouns without a row were judged right. Without
`--read`, the nouns of those samples are found anew and counted against the rows; a stamp that no
longer fits says that the rules have changed and that the sample must be read again.
"""

import argparse
import csv
import hashlib
import json
import random
from collections import Counter
from pathlib import Path

from pipeline.nouns.nouns import Tagger, caption_nouns
from pipeline.nouns.tagger import load_tagger
from tests.shipped import RULES

CAPTIONS = "coco/annotations/captions_val2017_all.json"
FOUND = Path(__file__).with_name("noun_audit.tsv")
SIZE = 200
KINDS = {
    "non-visual": "an event, place in a sentence, proper name or word on a sign",
    "mis-tagged": "a verb, adjective or adverb",
    "misspelt": "the caption's slip of the pen makes it another word",
    "broken": "a piece of a name that means another thing (the chain of a chain fence)",
    "describes": "a material or look of the next noun (a metal bench)",
    "absent": "a thing that the caption says is not there, or somebody's (a children's ride)",
}
Kept = set[tuple[int, str]]


def sample(captions: dict[int, str], seed: int) -> dict[int, str]:
    return dict(random.Random(seed).sample(list(captions.items()), SIZE))


def kept_nouns(captions: dict[int, str], tagger: Tagger) -> Kept:
    """(caption id, noun) of every noun kept."""
    options = RULES
    return {
        (caption_id, noun.noun)
        for caption_id, caption in captions.items()
        for noun in caption_nouns(caption, tagger, options)[0]
    }


def stamp(kept: Kept) -> str:
    return hashlib.sha256(repr(sorted(kept)).encode()).hexdigest()[:12]


def errors(kept: Kept, rows: list[tuple[int, str, str]]) -> Counter[str]:
    """Wrong nouns by kind, and those missed; rows that no longer hold are not counted.

    rows: (caption id, noun, kind). ValueError for a kind that is none.
    """
    found: Counter[str] = Counter()
    for caption_id, noun, kind in rows:
        if kind not in KINDS and kind != "missed":
            raise ValueError(f"{kind!r} is no kind of error; known: {', '.join(KINDS)}, missed")
        found[kind] += ((caption_id, noun) in kept) != (kind == "missed")
    return +found


def print_sample(captions: dict[int, str], tagger: Tagger) -> None:
    for caption_id, caption in captions.items():
        nouns, dropped = caption_nouns(caption, tagger, RULES)
        print(f"{caption_id}. {' '.join(caption.split())}")
        print(f"   + {', '.join(noun.noun for noun in nouns)}")
        if dropped:
            print(f"   - {', '.join(f'{word} ({reason})' for word, reason in dropped)}")
    print(f"stamp {stamp(kept_nouns(captions, tagger))}")


def print_score(title: str, kept: int, found: Counter[str]) -> None:
    wrong = sum(found[kind] for kind in KINDS)
    worst = found["non-visual"] + found["mis-tagged"]
    print(
        f"{title}: {kept} nouns; non-visual or mis-tagged {worst} = {worst / kept:.2%}, "
        f"wrong in any way {wrong} = {wrong / kept:.2%}, missed {found['missed']}"
    )
    print(f"  {', '.join(f'{kind} {found[kind]}' for kind in KINDS)}")


def report(captions: dict[int, str], table: Path, tagger: Tagger) -> None:
    with open(table, newline="") as file:
        table_rows = csv.DictReader(file, delimiter="\t")
        rows = [(int(r["seed"]), int(r["caption"]), r["noun"], r["kind"]) for r in table_rows]
    total: Counter[str] = Counter()
    nouns = 0
    for seed, _, read, _ in [row for row in rows if row[3] == "read"]:
        kept = kept_nouns(sample(captions, seed), tagger)
        found = errors(kept, [row[1:] for row in rows if row[0] == seed and row[3] != "read"])
        print_score(f"seed {seed}", len(kept), found)
        if stamp(kept) != read:
            print("  the nouns are no longer those that were read: read this sample again")
        total, nouns = total + found, nouns + len(kept)
    print_score("all samples", nouns, total)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--read", type=int, metavar="SEED", help="print a sample to read")
    arguments = parser.parse_args()
    annotations = json.loads((arguments.data / CAPTIONS).read_text())["annotations"]
    captions = {annotation["id"]: annotation["caption"] for annotation in annotations}
    if arguments.read is None:
        report(captions, FOUND, load_tagger())
    else:
        print_sample(sample(captions, arguments.read), load_tagger())


if __name__ == "__main__":
    main()
