"""The classes that a segmenter was trained with, as its folder keeps them.

With them the segmenter tells a mask from ground by itself: without a CLIP and without the names
that somebody asks for. Files of others record none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.core.errors import UserError


@dataclass(frozen=True, eq=False)
class TrainedClasses:
    """names: of the K classes. text_features: (K,D) float32 of unit norm, one row a name, made with
    the templates that the segmenter's view records."""

    names: tuple[str, ...]
    text_features: Tensor

    def to_record(self) -> dict[str, Any]:
        """Return names and features as exported checkpoints store them."""
        return {"names": list(self.names), "text_features": self.text_features}


def read_classes(record: Mapping[str, Any], clip_dim: int, where: str) -> TrainedClasses:
    """Read a `TrainedClasses.to_record`; `where` names it in a UserError if it is none, or its
    features are not for a CLIP of width `clip_dim`."""
    names, features = record.get("names"), record.get("text_features")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{where}: the names of the trained classes are no list of texts")
    expected = (len(names), clip_dim)
    if not isinstance(features, Tensor) or tuple(features.shape) != expected:
        shape = tuple(features.shape) if isinstance(features, Tensor) else "none"
        raise UserError(
            f"{where}: the text features of the trained classes are {shape}, expected {expected}: "
            "a row for each name, as wide as the segmenter's CLIP"
        )
    return TrainedClasses(tuple(names), features.to(torch.float32))
