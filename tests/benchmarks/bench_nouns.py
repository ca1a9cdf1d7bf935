"""Speed, yield and quality of the noun stage on real captions.

    python -m tests.benchmarks.bench_nouns --data ../shared/data              # the report
    python -m tests.benchmarks.bench_nouns --data ../shared/data --candidates

`--data` holds a COCO folder `coco/` with `annotations/captions_val2017_all.json` (any COCO caption
file will do) and captions and instances of train2017 and val2017. The report prints captions per
second, unique nouns, drops by reason, the commonest nouns and the recall of COCO category names:
of the categories that have an instance in the image and whose name or synonym a caption of it
contains, how many come out as a noun (the name itself, or as the last word of a longer one: "bus"
in "city bus"). `--candidates` prints frequent word pairs that the list of multi-word nouns lacks.
How many of the nouns are wrong is for a reader to say: `noun_audit.py`.
"""

import argparse
import json
import math
import time
from collections import Counter, defaultdict
from pathlib import Path

from pipeline.nouns.lemmas import singular
from pipeline.nouns.lexicon import lexicon
from pipeline.nouns.nouns import Tagger, caption_nouns
from pipeline.nouns.tagger import load_tagger
from pipeline.nouns.tokens import tokenize
from tests.benchmarks.coco_names import SYNONYMS
from tests.shipped import RULES

OPTIONS = RULES


def report(captions: list[str], coco: Path, tagger: Tagger) -> None:
    kept: Counter[str] = Counter()
    drops: Counter[str] = Counter()
    start = time.perf_counter()
    for caption in captions:
        nouns, dropped = caption_nouns(caption, tagger, OPTIONS)
        kept.update(noun.noun for noun in nouns)
        drops.update(reason for _, reason in dropped)
    seconds = time.perf_counter() - start
    print(f"captions {len(captions)}, {len(captions) / seconds:.0f} captions/s on one core")
    print(f"nouns {kept.total()}, unique {len(kept)}, dropped {drops.total()}")
    for least in (2, 3, 5, 10):
        print(
            f"  unique nouns found {least} times or more: {sum(n >= least for n in kept.values())}"
        )
    print("drops:", ", ".join(f"{reason} {n}" for reason, n in drops.most_common()))
    print("commonest:", ", ".join(f"{noun} {n}" for noun, n in kept.most_common(100)))
    strings = [(caption, None) for caption in captions]
    _print_recall("named in the caption", *recall(strings, tagger))
    pairs = [pair for split in ("train2017", "val2017") for pair in with_categories(coco, split)]
    _print_recall("named, and in the image", *recall(pairs, tagger))


def with_categories(coco: Path, split: str) -> list[tuple[str, set[str] | None]]:
    """Captions of images that have instances, each with the categories in its image."""
    folder = coco / "annotations"
    instances = json.loads((folder / f"instances_{split}.json").read_text())
    names = {category["id"]: category["name"] for category in instances["categories"]}
    present: dict[int, set[str]] = defaultdict(set)
    for annotation in instances["annotations"]:
        present[annotation["image_id"]].add(names[annotation["category_id"]])
    captions = json.loads((folder / f"captions_{split}.json").read_text())["annotations"]
    return [(c["caption"], present[c["image_id"]]) for c in captions if c["image_id"] in present]


def recall(
    pairs: list[tuple[str, set[str] | None]], tagger: Tagger
) -> tuple[Counter[str], Counter[str], Counter[tuple[str, str]]]:
    """Per category: times named, times found as a noun; and the misses by (kind, category).

    pairs: captions with the categories that count, None for all. Kinds of misses: the name is part
    of a longer noun that names another thing ("clock tower"); dropped with a reason; or no noun.
    """
    named: Counter[str] = Counter()
    found: Counter[str] = Counter()
    missed: Counter[tuple[str, str]] = Counter()
    for caption, present in pairs:
        kept, drops = caption_nouns(caption, tagger, OPTIONS)
        for category in names_in(caption):
            if present is not None and category not in present:
                continue
            named[category] += 1
            if any(_means(noun.noun, category) for noun in kept):
                found[category] += 1
            else:
                missed[_kind_of_miss(category, [noun.noun for noun in kept], drops), category] += 1
    return named, found, missed


def _kind_of_miss(category: str, kept: list[str], drops: list[tuple[str, str]]) -> str:
    names = SYNONYMS[category]
    if any(f" {name} " in f" {noun} " for noun in kept for name in names):
        return "part of a longer noun"
    for word, reason in drops:
        if any(name in singular(word.lower()) for name in names):
            return f"dropped: {reason}"
    return "not taken for a noun"


def names_in(caption: str) -> list[str]:
    """The categories that a caption's words name, longest synonyms first, without overlap."""
    words = [singular(token.lower()) for token in tokenize(caption)]
    text = f" {' '.join(words)} "
    names = sorted(
        ((synonym, category) for category, all_ in SYNONYMS.items() for synonym in all_),
        key=lambda pair: -len(pair[0].split()),
    )
    categories = []
    for synonym, category in names:
        if f" {synonym} " in text:
            text = text.replace(f" {synonym} ", " | | ")
            categories.append(category)
    return sorted(set(categories))


def _means(noun: str, category: str) -> bool:
    written = {singular(name) for name in SYNONYMS[category]}
    joined = {name.replace(" ", "") for name in written}
    return noun.replace(" ", "") in joined or any(noun.endswith(f" {name}") for name in written)


def _print_recall(
    title: str, named: Counter[str], found: Counter[str], missed: Counter[tuple[str, str]]
) -> None:
    share = found.total() / named.total()
    print(f"recall of COCO names, {title}: {found.total()}/{named.total()} = {share:.4f}")
    for kind in sorted({kind for kind, _ in missed}):
        categories = Counter({name: n for (k, name), n in missed.items() if k == kind})
        worst = ", ".join(f"{name} {n}" for name, n in categories.most_common(8))
        print(f"  {kind}: {categories.total()} ({worst})")


def print_candidates(captions: list[str], tagger: Tagger) -> None:
    """Noun-noun pairs by frequency with their pointwise mutual information in bits."""
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for caption in captions:
        tagged = tagger.tag([token.lower() for token in tokenize(caption)])
        words.update(singular(word) for word, _ in tagged)
        for (first, tag), (second, next_tag) in zip(tagged, tagged[1:], strict=False):
            if tag.startswith("NN") and next_tag.startswith("NN"):
                pairs[singular(first), singular(second)] += 1
    total = words.total()
    for pair, n in pairs.most_common():
        bits = math.log2(n * total / (words[pair[0]] * words[pair[1]]))
        if n >= 4 and bits > 4 and pair not in lexicon().multi_word:
            print(f"{' '.join(pair)}: {n} times, {bits:.1f} bits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--captions", default="coco/annotations/captions_val2017_all.json")
    parser.add_argument("--candidates", action="store_true")
    arguments = parser.parse_args()
    source = json.loads((arguments.data / arguments.captions).read_text())
    captions = [annotation["caption"] for annotation in source["annotations"]]
    tagger = load_tagger()
    if arguments.candidates:
        print_candidates(captions, tagger)
    else:
        report(captions, arguments.data / "coco", tagger)


if __name__ == "__main__":
    main()
