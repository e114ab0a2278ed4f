"""A picture as a model's input: of the model's size, in the order of its axes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton.datatypes import Array
from lepton.infer.errors import InputError

if TYPE_CHECKING:
    from lepton._native import TensorSpec

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
# By the number of channels: Pillow's mode, and what people call it.
_MODES = {1: ("L", "grey"), 3: ("RGB", "RGB"), 4: ("RGBA", "RGBA")}


@dataclass(frozen=True)
class Layout:
    """Where an input has its channels, height and width; an open extent is -1."""

    channels: int
    height: int
    width: int
    channels_first: bool
    rank: int  # 2: no axis of channels; 3: no batch; 4: batch, too.


def layout_of(shape: tuple[int, ...]) -> Layout | None:
    """Returns how a picture lies in a tensor of that shape, or None if it does not fit."""
    if len(shape) == 4 and shape[0] not in (-1, 1):
        return None  # A picture is one row.
    axes = shape[1:] if len(shape) == 4 else shape
    if len(axes) == 2 and min(axes) > 1:  # Rows of numbers, where one of them is open.
        return Layout(1, *axes, channels_first=False, rank=2)
    if len(axes) != 3:
        return None
    first, last = axes[0], axes[2]
    # Of two axes that could be the channels, the first is, as in PyTorch and ONNX.
    if first in _MODES and not (first == 4 and last in (1, 3)):
        return Layout(first, axes[1], axes[2], channels_first=True, rank=len(shape))
    if last in _MODES:
        return Layout(last, axes[0], axes[1], channels_first=False, rank=len(shape))
    if first == -1 and len(shape) == 3 and (axes[1] > 4 or axes[2] > 4):
        return Layout(1, axes[1], axes[2], channels_first=True, rank=3)  # [rows, height, width]
    if first == -1:
        return Layout(3, axes[1], axes[2], channels_first=True, rank=len(shape))
    return None


def read_picture(path: Path, spec: TensorSpec) -> tuple[Array, str]:
    """Returns the picture as the model takes it, and what was done for that.

    Raises:
        InputError: It cannot be read, or the input takes no picture.
    """
    layout = layout_of(spec.shape)
    if layout is None or spec.datatype == "BOOL":
        raise InputError(
            f'input "{spec.name}" takes {spec.datatype} {list(spec.shape)}, in which a picture has '
            f"no place; give numbers, as in {spec.name}=@x.npy"
        )
    picture, done = _opened(path, *_MODES[layout.channels])
    done.insert(0, f"{picture.width} x {picture.height}")
    size = tuple(
        wanted if wanted > 0 else own
        for wanted, own in zip((layout.width, layout.height), picture.size, strict=True)
    )
    if size != picture.size:
        picture = picture.resize(size, resample=2)  # Bilinear, over all pixels when it shrinks.
        done.append(f"resized to {size[0]} x {size[1]}")
    pixels: Array = np.asarray(picture)
    if layout.rank > 2 and pixels.ndim == 2:
        pixels = pixels[np.newaxis] if layout.channels_first else pixels[:, :, np.newaxis]
    elif layout.channels_first and pixels.ndim == 3:
        pixels = pixels.transpose(2, 0, 1)
    if len(spec.shape) > pixels.ndim:
        pixels = pixels[np.newaxis]
    is_float = spec.datatype in ("FP16", "BF16", "FP32", "FP64")
    done.append("values from 0 to 1" if is_float else "values from 0 to 255")
    return (pixels.astype(np.float32) / 255 if is_float else pixels), ", ".join(done)


def _opened(path: Path, mode: str, called: str) -> tuple[Any, list[str]]:
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise InputError(
            "Pillow is needed to read pictures, install it: pip install 'lepton-serving[images]'"
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                picture = ImageOps.exif_transpose(file)
    except Image.DecompressionBombWarning:
        raise InputError(f"{path} has too many pixels; make it smaller first") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as a picture: {error}") from None
    if picture.mode[0] in "IF":
        raise InputError(
            f"{path} has more than 8 bits for a sample; give the numbers instead, as @x.npy"
        )
    done = [f"as {called}"]
    if mode != "RGBA" and (picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info):
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
        done.append("transparent parts white")
    return picture.convert(mode), done
