"""What a file is, told by its content; other formats are called by their name."""

import io
import shutil
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.core.errors import UserError
from pipeline.weights.read import read_tensors
from tests.weights.content import STATE, same, stored


def test_the_content_tells_the_kind_and_not_the_suffix(tmp_path):
    save_file(STATE, tmp_path / "x.safetensors")
    for name in ("x.bin", "x.pt", "x", "x.pkl"):
        shutil.copy(tmp_path / "x.safetensors", tmp_path / name)
        file = read_tensors(tmp_path / name)
        assert set(file.tensors) == set(STATE) and file.notes[0].startswith("the file is safetens")
        assert all(torch.equal(file.tensors[key], value) for key, value in STATE.items())
    for old in (False, True):
        path = tmp_path / "torch.safetensors"
        stored(path, STATE, _use_new_zipfile_serialization=not old)
        assert same(read_tensors(path).tensors)
        assert read_tensors(path).notes == ["the file is a torch file, though its name ends in "
                                            ".safetensors"]  # fmt: skip
    stored(tmp_path / "zip.pkl", STATE)
    assert same(read_tensors(tmp_path / "zip.pkl").tensors)


def archive(**members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name, data in members.items():
            made.writestr(name, data)
    return buffer.getvalue()


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones(2))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors", "x.pkl"])
@pytest.mark.parametrize(
    "content, what",
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"GGUF\x03\0\0\0" + bytes(100), "GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html><head>", "a web page"),
        (b"<html>\r\n<head><title>403</title>", "a web page"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "a web page"),
        (b"\x08\x07\x12\x07pytorch\x1a\x05" + bytes(50), "ONNX"),
        (b"\x1f\x8b\x08" + bytes(50), "compressed"),
        (npz(), ".npz"),
        (archive(**{"config.json": b"{}", "model.weights.h5": b""}), "unpack it first"),
        (archive(**{"readme.txt": b"hello"}), "a zip that torch has not written, of readme.txt"),
        (bytes(5000), "zeros only"),
        (b"", "it is empty"),
    ],
)  # fmt: skip
def test_other_formats_are_called_by_their_name(tmp_path, content, what, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name}: not weights that can be read safely .*{what}"):
        read_tensors(tmp_path / name)


@pytest.mark.parametrize(
    "name, content, why",
    [
        ("text.pth", b"hello", "no torch file"),
        ("empty.pth", b"", "it ends too early"),
        ("text.pkl", b"hello", "not weights that can be read safely"),
        ("text.safetensors", b"hello", "not weights that can be read safely"),
    ],
)
def test_other_files_are_named_without_advice_to_read_them_unsafely(tmp_path, name, content, why):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError) as error:
        read_tensors(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: not weights that can be read safely (")
    assert why in str(error.value) and "weights_only" not in str(error.value)
