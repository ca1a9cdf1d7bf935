import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import coo_array, csc_array, csc_matrix

from pipeline.data.benchmarks.build import build_benchmark
from pipeline.data.benchmarks.pascal import decode_context, list_context
from pipeline.data.labels import read_label
from pipeline.data.sets import load_eval_set
from tests.data.benchmarks.roots import CHECKER, make_context, make_voc
from tests.data.folders import samples


def mapped(eval_set, index):
    path = eval_set.root / eval_set.images[index].label_path
    return read_label(path, eval_set.label_map, eval_set.ignore_label)


def test_voc_ignores_background_and_void(tmp_path):
    make_voc(tmp_path)
    build_benchmark("voc20", str(tmp_path), tmp_path / "out")
    eval_set = load_eval_set(tmp_path / "out/sets/voc20.json")
    assert [i.image_id for i in eval_set.images] == ["2007_000032", "2007_000033"]
    expected = np.array((255, 19))[CHECKER]
    expected[0] = 255
    assert np.array_equal(mapped(eval_set, 0), expected)
    assert eval_set.classes[19] == "tvmonitor"


def test_voc_sample_is_an_aeroplane(tmp_path):
    build_benchmark("voc20", str(samples()), tmp_path)
    eval_set = load_eval_set(tmp_path / "sets/voc20.json")
    assert [i.image_id for i in eval_set.images] == ["2007_000033"]
    assert set(np.unique(mapped(eval_set, 0))) == {eval_set.classes.index("aeroplane"), 255}


def test_both_context_sets_share_one_conversion(tmp_path):
    make_context(tmp_path)
    for name in ("pc59", "pc459"):
        assert build_benchmark(name, str(tmp_path), tmp_path / "out") == []
    assert [p.name for p in (tmp_path / "out/labels").iterdir()] == ["context"]
    some = load_eval_set(tmp_path / "out/sets/pc59.json")
    every = load_eval_set(tmp_path / "out/sets/pc459.json")
    assert [i.image_id for i in some.images] == ["2008_000002", "2008_000003"]
    table = some.classes.index("table")
    assert np.array_equal(mapped(some, 0), np.array((table, 255))[CHECKER])
    assert np.array_equal(mapped(some, 1), np.array((255, some.classes.index("wood")))[CHECKER])
    assert np.array_equal(mapped(every, 0), np.array((396, 0))[CHECKER])
    assert np.array_equal(mapped(every, 1), np.array((65535, 457))[CHECKER])
    assert (some.root / some.images[0].path).is_file()


def test_a_list_beside_the_pictures_wins(tmp_path):
    make_context(tmp_path)
    assert len(list_context(tmp_path).complete) == 2
    (tmp_path / "VOCdevkit/VOC2010/pascalcontext_val.txt").write_text("2008_000003\n")
    assert list_context(tmp_path).complete == ["2008_000003"]


@pytest.mark.parametrize(
    "content, fault",
    [
        (b"not a mat file", "not a readable .mat file"),
        ({"Label": np.zeros((2, 2))}, "expected a matrix LabelMap, found none"),
        ({"LabelMap": "text"}, "not a readable .mat file .LabelMap is of class char, expected num"),
        ({"LabelMap": np.full((2, 2), 1j)}, "not a readable .mat file .LabelMap is complex"),
        (
            {"LabelMap": np.ones((2, 2, 2))},
            "not a readable .mat file .LabelMap has the dimensions .2, 2, 2",
        ),
        ({"LabelMap": np.array([[1.0, 2.5]])}, "LabelMap holds fractions or NaN, expected ids"),
        ({"LabelMap": np.array([[1.0, np.nan]])}, "LabelMap holds fractions or NaN"),
        ({"LabelMap": np.full((2, 2), 460, np.uint16)}, "LabelMap holds 460..460, expected 0..459"),
    ],
)
def test_wrong_mat_files_are_named(tmp_path, content, fault):
    path = tmp_path / "x.mat"
    path.write_bytes(content) if isinstance(content, bytes) else savemat(path, content)
    with pytest.raises(ValueError, match=f"x.mat: {fault}"):
        decode_context(path)


@pytest.mark.parametrize("kind", [coo_array, csc_array, csc_matrix])
def test_a_sparse_map_is_as_the_full_one(tmp_path, kind):
    label = np.array([[0, 0, 459], [0, 7, 0]], float)
    savemat(tmp_path / "x.mat", {"LabelMap": kind(label)})
    assert np.array_equal(decode_context(tmp_path / "x.mat"), label)
    savemat(tmp_path / "empty.mat", {"LabelMap": kind(np.zeros((2, 3)))})
    assert np.array_equal(decode_context(tmp_path / "empty.mat"), np.zeros((2, 3)))


def test_a_sparse_map_too_large_is_refused_before_it_is_made(tmp_path):
    savemat(tmp_path / "x.mat", {"LabelMap": csc_array(([1.0], ([0], [0])), shape=(10**6, 10**5))})
    with pytest.raises(ValueError, match="x.mat: LabelMap is .* larger than any picture"):
        decode_context(tmp_path / "x.mat")
