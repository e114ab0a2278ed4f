"""The inputs on which a model is compared with its original: given by the user, or made up."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from lepton.create.errors import CreateError, one_line
from lepton.create.options import DATATYPE_OF_WORD, InputSpec
from lepton.datatypes import NUMPY_TYPES, Array

Run = Callable[[Mapping[str, Array]], object]

BATCHES = (1, 2, 5)
# Open extents besides the batch are tried with these: sequences are short, images are larger.
_EXTENTS = (8, 32, 224, 1)
# Integers index tables whose size is unknown: they are below the first of these that runs.
_UPPER = (100, 10, 2, 1)
_WORDS = ("a", "small", "boat", "crosses", "the", "wide", "river", "at", "noon")
_LARGEST_BATCH = 64


def read_example(path: Path) -> dict[str, Array]:
    """Reads the arrays of an .npz file.

    Raises:
        CreateError: It is no such file, or holds what only unpickling could read.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise CreateError(f"{path} is one array, expected .npz: np.savez(path, name=array)")
        with archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise CreateError(f"{path} does not exist") from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CreateError(
            f"{path} is no .npz file of plain arrays ({one_line(error, 120)}), write it by "
            "np.savez(path, name=array)"
        ) from None


def specs_of_example(arrays: Mapping[str, Array]) -> list[InputSpec]:
    """Returns the inputs that arrays stand for; their first axis is the batch if all have one."""
    batched = len({array.shape[:1] for array in arrays.values()} | {()}) == 2 and all(
        array.ndim for array in arrays.values()
    )
    specs = []
    for name, array in arrays.items():
        shape = (-1, *array.shape[1:]) if batched else array.shape
        dims = tuple("batch" if extent == -1 else "" for extent in shape)
        specs.append(InputSpec(name, _datatype_of(name, array), shape, dims))
    return specs


def check_example(
    arrays: Mapping[str, Array], specs: Sequence[InputSpec], path: Path
) -> dict[str, Array]:
    """Returns the arrays in the order of the model's inputs.

    Raises:
        CreateError: Names, datatypes or shapes are not those of the model.
    """
    missing = [spec.name for spec in specs if spec.name not in arrays]
    unknown = sorted(set(arrays) - {spec.name for spec in specs})
    if missing or unknown:
        raise CreateError(
            f"{path} has arrays {_list(arrays)}, the model takes {_list(s.name for s in specs)}: "
            "name them alike"
        )
    rows = {arrays[spec.name].shape[:1] for spec in specs if spec.batched}
    for spec in specs:
        array = arrays[spec.name]
        kind = _datatype_of(spec.name, array)
        if kind != spec.datatype and not (spec.datatype == "BF16" and kind == "FP32"):
            wanted = np.dtype(NUMPY_TYPES[spec.datatype]).name
            raise CreateError(
                f'{path} has "{spec.name}" as {array.dtype.name}, the model takes {wanted}: '
                f"save it with .astype(np.{wanted})"
            )
        fits = array.ndim == len(spec.shape) and all(
            want in (-1, extent) for want, extent in zip(spec.shape, array.shape, strict=True)
        )
        if not fits or 0 in array.shape:
            raise CreateError(
                f'{path} has "{spec.name}" in shape {list(array.shape)}, the model takes {spec}'
            )
    if len(rows) > 1:
        raise CreateError(f"{path} has different numbers of rows in its arrays")
    return {
        spec.name: arrays[spec.name].astype(NUMPY_TYPES[spec.datatype], copy=False)
        for spec in specs
    }


