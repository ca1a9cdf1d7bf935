"""Recognise the format of a file by its content, since suffixes of weight files mean little."""

import io
import re
import zipfile
from typing import IO, Literal

from pipeline.weights.torch_files import MAGIC
from pipeline.weights.torchscript import is_torchscript

Kind = Literal["safetensors", "torch", "torch_stream", "torchscript", "pickle", "index"]
START_BYTES = 4096
"""What is read of a file to recognise its kind."""
_FOREIGN = (
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras writes them"),
    (rb"GGUF", "a GGUF file, quantised weights of llama.cpp"),
    (rb"version https://git-lfs", "a pointer of Git LFS, not the file itself: run `git lfs pull`"),
    (rb"(?i)\xef?\xbb?\xbf?\s*<(!doctype|html|head|body|\?xml|error)", "a web page and not a file "
     "of weights: the download went wrong"),
    (rb"\x93NUMPY", "one NumPy array (.npy), without the names of weights"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ\x00|\x28\xb5\x2f\xfd|7z\xbc\xaf\x27\x1c|Rar!", "compressed: unpack "
     "it first"),
    (rb"(?s).{257}ustar", "a tar archive: unpack it first and give the file of weights in it"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|RIFF", "a picture or another medium"),
    (rb"%PDF", "a PDF"),
    (rb"(?s)\x08[\x01-\x20](\x12|:)", "an ONNX model, a graph without the names of this model's "
     "weights"),
    (rb"(?s).{4}TFL3", "a TensorFlow Lite model"),
)  # fmt: skip
"""First bytes of unsupported formats, and how to describe them."""


class ForeignFile(Exception):
    """The file is not weights, or of an unsupported format; the text says what it is."""


def kind_of(file: IO[bytes], name: str) -> Kind:
    """Recognise the kind of a file of tensors.

    name: of the file; its suffix counts only if the content decides nothing. Raises ForeignFile,
    which says what the file is, for any other format.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = file.read(START_BYTES)
    file.seek(0)
    if not start:
        raise ForeignFile("it is empty: it ends too early")
    if start.startswith(b"PK"):
        return _zip_kind(file)
    if is_safetensors(start, size):
        return "safetensors"
    if start.startswith(MAGIC):
        return "torch_stream"
    for sign, what in _FOREIGN:
        if re.match(sign, start):
            raise ForeignFile(f"it is {what}")
    if not start.strip(b"\0"):
        raise ForeignFile("it begins with zeros only: a download that was cut off?")
    if re.match(rb"(\xef\xbb\xbf)?\s*\{", start) and name.endswith(".json"):
        return "index"
    if start[:1] == b"\x80" or (name.endswith(".pkl") and start[:1] in b"(}]c"):
        return "pickle"
    if name.endswith(".safetensors"):
        return "safetensors"  # its reader says what is wrong with it
    raise ForeignFile("it is no torch file and no safetensors")


def is_safetensors(start: bytes, size: int) -> bool:
    """Return whether a file begins as safetensors: the length of a header, and a JSON object."""
    header = int.from_bytes(start[:8], "little")
    return len(start) > 8 and start[8:9] == b"{" and 2 <= header <= size - 8


def _zip_kind(file: IO[bytes]) -> Kind:
    if not zipfile.is_zipfile(file):
        raise ForeignFile("a torch file or another zip that ends too early: a part of a download?")
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    if any(name.endswith("/data.pkl") for name in names):
        return "torchscript" if is_torchscript(file) else "torch"
    if names and all(name.endswith(".npy") for name in names):
        raise ForeignFile("it is NumPy's archive of arrays (.npz), none of torch's or safetensors'")
    if any(name.endswith(("config.json", "model.weights.h5")) for name in names):
        raise ForeignFile("it is a zip of a Keras model or of a folder: unpack it first")
    held = ", ".join(names[:3]) or "nothing"
    raise ForeignFile(f"it is a zip that torch has not written, of {held}")
