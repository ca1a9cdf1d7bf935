import numpy as np
import pytest
import torch
from torch import nn

from pipeline.core.errors import UserError
from pipeline.weights.read import read_tensors
from tests.weights.content import stored


def test_views_parameters_and_types_are_read_as_torch_reads_them(tmp_path):
    whole = torch.arange(12.0)
    content = {
        "part": whole[3:7], "turned": whole.reshape(3, 4).T, "strided": whole[::3],
        "expanded": torch.ones(1).expand(5), "none": torch.zeros(0, 3),
        "parameter": nn.Parameter(torch.ones(2)),
        "types": nn.ParameterList([nn.Parameter(torch.ones(1))])[0],
    } | {
        str(dtype): torch.tensor([1, 0, 1]).to(dtype)
        for dtype in (torch.float64, torch.bfloat16, torch.int8, torch.uint8, torch.int16,
                      torch.int32, torch.int64, torch.bool, torch.complex64, torch.uint16,
                      torch.float8_e4m3fn)
    }  # fmt: skip
    for old in (False, True):
        if old:  # torch cannot read these back
            content = {k: v for k, v in content.items() if "uint16" not in k and "float8" not in k}
        path = stored(tmp_path / "x.pt", content, _use_new_zipfile_serialization=not old)
        expected, found = torch.load(path), read_tensors(path).tensors
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert found[key].dtype == value.dtype and found[key].shape == value.shape, key
            assert torch.equal(found[key].to(torch.complex64), value.to(torch.complex64)), key


def test_a_cut_or_altered_torch_file_is_refused(tmp_path):
    """torch.load takes other numbers for the weights where a byte of them was changed."""
    whole = stored(tmp_path / "whole.pt", {"x": torch.arange(1000.0)}).read_bytes()
    (tmp_path / "x.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="ends too early"):
        read_tensors(tmp_path / "x.pt")
    place = whole.index(np.arange(1000, dtype="f4").tobytes()[:64]) + 40
    (tmp_path / "x.pt").write_bytes(whole[:place] + b"\x07" + whole[place + 1 :])
    with pytest.raises(UserError, match="Bad CRC-32"):
        read_tensors(tmp_path / "x.pt")
    old = stored(tmp_path / "x.pt", {"x": torch.ones(9)}, _use_new_zipfile_serialization=False)
    for cut in (1, 20):
        (tmp_path / "cut.pt").write_bytes(old.read_bytes()[:-cut])
        with pytest.raises(UserError, match="cut.pt: not weights"):
            read_tensors(tmp_path / "cut.pt")
