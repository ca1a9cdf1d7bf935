"""Mask-category pairs as WebDataset shards (paper section 3.2, step 4).

Every pair is four members of a tar that share a key:

    <key>.png       the crop, RGB, as it is in the picture: background is filled on reading;
                    or <key>.jpg, quality 95 without chroma subsampling
    <key>.mask.png  its mask, 0 or 255
    <key>.txt       the noun, UTF-8
    <key>.json      image_id, caption_id, box_xyxy, area, similarity, query, width, height, fill

caption_id and query are -1 where name or mask are ground truth; width and height are the
picture's; fill is the background that CLIP saw while matching. The bytes depend on the pairs only.
"""

import io
import json
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image
from webdataset import TarWriter

from pipeline.core.records import ImageRecord, PairRecord
from pipeline.pairs.params import CropFormat

TAR = "pairs.tar"
JPEG_QUALITY = 95


class PairWriter:
    """Writes pairs into `folder/pairs.tar`, in order."""

    def __init__(self, folder: Path, fill: str, crop_format: CropFormat = "png") -> None:
        self._stream = open(folder / TAR, "wb")
        self._tar = TarWriter(
            self._stream, encoder=False, mtime=0, user="", group="", mode=0o644, compress=False
        )
        self._fill = fill
        self._format = crop_format

    def __enter__(self) -> "PairWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tar.close()
        self._stream.close()

    def write(
        self, record: PairRecord, picture: ImageRecord, image: np.ndarray, mask: np.ndarray
    ) -> None:
        """Append one pair. image: uint8 (H, W, 3), the picture; mask: bool (H, W)."""
        x1, y1, x2, y2 = record.box_xyxy
        about = {
            "image_id": record.image_id,
            "caption_id": record.caption_id,
            "box_xyxy": list(record.box_xyxy),
            "area": record.area,
            "similarity": round(record.similarity, 6),
            "query": record.query,
            "width": picture.width,
            "height": picture.height,
            "fill": self._fill,
        }
        self._tar.write(
            {
                "__key__": record.key,
                self._format: _encoded(image[y1:y2, x1:x2], self._format),
                "mask.png": _encoded(mask[y1:y2, x1:x2].astype(np.uint8) * 255, "png"),
                "txt": record.noun.encode(),
                "json": json.dumps(about).encode(),
            }
        )


def pair_key(image_id: int, number: int) -> str:
    """Return the key of a picture's pair `number` (0 up): unique however pictures are cut into
    shards."""
    return f"{image_id:012d}-{number:03d}"


def _encoded(pixels: np.ndarray, crop_format: CropFormat) -> bytes:
    stream = io.BytesIO()
    picture = Image.fromarray(pixels)
    if crop_format == "jpg":
        picture.save(stream, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:  # level 1 writes three times as fast as Pillow's 6, for 5% more bytes
        picture.save(stream, format="PNG", compress_level=1)
    return stream.getvalue()
