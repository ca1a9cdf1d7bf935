"""The candidate names of a picture, each once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.core.records import Caption, NounRecord

NO_CAPTION = -1


@dataclass(frozen=True)
class Name:
    """noun: what a mask may be called; caption_id: the first caption that says so, -1 when it is
    a ground-truth class."""

    noun: str
    caption_id: int


def names_in_captions(
    captions: Sequence[Caption], nouns: Iterable[NounRecord], max_captions: int
) -> list[Name]:
    """Return the nouns of the first `max_captions` captions, in order of mention.

    A noun that several captions mention is one candidate: the paper counts 11 pairs a picture
    with five captions, which have about 18 nouns.
    """
    place = {caption.id: i for i, caption in enumerate(captions[:max_captions])}
    mentioned = sorted(
        (record for record in nouns if record.caption_id in place),
        key=lambda record: (place[record.caption_id], record.position, record.noun),
    )
    first: dict[str, int] = {}
    for record in mentioned:
        first.setdefault(record.noun, record.caption_id)
    return [Name(noun, caption_id) for noun, caption_id in first.items()]


def names_in_truth(classes: Iterable[str]) -> list[Name]:
    """Return ground-truth class names as candidates."""
    return [Name(name, NO_CAPTION) for name in classes]
