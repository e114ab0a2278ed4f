"""Inputs as the command line gives them, in the form that the model takes."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton.datatypes import Array
from lepton.hints import did_you_mean
from lepton.infer import pictures
from lepton.infer.errors import InputError

if TYPE_CHECKING:
    from lepton._native import TensorSpec

_INTEGERS = ("INT", "UINT")
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}
_TEXTS = (".txt", ".csv", ".json")


@dataclass
class Prepared:
    """The inputs by name, and what was done with each: a sentence, or nothing."""

    tensors: dict[str, Array] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def described(spec: TensorSpec) -> str:
    """Returns 'image FP32 [-1, 3, 224, 224]'."""
    return f"{spec.name} {spec.datatype} {list(spec.shape)}"


def prepare(given: Sequence[str], specs: Sequence[TensorSpec]) -> Prepared:
    """Returns the model's inputs.

    Args:
        given: "name=value" or, for the only input or all of an .npz file, "@file".
        specs: What the model takes.

    Raises:
        InputError: One is unknown, missing, given twice, or does not fit.
    """
    by_name = {spec.name: spec for spec in specs}
    prepared = Prepared()
    for name, value in _split(given, by_name):
        if name not in by_name:
            hint = did_you_mean(name, by_name) or f"; there are: {', '.join(map(described, specs))}"
            raise InputError(f'no input "{name}"{hint}')
        if name in prepared.tensors:
            raise InputError(f'input "{name}" is given twice')
        tensor, note = _value(value, by_name[name])
        prepared.tensors[name] = tensor
        prepared.notes[name] = note
    missing = [spec for spec in specs if spec.name not in prepared.tensors]
    if missing:
        raise InputError(
            f"missing {', '.join(map(described, missing))}; give it as "
            f"{missing[0].name}={_example(missing[0])}"
        )
    return prepared


def _example(spec: TensorSpec) -> str:
    if spec.datatype == "BYTES":
        return '"some text"'
    return "@image.png" if pictures.layout_of(spec.shape) else "1,2,3"


def _split(
    given: Sequence[str], by_name: dict[str, TensorSpec]
) -> list[tuple[str, str | tuple[Path, Array]]]:
    found: list[tuple[str, str | tuple[Path, Array]]] = []
    for text in given:
        if not text.startswith("@"):
            name, _, value = text.partition("=")
            found.append((name, value))
        elif text.endswith(".npz"):
            path = Path(text[1:])
            found += [(name, (path, array)) for name, array in _arrays(path).items()]
        elif len(by_name) == 1:
            found.append((next(iter(by_name)), text))
        else:
            raise InputError(
                f"which input is {text}? The model has several: {', '.join(by_name)}; write "
                f"{next(iter(by_name))}={text}"
            )
    return found


def _value(value: str | tuple[Path, Array], spec: TensorSpec) -> tuple[Array, str]:
    """Returns a tensor that fits the input, and what was done for that."""
    if isinstance(value, tuple):
        return _fitted(value[1], spec, str(value[0]))
    if not value.startswith("@"):
        return _fitted(_parsed(value, spec), spec, "", is_flat=not _is_list(value))
    path = Path(value[1:])
    ending = path.suffix.lower()
    if not path.is_file():
        names = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, names)
        raise InputError(f"{path} {'is no file' if path.exists() else 'does not exist'}{hint}")
    if ending == ".npy":
        return _fitted(_array(path), spec, str(path))
    if ending == ".npz":
        arrays = _arrays(path)
        if spec.name not in arrays and len(arrays) != 1:
            raise InputError(f'{path} has no "{spec.name}", it has: {", ".join(arrays)}')
        return _fitted(arrays.get(spec.name, next(iter(arrays.values()))), spec, str(path))
    if ending in _TEXTS:
        text = _text(path)
        return _fitted(_parsed(text, spec), spec, str(path), is_flat=not _is_list(text))
    if spec.datatype == "BYTES":  # A model that decodes by itself.
        content = np.array([path.read_bytes()], dtype=np.object_)
        return _fitted(content, spec, f"the bytes of {path}", is_flat=True)
    if ending in pictures.ENDINGS:
        tensor, note = pictures.read_picture(path, spec)
        return tensor, f"{path}, {note}"
    raise InputError(
        f"{path} is of no kind that can be read: {', '.join(('.npy', '.npz', *_TEXTS))}, or a "
        "picture such as .png or .jpg"
    )


def _is_list(text: str) -> bool:
    return text.lstrip().startswith("[")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8") from None


def _array(path: Path) -> Array:
    try:
        # Mapped: what the header says is believed only if the file is that long.
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{path} cannot be read as an array: {error}") from None


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (ValueError, EOFError, OSError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read as arrays: {error}") from None
    if not arrays:
        raise InputError(f"{path} holds no arrays")
    return arrays


def _parsed(text: str, spec: TensorSpec) -> Array:
    """Returns text as values of the input's datatype; nested lists of JSON keep their shape."""
    if spec.datatype == "BYTES":
        return _parsed_text(text)
    is_integer = spec.datatype.startswith(_INTEGERS)
    try:
        if _is_list(text):
            listed = json.loads(text)
            # numpy would take lists of different lengths for objects.
            np.asarray(listed)
        else:
            listed = [_number(word, spec.datatype) for word in text.replace(",", " ").split()]
        # Objects hold integers of every size.
        return np.asarray(listed, dtype=np.object_ if is_integer else None)
    except (ValueError, RecursionError) as error:
        shown = text if len(text) <= 40 else text[:37] + "..."
        raise InputError(
            f'input "{spec.name}" takes {spec.datatype} {list(spec.shape)}, not "{shown}": {error}'
        ) from None


