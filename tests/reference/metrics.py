"""Metrics of segmentation, counted pixel by pixel, in percent (paper, section 4.1; convention 9).

`counts[t][p]`: pixels of class t that were given class p. Ignored pixels are counted nowhere.
"""

import math
from collections.abc import Iterable

Counts = list[list[int]]


def count(truth: Iterable[int], guess: Iterable[int], classes: int, ignored: int) -> Counts:
    counts = [[0] * classes for _ in range(classes)]
    for t, p in zip(truth, guess, strict=True):
        if t != ignored:
            counts[t][p] += 1
    return counts


def of_class(counts: Counts, k: int) -> tuple[int, int, int]:
    """(rightly named, in the ground truth, in the prediction)."""
    return counts[k][k], sum(counts[k]), sum(row[k] for row in counts)


def iou(counts: Counts, k: int) -> float | None:
    """None for a class that the ground truth does not have."""
    hits, truth, guess = of_class(counts, k)
    return 100 * hits / (truth + guess - hits) if truth else None


def accuracy(counts: Counts, k: int) -> float | None:
    hits, truth, _ = of_class(counts, k)
    return 100 * hits / truth if truth else None


def miou(counts: Counts, definition: str, classes: Iterable[int]) -> float | None:
    """Sum over the classes in the ground truth, divided by those (current) or by those in ground
    truth or prediction (legacy)."""
    total, number = 0.0, 0
    for k in classes:
        _, truth, guess = of_class(counts, k)
        if truth:
            total += iou(counts, k)
        number += bool(truth) or (definition == "legacy" and bool(guess))
    return total / number if number else None


def harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def summary(counts: Counts) -> dict[str, float]:
    everything = range(len(counts))
    pixels = sum(map(sum, counts))
    present = [k for k in everything if sum(counts[k])]
    return {
        "fwIoU": sum(iou(counts, k) * sum(counts[k]) / pixels for k in present),
        "pACC": pixel_accuracy(counts, everything),
        "mACC": sum(accuracy(counts, k) for k in present) / len(present),
    }


def pixel_accuracy(counts: Counts, classes: Iterable[int]) -> float:
    chosen = list(classes)
    return 100 * sum(counts[k][k] for k in chosen) / sum(sum(counts[k]) for k in chosen)


def boundaries(labels: list[list[int]]) -> list[list[int]]:
    """detectron2's: each id less the smallest within 2% of the diagonal; 0 beyond the picture."""
    height, width = len(labels), len(labels[0])
    reach = max(1, round(0.02 * math.hypot(height, width)))

    def smallest(y: int, x: int) -> int:
        ids = []
        for v in range(y - reach, y + reach + 1):
            for u in range(x - reach, x + reach + 1):
                inside = 0 <= v < height and 0 <= u < width
                ids.append(labels[v][u] if inside else 0)
        return min(ids)

    return [[labels[y][x] - smallest(y, x) for x in range(width)] for y in range(height)]


def boundary_iou(counts: Counts, k: int) -> float | None:
    """None where the class has no boundary in either."""
    hits, truth, guess = of_class(counts, k)
    union = truth + guess - hits
    return 100 * hits / union if union else None
