"""What the collected pairs are like: counts, spread over nouns, precision where truth is known."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.records import PairRecord
from pipeline.data.truth import CLOSED, NEVER_LABELLED

SIMILARITY_STEP = 0.02


@dataclass
class Tally:
    """Of some pairs: how many, how many of them truth can judge, how many really cover their
    noun, and the sum of similarities."""

    pairs: int = 0
    judged: int = 0
    covered: int = 0
    similarity: float = 0.0

    def add(self, pair: PairRecord) -> None:
        self.pairs += 1
        if pair.covers is not None:
            self.judged += 1
            self.covered += int(pair.covers)
        self.similarity += pair.similarity

    @property
    def precision(self) -> float | None:
        """Share of the judged pairs whose mask covers the noun; None without any."""
        return self.covered / self.judged if self.judged else None


@dataclass
class PairStatistics:
    """Fed every pair once. groups: noun to "closed" or "never_labelled", see `Truth`."""

    groups: dict[str, str]
    total: Tally = field(default_factory=Tally)
    by_group: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    by_noun: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    by_similarity: dict[int, Tally] = field(default_factory=lambda: defaultdict(Tally))

    def add(self, pair: PairRecord) -> None:
        self.total.add(pair)
        self.by_noun[pair.noun].add(pair)
        self.by_similarity[int(pair.similarity // SIMILARITY_STEP)].add(pair)
        if pair.noun in self.groups:
            self.by_group[self.groups[pair.noun]].add(pair)

    def metrics(self) -> dict[str, Any]:
        """Return numbers for the metrics file; what cannot be measured is None."""
        pairs = self.total.pairs
        values: dict[str, Any] = {
            "pairs": pairs,
            "unique_nouns": len(self.by_noun),
            "similarity_mean": self.total.similarity / pairs if pairs else None,
            "judged": self.total.judged,
            "precision": self.total.precision,
        }
        for group in (CLOSED, NEVER_LABELLED):
            tally = self.by_group.get(group, Tally())
            values[f"judged_{group}"] = tally.judged
            values[f"precision_{group}"] = tally.precision
        return values

    def pairs_per_noun(self) -> list[dict[str, Any]]:
        """Return a histogram: how many nouns have 1, 2, 3-4, 5-8, 9-16 ... pairs, without gaps."""
        bins = Counter((tally.pairs - 1).bit_length() for tally in self.by_noun.values())
        rows = []
        for power in range(max(bins, default=-1) + 1):
            low, high = 2 ** (power - 1) + 1 if power else 1, 2**power
            rows.append(
                {
                    "pairs_per_noun": str(high) if low >= high else f"{low}-{high}",
                    "nouns": bins[power],
                    "pairs": sum(t.pairs for t in self.by_noun.values() if low <= t.pairs <= high),
                }
            )
        return rows

    def precision_by_similarity(self) -> list[dict[str, Any]]:
        """Return pairs and precision per step of similarity: where a threshold would help."""
        return [
            {
                "similarity": round((step + 0.5) * SIMILARITY_STEP, 4),
                "pairs": tally.pairs,
                "precision": _blank(tally.precision),
            }
            for step, tally in sorted(self.by_similarity.items())
        ]

    def nouns(self) -> list[dict[str, Any]]:
        """Return one row a noun, the commonest first."""
        return [
            {
                "noun": noun,
                "group": self.groups.get(noun, ""),
                "pairs": tally.pairs,
                "precision": _blank(tally.precision),
                "similarity": round(tally.similarity / tally.pairs, 4),
            }
            for noun, tally in sorted(
                self.by_noun.items(), key=lambda item: (-item[1].pairs, item[0])
            )
        ]


def _blank(share: float | None) -> float | str:
    return "" if share is None else round(share, 4)
