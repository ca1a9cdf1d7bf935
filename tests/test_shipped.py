"""No test reads what the user may have changed."""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "read",
    (
        lambda path: path.read_text(),
        lambda path: open(str(path).encode()),
        lambda path: shutil.copy(path, "copy.yaml"),
        lambda path: Path("link.yaml/params.yaml").read_bytes(),
    ),
)
def test_the_working_params_cannot_be_opened_by_a_test(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)
    Path("link.yaml").symlink_to(ROOT)
    with pytest.raises(AssertionError, match="tests.shipped.PARAMS"):
        read(ROOT / "params.yaml")


def test_other_files_of_that_name_can(tmp_path):
    (tmp_path / "params.yaml").write_text("a: 1\n")
    assert (tmp_path / "params.yaml").read_text() == "a: 1\n"
