import pytest

from pipeline.weights.model_zoo import find_weights


def test_a_missing_file_says_where_it_is_published(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="no such weights file; it is at https://dl.fb.*pkl"
    ):
        find_weights(tmp_path / "R-103.pkl")


def test_a_file_that_is_there_is_taken_and_an_unknown_one_has_no_address(tmp_path):
    (tmp_path / "R-103.pkl").write_bytes(b"")
    assert find_weights(str(tmp_path / "R-103.pkl")) == tmp_path / "R-103.pkl"
    with pytest.raises(FileNotFoundError, match="own.pkl: no such weights file$"):
        find_weights(tmp_path / "own.pkl")
