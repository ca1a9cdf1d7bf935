"""Label files that are decoded once: sizes, orientation, what cannot be decoded."""

import numpy as np
import pytest
from PIL import Image

from pipeline.data.benchmarks.build import build_benchmark
from pipeline.data.images import read_image
from pipeline.data.sets import load_eval_set
from tests.data.benchmarks.roots import make_ade_full, make_context
from tests.data.folders import save_picture


def test_large_pictures_are_reduced_with_their_labels(tmp_path):
    make_ade_full(tmp_path, 600, 900)
    build_benchmark("ade847", str(tmp_path), tmp_path / "out")
    image = load_eval_set(tmp_path / "out/sets/ade847.json").images[0]
    assert (image.height, image.width) == (512, 768)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("size", [(6, 8), (600, 900)])
def test_labels_lie_on_the_stored_pixels_whatever_exif_says(tmp_path, size, orientation):
    make_ade_full(tmp_path, *size)
    folder = tmp_path / "ADE20K_2021_17_01/images/ADE/validation/urban/street"
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = save_picture(folder / "ADE_val_00000001.jpg", *size, exif=exif, quality=100)
    assert build_benchmark("ade847", str(tmp_path), tmp_path / "out") == []
    image = load_eval_set(tmp_path / "out/sets/ade847.json").images[0]
    upright = read_image(tmp_path / "out/labels/ade-full" / image.path).astype(int)
    corners = np.ix_((0, -1), (0, -1))
    assert np.abs(upright[corners] - stored[corners]).max() < 60  # JPEG; the colours are far apart


def test_a_damaged_label_file_is_a_reject_and_the_rest_goes_on(tmp_path):
    make_context(tmp_path)
    (tmp_path / "VOCdevkit/VOC2010/trainval/2008_000002.mat").write_bytes(b"cut")
    save_picture(tmp_path / "VOCdevkit/VOC2010/JPEGImages/2008_000007.jpg")  # no .mat
    rejects = build_benchmark("pc59", str(tmp_path), tmp_path / "out")
    assert [r.reason for r in rejects] == ["no label map", "label map not converted"]
    assert "2008_000002.mat: not a readable .mat file" in rejects[1].detail
    assert len(load_eval_set(tmp_path / "out/sets/pc59.json").images) == 1
