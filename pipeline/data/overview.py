"""Lines to print about a kind of data: what was understood, and what is wrong in it."""

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from pipeline.core.records import ImageRecord, Reject
from pipeline.data.class_list import name_doubts
from pipeline.data.label_values import Occurrences
from pipeline.data.sets import EvalImage

MAX_FAULTS = 10
GAPS = frozenset({"no caption", "no label map", "picture missing"})
"""Reasons that mean a download is incomplete. The rest of it is used, so these are no faults."""
_MAX_DOUBTS = 3
_WIDTH = 100


def pictures_line(records: Sequence[ImageRecord | EvalImage]) -> str:
    """Say how many pictures there are, their sizes, and how many captions and label maps."""
    if not records:
        return "0 pictures"
    smallest = min(records, key=lambda record: record.width * record.height)
    largest = max(records, key=lambda record: record.width * record.height)
    sizes = f"{smallest.width} x {smallest.height}"
    if largest is not smallest:
        sizes += f" to {largest.width} x {largest.height}"
    line = f"{counted(len(records), 'picture')} of {sizes} pixels"
    indexed = [record for record in records if isinstance(record, ImageRecord)]
    if not indexed:  # pictures of an evaluation set
        return line
    captioned = [record for record in indexed if record.captions]
    captions = sum(len(record.captions) for record in captioned)
    maps = sum(record.label_path is not None for record in indexed)
    return (
        f"{line}, {counted(captions, 'caption')} of {counted(len(captioned), 'picture')}, "
        f"{counted(maps, 'label map')}"
    )


def class_lines(classes: Sequence[str], occurrences: Occurrences) -> list[str]:
    """Say how often each class occurs (label maps with it, share of labelled pixels), most frequent
    first, absent ones last."""
    if not classes:
        return []
    total = max(sum(occurrences.pixels.values()), 1)
    present = sorted(occurrences.maps, key=lambda i: (-occurrences.maps[i], i))
    absent = [name for i, name in enumerate(classes) if i not in occurrences.maps]
    shares = [
        f"{classes[i]} {occurrences.maps[i]:,} ({100 * occurrences.pixels[i] / total:.1f}%)"
        for i in present
    ]
    lines = _wrapped(
        f"{len(present)} of {counted(len(classes), 'class')} occur; label maps that hold them and "
        f"share of labelled pixels: {', '.join(shares) or 'none'}"
    )
    return lines + (_wrapped(f"in no label map: {', '.join(absent)}") if absent else [])


def doubt_lines(names: Sequence[str]) -> list[str]:
    """Name the first classes that are read as they stand but should be looked at, and why."""
    doubts = name_doubts(names)
    more = f" and {len(doubts) - _MAX_DOUBTS:,} more" if len(doubts) > _MAX_DOUBTS else ""
    return _wrapped(f"look at: {', '.join(doubts[:_MAX_DOUBTS])}{more}") if doubts else []


def object_lines(counts: Counter | dict[str, int]) -> list[str]:
    """Say how many objects of each category an instances file has."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    named = ", ".join(f"{name} {number:,}" for name, number in ordered)
    return _wrapped(
        f"instances: {counted(sum(counts.values()), 'usable object')}: {named or 'none'}"
    )


def fault_lines(place: str, rejects: Iterable[Reject], max_faults: int = MAX_FAULTS) -> list[str]:
    """Describe each fault in a line: file, entry, what was found, what is expected. Of each reason
    the first `max_faults`, then the number of the others. place: folder that items are relative
    to."""
    by_reason: dict[str, list[Reject]] = defaultdict(list)
    for reject in rejects:
        by_reason[reject.reason].append(reject)
    lines = []
    for reason, found in by_reason.items():
        for reject in found[:max_faults]:
            detail = f"; {reject.detail}" if reject.detail else ""
            lines.append(f"{place}/{reject.item}: {reason}{detail}")
        if len(found) > max_faults:
            rest = len(found) - max_faults
            lines.append(f"{place}: {reason}: {rest:,} more, {len(found):,} in all")
    return lines


def faults(rejects: Iterable[Reject]) -> list[Reject]:
    """Return the rejects that are not just gaps in a download."""
    return [reject for reject in rejects if reject.reason not in GAPS]


def reasons_line(rejects: Sequence[Reject]) -> str:
    """Say why nothing is left of a set: of each reason the first reject, and how many there are."""
    counts = Counter(reject.reason for reject in rejects)
    first = {reject.reason: reject for reject in reversed(rejects)}
    lines = []
    for reason, number in counts.most_common(3):
        example = first[reason]
        detail = f" ({example.detail})" if example.detail else ""
        lines.append(f"{reason}: {number:,}, such as {example.item}{detail}")
    return "; ".join(lines) or "none is there"


def gap_line(rejects: Iterable[Reject]) -> str:
    """Say what a download lacks, by reason; empty if nothing."""
    counts = Counter(reject.reason for reject in rejects if reject.reason in GAPS)
    return ", ".join(f"{reason}: {number:,}" for reason, number in sorted(counts.items()))


def counted(number: int, what: str) -> str:
    """Return a number with its noun: "1 fault", "2 faults", "3 classes"."""
    plural = what + ("es" if what.endswith("s") else "s")
    return f"{number:,} {what if number == 1 else plural}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent="  ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
