"""Write five captions for a scene, varied like people's in what they name, leave out and add.

Captions mention one to four of the objects (rarely all), sometimes the stuff, in singular, plural
or by number, with adjectives and verbs, and with nouns that cannot be seen ("a photo of", "on a
sunny day"), which the noun stage has to drop.
"""

import inflect
import numpy as np

_ENGLISH = inflect.engine()

PLURAL_ONLY = {"scissors", "grapes", "sunglasses"}
UNCOUNTED = {"broccoli", "corn", "cheese", "popcorn"}
ADJECTIVES = ("big", "small", "bright", "old", "new", "colorful", "little", "large", "lovely")
OPENINGS = (
    "", "", "", "a photo of ", "a picture of ", "there is ", "a close up view of ", "we see ",
    "an image showing ", "a drawing of ", "here is ",
)  # fmt: skip
RELATIONS = (
    "next to", "near", "beside", "and", "with", "in front of", "behind", "to the left of",
    "on the right side of", "and also",
)  # fmt: skip
STUFF_PHRASES = {
    "grass": ("on the grass", "in the green grass", "on a patch of grass"),
    "sand": ("on the sand", "in the sand", "on warm sand"),
    "water": ("by the water", "near the blue water", "surrounded by water"),
    "snow": ("in the snow", "on white snow", "covered with snow"),
    "sky": ("under a blue sky", "below the sky", "with the sky above"),
    "brick wall": ("in front of a brick wall", "by the brick wall", "near a red brick wall"),
    "gravel": ("on gravel", "on the gray gravel", "lying on some gravel"),
    "dirt": ("in the dirt", "on brown dirt", "sitting on dirt"),
    "wood": ("on the wood", "on a surface of wood", "placed on wood"),
    "carpet": ("on the carpet", "on a purple carpet", "lying on a carpet"),
}
ENDINGS = (
    "", "", "", "", " on a sunny day", " in the middle", " at the bottom of the picture",
    " in the background", " for fun", " at the same time", " on the left side",
)  # fmt: skip


def noun_phrase(noun: str, count: int, rng: np.random.Generator) -> str:
    """Write a noun as part of a sentence: "a small dog", "two dogs", "some dogs", "the dog"."""
    adjective = f"{rng.choice(ADJECTIVES)} " if rng.random() < 0.3 else ""
    if noun in UNCOUNTED:
        return f"some {adjective}{noun}"
    if noun in PLURAL_ONLY:
        return f"{rng.choice(('some', 'the'))} {adjective}{noun}"
    if count > 1:
        number = rng.choice((_ENGLISH.number_to_words(str(count)), "some", "a group of"))
        return f"{number} {adjective}{_ENGLISH.plural_noun(noun)}"
    if rng.random() < 0.25:
        return f"the {adjective}{noun}"
    return _ENGLISH.a(f"{adjective}{noun}")


def write_caption(counts: dict[str, int], stuff: list[str], rng: np.random.Generator) -> str:
    """Write one sentence about a scene. counts: noun -> number of objects; stuff: visible."""
    nouns = list(counts)
    rng.shuffle(nouns)
    mentioned = nouns[: int(rng.integers(1, min(4, len(nouns)) + 1))] if nouns else []
    parts = [noun_phrase(noun, counts[noun], rng) for noun in mentioned]
    sentence = rng.choice(OPENINGS) + parts[0] if parts else f"a view of {rng.choice(stuff)}"
    for index, part in enumerate(parts[1:]):
        last = index == len(parts) - 2
        sentence += f" and {part}" if last and index else f" {rng.choice(RELATIONS)} {part}"
    if stuff and rng.random() < 0.45:
        sentence += f" {rng.choice(STUFF_PHRASES[str(rng.choice(stuff))])}"
    sentence += rng.choice(ENDINGS)
    if rng.random() < 0.7:
        sentence = sentence[0].upper() + sentence[1:]
    return sentence + ("." if rng.random() < 0.6 else "")