def _number(word: str, datatype: str) -> bool | int | float:
    if datatype == "BOOL":
        if word.lower() not in _TRUTHS:
            raise ValueError(f'"{word}" is neither true nor false')
        return _TRUTHS[word.lower()]
    try:
        return int(word, 0) if datatype.startswith(_INTEGERS) else float(word)
    except ValueError:
        kind = "whole number" if datatype.startswith(_INTEGERS) else "number"
        raise ValueError(f'"{word}" is no {kind}') from None


def _parsed_text(text: str) -> Array:
    listed: Any = [text]
    if text.startswith(("[", '"')):
        try:
            listed = json.loads(text)
        except ValueError:
            listed = [text]  # Text that begins so.
        listed = listed if isinstance(listed, list) else [listed]
    array = np.array(listed, dtype=np.object_)
    flat = [str(one).encode() for one in array.reshape(-1)]
    encoded = np.empty(len(flat), dtype=np.object_)
    encoded[:] = flat
    return encoded.reshape(array.shape)


def _fitted(
    array: Array, spec: TensorSpec, source: str, *, is_flat: bool = False
) -> tuple[Array, str]:
    """Returns the array with the input's rank, and what was done for that.

    Args:
        array: The values.
        spec: The input.
        source: Where they are from.
        is_flat: Whether they have no shape of their own.
    """
    wanted = spec.shape
    shape = _shape_for(array, wanted, is_flat=is_flat)
    if shape is None:
        own = f"{array.size} values" if is_flat else f"a shape of {list(array.shape)}"
        raise InputError(
            f'input "{spec.name}" takes {spec.datatype} {list(wanted)}, not {own}'
            + (f" ({source})" if source else "")
        )
    done = [source] if source else []
    if shape != array.shape:
        what = f"{array.size} values" if is_flat else f"{list(array.shape)}"
        done.append(f"{what} as {list(shape)}")
        if not is_flat:
            done.append("with a batch axis")
    return array.reshape(shape), ", ".join(done)


def _shape_for(array: Array, wanted: tuple[int, ...], *, is_flat: bool) -> tuple[int, ...] | None:
    """Returns the shape of the model's rank that the values take, or None if there is none."""
    own = array.shape
    for shape in (own, (1, *own)):
        if len(shape) == len(wanted) and all(
            extent in (-1, n) for n, extent in zip(shape, wanted, strict=True)
        ):
            return shape
    # Values in a row: one open extent takes what there is.
    fixed = math.prod(extent for extent in wanted if extent != -1)
    if not is_flat or wanted.count(-1) > 1 or fixed == 0 or array.size % fixed:
        return None
    rest = array.size // fixed
    return tuple(rest if n == -1 else n for n in wanted) if -1 in wanted or rest == 1 else None
