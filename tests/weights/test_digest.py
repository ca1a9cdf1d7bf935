"""The hash of a model changes with each of its numbers, and a folder of two models is refused."""

import pytest
import torch

from pipeline.core.errors import UserError
from pipeline.weights.digest import digests, of_weights, verify


def model(weight: float = 1, bias: bool = True) -> torch.nn.Linear:
    made = torch.nn.Linear(2, 1, bias=bias)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.fill_(weight)
    return made


def test_equal_numbers_have_one_hash_however_they_are_trained_or_lie_in_memory():
    frozen = model().requires_grad_(False)
    turned = model()
    turned.weight.data = torch.ones(2, 2)[:, :1].T
    assert of_weights(model()) == of_weights(frozen) == of_weights(turned)


def with_buffer(tensor: torch.Tensor) -> torch.nn.Linear:
    made = model()
    made.register_buffer("scale", tensor)
    return made


def test_a_number_a_name_a_type_a_shape_or_a_buffer_that_differs_is_another_hash():
    same_bytes = torch.zeros(4), torch.zeros(4, dtype=torch.int32), torch.zeros(2, 2)
    models = [
        model(), model(1 + 2**-20), model(bias=False), torch.nn.Sequential(model()),
        *map(with_buffer, same_bytes),
    ]  # fmt: skip
    assert len({of_weights(each) for each in models}) == len(models)


def test_the_files_that_a_folder_was_written_with_pass_and_any_other_is_named(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"a")
    (tmp_path / "b.bin").write_bytes(b"b")
    stored = digests(tmp_path, ["a.bin", "b.bin"])
    verify(tmp_path, "x.json", stored, ["a.bin", "b.bin"])
    verify(tmp_path, "x.json", None, ["a.bin"])  # of an earlier version
    (tmp_path / "b.bin").write_bytes(b"c")
    with pytest.raises(UserError, match="b.bin: not the file that x.json was written with"):
        verify(tmp_path, "x.json", stored, ["a.bin", "b.bin"])


@pytest.mark.parametrize("expected", ["a", [], {"a.bin": 3}, {"c.bin": "00"}])
def test_what_is_no_list_of_hashes_is_named(tmp_path, expected):
    with pytest.raises(UserError, match="x.json: sha256 is .*, expected the hash of each of"):
        verify(tmp_path, "x.json", expected, ["a.bin"])
