"""TorchScript archives give the tensors torch.jit.load gives, and nothing of them runs."""

from pathlib import Path

import pytest
import torch

from pipeline.weights.read import read_tensors
from pipeline.weights.torchscript import is_torchscript

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


class Part(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.randn(3, 2))
        self.constant = torch.ones(2)  # a tensor, but no weight
        self.register_buffer("steps", torch.arange(4))
        self.register_buffer("empty", torch.zeros(0, 3))
        self.small = torch.nn.Linear(2, 2).half()
        self.numbers = [1, 2]

    def forward(self, x):
        return x @ self.w + self.constant


class Whole(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = torch.nn.Sequential(Part(), torch.nn.Linear(2, 2), Part())
        self.tied = self.parts[0].w
        self.turned = torch.nn.Parameter(torch.randn(4, 5).T)  # not contiguous

    def forward(self, x):
        return self.parts[0](x)


@pytest.mark.parametrize("make", [torch.jit.script, lambda m: torch.jit.trace(m, torch.ones(1, 3))])
def test_the_state_dict_is_that_of_torch(tmp_path, make):
    torch.manual_seed(0)
    make(Whole()).save(str(tmp_path / "x.pt"))
    expected = torch.jit.load(str(tmp_path / "x.pt")).state_dict()
    found = read_tensors(tmp_path / "x.pt").tensors
    assert is_torchscript(tmp_path / "x.pt") and list(found) == list(expected)
    for key, value in expected.items():
        assert found[key].dtype == value.dtype and torch.equal(found[key], value), key


def test_code_of_the_archive_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    class Harm(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x * self.weight

        @torch.jit.export
        def __getstate__(self):
            return self.weight, self.training

        @torch.jit.export
        def __setstate__(self, state: tuple[torch.Tensor, bool]):
            self.weight = state[0]
            self.training = state[1]
            torch.save(state[0], "HARM")

    torch.jit.script(Harm()).save("archive.pt")
    with pytest.raises(ValueError, match="holds no tensors"):
        read_tensors("archive.pt")
    assert not Path("HARM").exists()
    torch.jit.load("archive.pt")
    assert Path("HARM").exists()  # the file would have done it


def test_a_damaged_archive_is_named(tmp_path):
    torch.jit.script(Whole()).save(str(tmp_path / "x.pt"))
    content = bytearray((tmp_path / "x.pt").read_bytes())
    place = content.rindex(b"PK\x01\x02")
    content[place : place + 4] = b"XXXX"
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(ValueError, match="x.pt: not weights that can be read safely"):
        read_tensors(tmp_path / "x.pt")
