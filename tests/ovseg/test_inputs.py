"""Pictures and names in every form that people hand over."""

import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.core.errors import MissingFileError, UserError
from pipeline.data.images import read_image
from pipeline.ovseg import OVSeg
from pipeline.ovseg.inputs import as_names, as_pixels
from tests.ovseg.tiny import look, tiny_clip, tiny_segmenter

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("soccer ball", ["soccer ball"]),
        ("cat, soccer ball", ["cat", "soccer ball"]),
        (["door, door frame", "cat"], ["door, door frame", "cat"]),
        (("cat", "dog"), ["cat", "dog"]),
        ((name for name in ("cat", "dog")), ["cat", "dog"]),
        ({"cat": 1, "dog": 2}.keys(), ["cat", "dog"]),
        (np.array(["cat", "soccer ball"]), ["cat", "soccer ball"]),
        (np.array("cat"), ["cat"]),
    ],
)
def test_names_of_any_form(given, names):
    found = as_names(given)
    assert found == names and all(type(name) is str for name in found)


@pytest.mark.parametrize("given", [None, 3, ["cat", 3], [["cat"]], b"cat", np.array([1, 2])])
def test_what_are_no_names_is_told(given):
    with pytest.raises(UserError, match="class name"):
        as_names(given)


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "I", "I;16", "F"],
)
def test_a_pillow_image_of_any_mode_is_what_the_reader_makes_of_it(mode, tmp_path):
    picture = PICTURE.convert("L").convert(mode) if mode[0] in "IF" else PICTURE.convert(mode)
    pixels = as_pixels(picture)
    assert pixels.shape == (30, 40, 3) and pixels.dtype == np.uint8
    if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):  # what a PNG can hold
        picture.save(tmp_path / "a.png")
        for given in (tmp_path / "a.png", str(tmp_path / "a.png")):
            assert np.array_equal(as_pixels(given), pixels)


def test_pictures_are_upright_from_a_file_and_from_pillow(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    PICTURE.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (40, 30)
        turned = as_pixels(picture)
    assert turned.shape == (40, 30, 3)
    assert np.array_equal(turned, np.rot90(PIXELS, 3))
    assert np.array_equal(turned, read_image(tmp_path / "a.png"))


def test_gray_and_rgba_arrays_are_made_rgb():
    gray = PIXELS[:, :, 0]
    for given in (gray, gray[:, :, None]):
        assert np.array_equal(as_pixels(given), np.stack([gray] * 3, axis=2))
    rgba = np.dstack([PIXELS, gray])
    assert np.array_equal(as_pixels(rgba), PIXELS)


@pytest.mark.filterwarnings("error")
def test_mirrored_and_locked_arrays_can_be_segmented():
    model = OVSeg(tiny_segmenter(), tiny_clip(), threshold=0.5)
    locked = PIXELS.copy()
    locked.flags.writeable = False
    for given in (PIXELS[:, :, ::-1], PIXELS[::-1], locked, PIXELS.swapaxes(0, 1)):
        assert model.segment(given, ["cat", "dog"]).labels.shape == given.shape[:2]


@pytest.mark.parametrize(
    "bad",
    [
        PIXELS / 255, PIXELS.astype(np.int64), PIXELS[:, :, 0] > 9, PIXELS[:, :, :2], PIXELS[None],
        PIXELS[:0], PIXELS[0, 0], None, 3, [],
    ],
)  # fmt: skip
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(UserError, match="expected uint8 RGB"):
        as_pixels(bad)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(MissingFileError, match="nowhere.jpg: no such picture"):
        as_pixels("nowhere.jpg")
    PICTURE.save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="a.png: not a readable picture"):
        as_pixels(tmp_path / "a.png")
    with (
        Image.open(tmp_path / "a.png") as picture,
        pytest.raises(UserError, match="a.png: cannot be decoded"),
    ):
        as_pixels(picture)


def test_every_public_method_takes_them(tmp_path):
    model = OVSeg(tiny_segmenter(), tiny_clip(), threshold=0.5)
    PICTURE.save(tmp_path / "a.png")
    names = ["soccer ball", "cat"]
    seen = look(model, PIXELS, names)
    scores, found = model.scores(PIXELS, names), model.segment(PIXELS, names)
    for image in (PICTURE, PICTURE.convert("RGBA"), tmp_path / "a.png"):
        for given in ("soccer ball, cat", tuple(names), np.array(names)):
            assert torch.equal(look(model, image, given).clip, seen.clip)
            assert torch.equal(model.scores(image, given), scores)
            assert np.array_equal(model.segment(image, given).labels, found.labels)
    assert model.segment(PICTURE, (name for name in names)).names == tuple(names)
    assert model.scores(PICTURE, (name for name in names)).shape[0] == 2
    assert model.segment(PICTURE, "soccer ball").names == ("soccer ball", "others")
    assert look(model, PICTURE, "soccer ball").clip.shape[1] == 1
