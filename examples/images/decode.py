"""Decodes image files into the pixels that the network takes: the client's part of the work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

Pixels = npt.NDArray[np.uint8]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class NotAnImage(Exception):
    """The file cannot be decoded; the message says which and why."""


def image_files(folder: Path) -> list[Path]:
    """Returns the folder's image files by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def decode(path: Path, side: int) -> Pixels:
    """Returns the middle of an image as [side, side, 3].

    Raises:
        NotAnImage: The content is not what the name says.
    """
    try:
        with Image.open(path) as image:
            # JPEG can be decoded at a half, a quarter or an eighth of its size, in less time.
            image.draft("RGB", (side * 2, side * 2))
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise NotAnImage(f"{path} is not an image: {error}") from None
    return np.asarray(ImageOps.fit(upright, (side, side), Image.Resampling.BILINEAR))
