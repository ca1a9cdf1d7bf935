"""What the sections of params.yaml are made of: their base class and the kinds of values.

Each stage's room owns its section as a model in its module `params`. A field's docstring says what
the key means, its unit and its range; the comments of params.yaml are written from it. The models
have no defaults: what a run depends on stands in params.yaml, where `dvc params diff` sees it.
(Only segmenter.architecture may leave keys out: they are the published model's.)

Every number has a largest value too. It lies beyond any use we can think of, and is there so that
a slip of the hand (1e8 for 1e-8) stops the first stage instead of filling the memory of a later
one or training a model to NaN.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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


def need(key: str, value: str | None, why: str) -> None:
    """UserError where a key that may be null is null."""
    if not value:
        raise UserError(f"{key} = null: must be given when {why}")