class Feed:
    """Rows of input for a model, the same ones each time.

    Args:
        specs: The model's inputs.
        example: Arrays that check_example() has passed; None for made-up ones.
        own: Gives inputs of some rows that suit the model, or None; preferred to noise.
        table_size: Made-up integers are below it; None tries what the model takes.
    """

    def __init__(
        self,
        specs: Sequence[InputSpec],
        example: Mapping[str, Array] | None = None,
        own: Callable[[int], dict[str, Array] | None] = lambda rows: None,
        table_size: int | None = None,
    ) -> None:
        self._specs = list(specs)
        self._example = example
        self._own = own
        self._uppers = _UPPER if table_size is None else (table_size,)
        self._upper, self._extent = self._uppers[0], _EXTENTS[0]
        self.batched = bool(specs) and all(spec.batched for spec in specs)

    def settle(self, run: Run) -> dict[str, Array]:
        """Finds made-up inputs that `run` takes; returns two rows of them, or what there is.

        Raises:
            CreateError: It takes none of them, or not the example.
        """
        first: Exception | None = None
        for rows in (2, 1) if self.batched else (1,):
            for upper, extent in self._attempts():
                self._upper, self._extent = upper, extent
                inputs = self.rows(rows)
                try:
                    run(inputs)
                except Exception as error:  # Whatever the framework raises.
                    first = first or error
                else:
                    return inputs
        self._upper, self._extent = next(self._attempts())
        shapes = ", ".join(f"{name} {list(a.shape)}" for name, a in self.rows(2).items())
        kind = "the example" if self._example else "made-up input"
        remedy = (
            "correct it" if self._example else "correct --input, or give real ones by --example"
        )
        assert first is not None
        raise CreateError(f"does not run with {kind} of {shapes} ({one_line(first)}): {remedy}")

    def batches(self) -> list[int]:
        """Returns the batch sizes to compare; none when there is no batch axis."""
        if not self.batched:
            return []
        own = {len(array) for array in (self._example or {}).values()}
        return sorted({*BATCHES, *(rows for rows in own if rows <= _LARGEST_BATCH)})

    def rows(self, count: int) -> dict[str, Array]:
        """Returns inputs of `count` rows, or the one input where there is no batch axis."""
        if self._example is not None:
            if not self.batched:
                return dict(self._example)
            return {
                name: np.take(array, np.arange(count) % len(array), axis=0)
                for name, array in self._example.items()
            }
        own = self._own(count)
        if own is not None:
            return own
        rng = np.random.default_rng(count)
        return {spec.name: self._made_up(spec, count, rng) for spec in self._specs}

    def _attempts(self) -> Iterator[tuple[int, int]]:
        integers = any("INT" in spec.datatype for spec in self._specs)
        open_extents = any(-1 in spec.shape[spec.batched :] for spec in self._specs)
        fixed = self._example is not None
        for upper in self._uppers if integers and not fixed else self._uppers[:1]:
            for extent in _EXTENTS if open_extents and not fixed else _EXTENTS[:1]:
                yield upper, extent

    def _made_up(self, spec: InputSpec, rows: int, rng: np.random.Generator) -> Array:
        shape = [self._extent if extent == -1 else extent for extent in spec.shape]
        if spec.batched and self.batched:
            shape[0] = rows
        kind = NUMPY_TYPES[spec.datatype]
        if spec.datatype == "BYTES":
            words = [" ".join(rng.choice(_WORDS, 4)).encode() for _ in range(int(np.prod(shape)))]
            made = np.empty(len(words), dtype=np.object_)
            made[:] = words
            return made.reshape(shape)
        if spec.datatype == "BOOL":
            return rng.integers(0, 2, shape).astype(np.bool_)
        if "mask" in spec.name.lower() and "INT" in spec.datatype:
            return np.ones(shape, kind)
        if spec.datatype == "UINT8" and self._upper > 2:
            return rng.integers(0, 256, shape).astype(np.uint8)  # Images come as bytes.
        if "INT" in spec.datatype:
            made = rng.integers(0, self._upper, shape).astype(kind)
            made.reshape(-1)[:1] = self._upper - 1  # The largest is always among them.
            return made
        noise = rng.standard_normal(shape)
        if spec.datatype == "BF16":
            # Values that bfloat16 holds exactly, so that no conversion rounds them.
            bits = noise.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
            return np.asarray(bits.view(np.float32)).reshape(shape)
        return noise.astype(kind)


def _datatype_of(name: str, array: Array) -> str:
    if array.dtype.kind in "SUO":
        return "BYTES"
    word = array.dtype.name
    if word not in DATATYPE_OF_WORD:
        raise CreateError(f'example "{name}" is {word}, for which the protocol has no word')
    return DATATYPE_OF_WORD[word]


def _list(names: object) -> str:
    return ", ".join(f'"{name}"' for name in names) or "none"  # type: ignore[attr-defined]
