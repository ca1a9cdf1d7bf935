import numpy as np
import pytest
from PIL import Image

from pipeline.data.images import image_size, read_image
from tests.data.folders import save_picture

ORIENTATION = 0x0112


def test_colour_picture_keeps_its_pixels(tmp_path):
    pixels = save_picture(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png")
    assert found.dtype == np.uint8
    assert np.array_equal(found, pixels)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "LA", "RGBA", "1"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    gray = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8))
    name = "a.jpg" if mode == "CMYK" else "a.png"
    options = {"quality": 100} if mode == "CMYK" else {}
    converted = gray.convert("RGB").convert(mode) if mode == "CMYK" else gray.convert(mode)
    converted.save(tmp_path / name, **options)
    found = read_image(tmp_path / name)
    assert found.shape == (2, 2, 3)
    expected = np.array([[0, 255], [255, 0]])[..., None]
    assert np.abs(found.astype(int) - expected).max() <= 12  # CMYK passes through JPEG


def test_sixteen_bit_gray_is_scaled_not_clipped(tmp_path):
    Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 1, 255]


# Where the stored pixels [[0, 1, 2], [3, 4, 5]] end up, by the EXIF standard's table.
UPRIGHT = {
    1: [[0, 1, 2], [3, 4, 5]],
    2: [[2, 1, 0], [5, 4, 3]],
    3: [[5, 4, 3], [2, 1, 0]],
    4: [[3, 4, 5], [0, 1, 2]],
    5: [[0, 3], [1, 4], [2, 5]],
    6: [[3, 0], [4, 1], [5, 2]],
    7: [[5, 2], [4, 1], [3, 0]],
    8: [[2, 5], [1, 4], [0, 3]],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, orientation):
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50
    picture = Image.fromarray(np.stack([stored] * 3, -1))
    exif = picture.getexif()
    exif[ORIENTATION] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    expected = np.array(UPRIGHT[orientation]) * 50
    assert np.array_equal(read_image(tmp_path / "a.png")[..., 0], expected)
    assert image_size(tmp_path / "a.png") == expected.shape
    assert image_size(tmp_path / "a.png", upright=False) == (2, 3)
    assert np.array_equal(read_image(tmp_path / "a.png", upright=False)[..., 0], stored)


def test_cut_short_picture_is_named(tmp_path):
    save_picture(tmp_path / "a.jpg", 64, 64, quality=100)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "short.jpg").write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="short.jpg: not a readable picture"):
        read_image(tmp_path / "short.jpg")
    assert image_size(tmp_path / "short.jpg") == (64, 64)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_garbage_is_named(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(ValueError, match="a.jpg: not a readable picture"):
            read(tmp_path / "a.jpg")


def test_missing_picture_is_named(tmp_path):
    for read in (read_image, image_size):
        with pytest.raises(FileNotFoundError, match="a.jpg: no such picture"):
            read(tmp_path / "a.jpg")
