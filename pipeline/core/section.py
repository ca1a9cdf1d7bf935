"""What the sections of params.yaml are made of: their base class and the kinds of values.

Each stage's room owns its section as a model in its module `params`. A field's docstring says what
the key means, its unit and its range; the comments of params.yaml are written from it. The models
have no defaults: what a run depends on stands in params.yaml, where `dvc params diff` sees it.
(Only segmenter.architecture may leave keys out: they are the published model's.)

Every number has a largest value too. It lies beyond any use we can think of, and is there so that
a slip of the hand (1e8 for 1e-8) stops the first stage instead of filling the memory of a later
one or training a model to NaN.
"""

import json
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.core.errors import UserError

Split = Literal["train", "val"]
Share = Annotated[float, Field(ge=0, le=1)]
SomeShare = Annotated[float, Field(gt=0, le=1)]
Probability = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]  # steps, pictures, captions
CountOrNone = Annotated[int, Field(ge=0, le=10_000_000)]  # 0: none
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # what numpy takes
Side = Annotated[int, Field(ge=1, le=16_384)]  # of a picture, pixels
Area = Annotated[int, Field(ge=1, le=16_384**2)]  # pixels
Batch = Annotated[int, Field(ge=1, le=100_000)]
Contrast = Annotated[int, Field(ge=2, le=100_000)]  # a batch whose members are told apart
ShardSize = Annotated[int, Field(ge=1, le=1_000_000)]  # pictures
Masks = Annotated[int, Field(ge=1, le=10_000)]  # of a picture
Rate = Annotated[float, Field(gt=0, le=10)]  # of learning
Decay = Annotated[float, Field(ge=0, le=10)]
Weight = Annotated[float, Field(ge=0, le=1_000_000)]  # of a loss
Expand = Annotated[float, Field(ge=1, le=100)]


class Section(BaseModel):
    """A mapping in params.yaml or in a model's folder: no unknown keys, no conversions."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _keys_are_known(cls, content: Any) -> Any:
        known = list(cls.model_fields)
        unknown = [key for key in content if key not in known] if isinstance(content, dict) else []
        if unknown:
            nearest = get_close_matches(str(unknown[0]), known, 1)
            raise UserError(
                f"unknown key {_shown(unknown[0])}, "
                + (f"the nearest is {nearest[0]}" if nearest else f"known are {', '.join(known)}")
            )
        return content


def need(key: str, value: str | None, why: str) -> None:
    """Raise UserError where a key that may be null is null."""
    if not value:
        raise UserError(f"{key} = null: must be given when {why}")


def first_fault(error: ValidationError, content: Any) -> str:
    """Return the first fault of `content`, on one line, in pydantic's words:
    "pairs.top_k = 0: Input should be greater than or equal to 1"."""
    fault = error.errors(include_url=False)[0]
    missing = fault["loc"][-1] if fault["type"] == "missing" else None
    place, node = "", content
    for step in fault["loc"]:
        if isinstance(node, list) and isinstance(step, int):
            place += f"[{step}]"
            node = node[step] if step < len(node) else None
        elif isinstance(node, dict) and (step in node or step == missing):
            place += f".{step}"
            node = node.get(step)
        # anything else is the branch taken in a union, which is no key of the file
    found = "" if isinstance(fault["input"], dict | list) else f" = {_shown(fault['input'])}"
    text = fault["msg"].removeprefix("Value error, ")
    return f"{place.removeprefix('.')}{found}: {text}".removeprefix(": ")


def _shown(value: Any) -> str:
    """Return a value as JSON, so that text stands in quotes; at most 80 characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else text[:77] + "..."
