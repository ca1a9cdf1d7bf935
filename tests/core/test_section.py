from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from pipeline.core.errors import UserError
from pipeline.core.section import Count, Section, Share, first_fault, need


class Circle(Section):
    kind: Literal["circle"]
    radius: Count


class Square(Section):
    kind: Literal["square"]
    side: Count


class Drawing(Section):
    shape: Annotated[Circle | Square, Field(discriminator="kind")]
    colours: Annotated[tuple[Share, Share, Share], Field(strict=False)]
    titles: dict[str, str]

    @model_validator(mode="after")
    def _one_is_not_black(self) -> "Drawing":
        if not any(self.colours):
            raise UserError("colours are all 0: choose another than black")
        return self


GOOD = {
    "shape": {"kind": "circle", "radius": 2}, "colours": [0.0, 0.5, 1.0], "titles": {"en": "disc"},
}  # fmt: skip


@pytest.mark.parametrize(
    "change, message",
    [
        ({"shape": {"kind": "circle", "radius": 0}}, "shape.radius = 0: Input should be greater"),
        ({"shape": {"kind": "circle"}}, "shape.radius: Field required"),
        (
            {"shape": {"kind": "circle", "side": 1}},
            'shape: unknown key "side", known are kind, rad',
        ),
        ({"shape": {"kind": "circle", "raduis": 1}}, 'shape: unknown key "raduis", the nearest is'),
        ({"shape": {"kind": "cube"}}, "shape: Input tag 'cube' found using 'kind' does not match"),
        ({"shape": "circle"}, 'shape = "circle": Input should be a valid dictionary'),
        ({"colours": [0.0, 0.5]}, "colours[2]: Field required"),
        ({"colours": [0.0, "red", 0.5]}, 'colours[1] = "red": Input should be a valid number'),
        ({"colours": [0.0] * 3}, "colours are all 0: choose another than black"),
        ({"titles": {5: "five"}}, "titles.5 = 5: Input should be a valid string"),
        (
            {"titles": {"en": "x" * 200 + "\n"}, 3: 4},
            "unknown key 3, known are shape, colours, tit",
        ),
        ({"titles": {"en": None}}, "titles.en = null: Input should be a valid string"),
    ],
)
def test_the_first_fault_is_one_line_with_its_place(change, message):
    content: dict[Any, Any] = GOOD | change
    with pytest.raises(ValidationError) as error:
        Drawing.model_validate(content)
    found = first_fault(error.value, content)
    assert found.startswith(message) and "\n" not in found and len(found) < 200


def test_a_long_value_is_cut():
    content = GOOD | {"colours": ["a\n" * 1000, 0.0, 0.0]}
    with pytest.raises(ValidationError) as error:
        Drawing.model_validate(content)
    assert first_fault(error.value, content) == (
        f'colours[0] = "{("a" + chr(92) + "n") * 30}'[: 77 + 13]
        + "...: Input should be a valid number"
    )


def test_what_must_be_given():
    need("name", "ViT-B-16", "the source is open_clip")
    with pytest.raises(
        UserError, match="^name = null: must be given when the source is open_clip$"
    ):
        need("name", None, "the source is open_clip")
