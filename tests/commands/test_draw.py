import numpy as np
import pytest
from PIL import Image

from pipeline.commands.cli import main
from pipeline.core.records import ImageRecord
from pipeline.data.dataset import Dataset, write_dataset
from pipeline.data.sets import save_eval_set
from tests.evaluate.small_set import CLASSES, add, add_faults, small_set


@pytest.fixture
def dataset(tmp_path):
    """A closed set of one labelled and one captioned picture, and an evaluation set with faults."""
    pictures, folder = tmp_path / "pictures", tmp_path / "dataset"
    pictures.mkdir()
    pixels, truth = np.full((40, 60, 3), 200, np.uint8), np.zeros((40, 60), np.int32)
    truth[:, 30:], truth[30:] = 2, 255
    add(pictures, "half", pixels, truth)
    labelled = ImageRecord(1, "half.png", 60, 40, [], "half-label.png")
    captioned = ImageRecord(2, "half.png", 60, 40, [], None)
    closed = Dataset("closed", pictures, CLASSES, [True] * len(CLASSES))
    write_dataset(folder, closed, [labelled, captioned], [])
    (folder / "sets").mkdir()
    save_eval_set(folder / "sets" / "small.json", add_faults(small_set(pictures)))
    return folder


def test_labels_are_painted_over_their_pictures(dataset, tmp_path, capsys):
    out = tmp_path / "labels"
    main(["draw", "--dataset", str(dataset), "--out", str(out), "--pictures", "9"])
    said = capsys.readouterr().out
    assert "train: 1 of 1 label maps drawn" in said and "val: 0 of 0" in said
    assert "small: 5 of 9 label maps drawn" in said
    assert "small: too-small-label.png: size mismatch" in said
    assert [path.name for path in (out / "train").iterdir()] == ["half.png.png"]
    assert len(list((out / "small").iterdir())) == 5
    page = np.asarray(Image.open(out / "train" / "half.png.png").convert("RGB")).astype(int)
    gray = np.ptp(page, axis=2) < 3
    left, right = page[:, : page.shape[1] // 2], page[:, page.shape[1] // 2 :]
    in_legend = gray.shape[0] - 40
    assert gray[:in_legend, : left.shape[1]].all()  # the photo is gray as it was
    colours = {tuple(colour) for colour in right[:in_legend].reshape(-1, 3)}
    vivid = {colour for colour in colours if max(colour) - min(colour) > 60}
    assert len(vivid) >= 2  # cat and grass


def test_what_was_drawn_before_is_gone_and_other_folders_are_left_alone(dataset, tmp_path, capsys):
    out = tmp_path / "labels"
    for pictures, kept in ((9, 5), (1, 1)):
        main(["draw", "--dataset", str(dataset), "--out", str(out), "--pictures", str(pictures)])
        assert len(list((out / "small").iterdir())) == kept
        (out / "mine.txt").write_text("kept")
    assert (out / "mine.txt").is_file()
    photos = tmp_path / "pictures"
    before = sorted(photos.iterdir())
    for taken in (photos, photos / "half.png"):
        with pytest.raises(SystemExit) as stop:
            main(["draw", "--dataset", str(dataset), "--out", str(taken)])
        assert stop.value.code == 2 and "--out" in capsys.readouterr().err
    assert sorted(photos.iterdir()) == before


def test_pictures_of_one_name_in_two_folders_are_both_drawn(tmp_path):
    entries = []
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        add(tmp_path / folder, "a", np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.int32))
        path = f"{folder}/a.png"
        entries.append(ImageRecord(len(entries), path, 9, 9, [], f"{folder}/a-label.png"))
    write_dataset(tmp_path / "d", Dataset("two", tmp_path, CLASSES, [True] * 5), entries, [])
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    main(["draw", "--dataset", str(tmp_path / "d"), "--out", str(tmp_path / "link")])
    drawn = sorted(path.name for path in (tmp_path / "empty" / "train").iterdir())
    assert drawn == ["x_a.png.png", "y_a.png.png"]


def test_a_data_set_without_labels_is_told(dataset, tmp_path, capsys):
    write_dataset(dataset, Dataset("bare", tmp_path, CLASSES, [True] * len(CLASSES)), [], [])
    (dataset / "sets" / "small.json").unlink()
    with pytest.raises(SystemExit) as stop:
        main(["draw", "--dataset", str(dataset), "--out", str(tmp_path / "labels")])
    assert stop.value.code == 2 and "no label maps in it" in capsys.readouterr().err


def test_what_is_wrong_is_told(dataset, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["draw", "--dataset", str(dataset), "--pictures", "0"])
    assert stop.value.code == 2 and "--pictures 0: expected at least 1" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["draw", "--dataset", str(tmp_path / "none")])
    assert stop.value.code == 2 and "dataset.json" in capsys.readouterr().err
