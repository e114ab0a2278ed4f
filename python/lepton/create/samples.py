"""The inputs for comparing a model with its original: given by the user, or made up."""

from __future__ import annotations

import math
import re
import time
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lepton.create.errors import CreateError, one_line
from lepton.create.extents import Extents
from lepton.create.options import DATATYPE_OF_WORD, InputSpec, Range
from lepton.datatypes import NUMPY_TYPES, Array

Run = Callable[[Mapping[str, Array]], object]

BATCHES = (1, 2, 5)
# Integers index tables of unknown size: they are below the first of these that runs.
_UPPER = (100, 10, 2, 1)
_WORDS = ("a", "small", "boat", "crosses", "the", "wide", "river", "at", "noon")
_LARGEST_BATCH = 64
# After this time no further inputs are tried.
_SETTLE_SECONDS = 60.0
_SAMPLE_RATE = re.compile(r"^(sr|sample_?rate|sampling_?rate|rate)$")
_LENGTH = re.compile(r"(^|[_./])(x|input|seq|sequence|wav|audio|feat|feature|text|token)?s?_?"
                     r"(len|lens|length|lengths)(:\d+)?$")  # fmt: skip


class UnsuitedError(CreateError):
    """No inputs were found that the model takes."""


@dataclass(frozen=True)
class Refusal:
    """The original takes an input that OpenVINO refuses; the text is for a person."""

    rows: int
    sizes: str
    shapes: str
    reason: str


def read_example(path: Path) -> dict[str, Array]:
    """Reads the arrays of an .npz file.

    Raises:
        CreateError: It is not such a file, or holds what only unpickling could read.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise CreateError(
                f"{path} is one array, not an .npz file; write it by np.savez(path, name=array)"
            )
        with archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise CreateError(f"{path} does not exist") from None
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CreateError(
            f"{path} is not an .npz file of plain arrays ({one_line(error, 120)}); write it by "
            "np.savez(path, name=array)"
        ) from None


def named_alike(arrays: Mapping[str, Array], names: Sequence[str]) -> Mapping[str, Array]:
    """Returns arrays by these names if they have none, as np.savez(path, x) saves them."""
    if list(arrays) != [f"arr_{i}" for i in range(len(names))]:
        return arrays
    return dict(zip(names, arrays.values(), strict=True))


def specs_of_example(arrays: Mapping[str, Array]) -> list[InputSpec]:
    """Returns the inputs that arrays imply; their first axis is the batch if all have one."""
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
        CreateError: Names, datatypes or shapes are not the model's.
    """
    arrays = named_alike(arrays, [spec.name for spec in specs])
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
        own: Gives inputs of some rows that suit the model, or None; preferred to made-up ones.
        ranges: The values of made-up inputs, by input, both ends included, if known.
        table_size: Other integers are below it; None tries sizes until the model takes one.
    """

    def __init__(
        self,
        specs: Sequence[InputSpec],
        example: Mapping[str, Array] | None = None,
        own: Callable[[int], dict[str, Array] | None] = lambda rows: None,
        ranges: Mapping[str, Range] | None = None,
        table_size: int | None = None,
    ) -> None:
        self._specs = list(specs)
        self._example = example
        self._own = own
        self._ranges = dict(ranges or {})
        self._divisors: set[str] = set()
        self._uppers = _UPPER if table_size is None else (table_size,)
        self._upper = self._uppers[0]
        self.batched = bool(specs) and all(spec.batched for spec in specs)
        self._extents = Extents(self._specs, self.batched)
        self._sizes = self._extents.attempt(0)
        self.refused: list[Refusal] = []

    def settle(self, run: Run, served: Run = lambda inputs: None) -> dict[str, Array]:
        """Finds made-up inputs that the model takes; returns two rows of them, or those there are.

        Inputs that `run` takes and `served` refuses are noted in `refused`, and the next are tried;
        so too if an answer is empty, as for a sound that is too short.

        Args:
            run: The original, which decides what suits the model.
            served: The served model, if it is not the original.

        Raises:
            UnsuitedError: It takes none of them, or rejects the example.
            CreateError: The served model takes nothing that the original takes.
        """
        first: Exception | None = None
        empty: tuple[int, bool, Extents, dict[str, int], int] | None = None
        until = time.monotonic() + _SETTLE_SECONDS
        self.refused = []
        for rows, upper, sizes in self._attempts():
            if first is not None and time.monotonic() > until:
                break
            self._upper, self._sizes = upper, sizes
            inputs = self.rows(rows)
            try:
                answer = run(inputs)
            except Exception as error:  # The framework may raise anything.
                first = first or error
                continue
            try:
                served(inputs)
            except Exception as error:  # Raised by OpenVINO.
                self._refuse(rows, error)
                first = first or error
                continue
            if not _is_empty(answer):
                return inputs
            empty = empty or (rows, self.batched, self._extents, sizes, upper)
        if empty is not None:  # Perhaps it finds nothing in noise.
            rows, self.batched, self._extents, self._sizes, self._upper = empty
            return self.rows(rows)
        self._upper, self._sizes = self._uppers[0], self._extents.attempt(0)
        assert first is not None
        if self.refused:
            shapes = "; ".join(dict.fromkeys(one.shapes for one in self.refused[:3]))
            raise CreateError(
                f"does not run in OpenVINO as the original does, with {shapes} "
                f"({self.refused[0].reason})"
            )
        shapes = _shapes(self.rows(2))
        kind = "the example" if self._example else "made-up input"
        remedy = "correct it" if self._example else (
            "say what suits it by --input name:dtype[extents] and --range name=low:high, or give "
            "real ones by --example"
        )  # fmt: skip
        raise UnsuitedError(f"does not run with {kind} of {shapes} ({one_line(first)}): {remedy}")

    def know(self, bounds: Mapping[str, int]) -> None:
        """Takes the sizes of the tables that inputs index, if no range was given for them."""
        for name, size in bounds.items():
            self._ranges.setdefault(name, (0, size - 1))

    def spare_zero(self, names: Collection[str]) -> None:
        """Keeps made-up integers of these inputs above 0, because they are divisors."""
        self._divisors = set(names)

    @property
    def rowed(self) -> bool:
        """True where an open extent counts rows."""
        return self.batched or self._extents.rows is not None

    def batches(self) -> list[int]:
        """Returns the batch sizes to compare; none without a batch axis."""
        if not self.rowed:
            return []
        if self._example is not None and not self.batched:
            return []
        own = {len(array) for array in (self._example or {}).values()}
        return sorted({*BATCHES, *(rows for rows in own if rows <= _LARGEST_BATCH)})

    def rows(self, count: int) -> dict[str, Array]:
        """Returns inputs of `count` rows, or the one input if there is no batch axis."""
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
        return {
            spec.name: self._made_up(spec, self._extents.shape(spec, count, self._sizes), rng)
            for spec in self._specs
        }

    def sizes(self) -> str:
        """Returns the open extents that were settled on, for a person; "" if there are none."""
        return "" if self._example is not None else self._extents.told(self._sizes)

    def works(self, run: Run) -> tuple[list[str], list[str]]:
        """Tries the other sizes of open extents; returns those that work and those that do not."""
        settled = self._sizes
        works: list[str] = []
        fails: list[str] = []
        until = time.monotonic() + _SETTLE_SECONDS / 4
        for attempt in range(self._extents.attempts):
            self._sizes = self._extents.attempt(attempt)
            if not self._extents.bounded(1, self._sizes):
                continue
            if time.monotonic() > until:
                break
            try:
                run(self.rows(1))
            except Exception:
                fails.append(self.sizes())
            else:
                works.append(self.sizes())
        self._sizes = settled
        return list(dict.fromkeys(works)), list(dict.fromkeys(fails))

    def _refuse(self, rows: int, error: Exception) -> None:
        from lepton.create.conversion import reason_of

        refusal = Refusal(rows, self.sizes(), _shapes(self.rows(rows)), reason_of(error))
        self.refused.append(refusal)

    def _attempts(self) -> Iterator[tuple[int, int, dict[str, int]]]:
        """Yields the attempts: rows, the bound of integers, and the sizes of open extents."""
        fixed = self._example is not None
        unknown = any("INT" in s.datatype and s.name not in self._ranges for s in self._specs)
        batched = self.batched
        # What looks like rows may be samples of a sound, of which one or two are too few.
        for self.batched in (True, False) if batched and not fixed else (batched,):
            self._extents = Extents(self._specs, self.batched, by_name=not batched)
            for rows in (2, 1) if self.rowed else (1,):
                for upper in self._uppers if unknown and not fixed else self._uppers[:1]:
                    for number in range(1 if fixed else self._extents.attempts):
                        sizes = self._extents.attempt(number)
                        if fixed or self._extents.bounded(rows, sizes):
                            yield rows, upper, sizes
        self.batched = batched
        self._extents = Extents(self._specs, batched)

    def _made_up(self, spec: InputSpec, shape: list[int], rng: np.random.Generator) -> Array:
        kind = NUMPY_TYPES[spec.datatype]
        name = spec.name.lower()
        if spec.datatype == "BYTES":
            words = [" ".join(rng.choice(_WORDS, 4)).encode() for _ in range(math.prod(shape))]
            made = np.empty(len(words), dtype=np.object_)
            made[:] = words
            return made.reshape(shape)
        if spec.name in self._ranges:
            return _within(self._ranges[spec.name], spec, shape, rng)
        if "mask" in name:
            return np.ones(shape, kind)
        if spec.datatype == "BOOL":
            # A single one is a switch, such as the training mode: off.
            return np.asarray(rng.integers(0, 2, shape) * (math.prod(shape) > 1), np.bool_)
        if "INT" in spec.datatype:
            return self._integers(spec, shape, rng)
        if _SAMPLE_RATE.search(name) and math.prod(shape) == 1:
            return np.full(shape, 16000, kind)
        noise = np.asarray(rng.standard_normal(shape))
        if spec.datatype == "BF16":
            # Values that bfloat16 holds exactly, so that no conversion rounds them.
            bits = noise.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
            return np.asarray(bits.view(np.float32)).reshape(shape)
        return noise.astype(kind)

    def _integers(self, spec: InputSpec, shape: list[int], rng: np.random.Generator) -> Array:
        kind, name = NUMPY_TYPES[spec.datatype], spec.name.lower()
        if _SAMPLE_RATE.search(name) and math.prod(shape) == 1 and _largest_of(kind) >= 16000:
            return np.full(shape, 16000, kind)
        longest = self._extents.longest(spec, self._sizes)
        if _LENGTH.search(name) and len(shape) < 3 and longest:
            # How much of another input counts: all of the first row, less of the others.
            made = rng.integers(max(1, longest // 2), longest + 1, shape)
            return _largest_first(made, min(longest, _largest_of(kind))).astype(kind)
        if spec.datatype == "UINT8" and self._upper > 2 and spec.name not in self._divisors:
            return np.asarray(rng.integers(0, 256, shape), np.uint8)  # Images are bytes.
        upper, least = min(self._upper, _largest_of(kind)), int(spec.name in self._divisors)
        made = rng.integers(least, max(upper, least + 1), shape)
        return _largest_first(made, max(upper - 1, least)).astype(kind)


def _largest_of(kind: Any) -> int:  # noqa: ANN401 - one of numpy's integer types
    return int(np.iinfo(kind).max)


def _largest_first(made: Any, largest: int) -> Array:  # noqa: ANN401 - an array, or a scalar
    """Returns an array whose largest value is moved to the front."""
    array = np.asarray(made)
    array.reshape(-1)[:1] = largest
    return array


def _within(bounds: Range, spec: InputSpec, shape: list[int], rng: np.random.Generator) -> Array:
    """Returns values within bounds, the upper one among them."""
    kind = NUMPY_TYPES[spec.datatype]
    low, high = bounds
    if spec.datatype == "BOOL":
        return np.asarray(rng.integers(int(low > 0), int(high > 0) + 1, shape), np.bool_)
    if "INT" not in spec.datatype:
        made = np.asarray(rng.uniform(low, high, shape)).astype(kind)
        return made
    least, largest = math.ceil(low), math.floor(high)
    if "position" in spec.name.lower() and shape:
        steps = np.arange(shape[-1]) % (largest - least + 1) + least
        return np.ascontiguousarray(np.broadcast_to(steps, shape)).astype(kind)
    wide = np.uint64 if least >= 0 else np.int64
    made = rng.integers(wide(least), wide(largest), shape, dtype=wide, endpoint=True)
    return _largest_first(np.asarray(made), largest).astype(kind)


def check_ranges(ranges: Mapping[str, Range], specs: Sequence[InputSpec], path: Path) -> None:
    """Raises CreateError if --range names no input, or values that it cannot have."""
    known = {spec.name: spec for spec in specs}
    for name, (low, high) in ranges.items():
        spec = known.get(name)
        if spec is None:
            raise CreateError(f'--range names input "{name}", {path} takes {_list(known)}')
        kind = np.dtype(NUMPY_TYPES[spec.datatype])
        if spec.datatype == "BYTES":
            raise CreateError(f'--range names input "{name}", which is text')
        least, largest = 0.0, 1.0
        if kind.kind in "iu":
            least, largest = float(np.iinfo(kind).min), float(np.iinfo(kind).max)
        elif kind.kind == "f":
            least, largest = float(np.finfo(kind).min), float(np.finfo(kind).max)
        if low < least or high > largest:
            raise CreateError(
                f'--range of "{name}" is {low:g} to {high:g}, {spec.datatype} has {least:g} to '
                f"{largest:g}"
            )
        if kind.kind in "iu" and math.ceil(low) > math.floor(high):
            raise CreateError(f'--range of "{name}" is {low:g} to {high:g}, which holds no integer')


def _is_empty(answer: object) -> bool:
    """Whether one of the outputs is empty."""
    return isinstance(answer, Mapping) and any(
        isinstance(array, np.ndarray) and not array.size for array in answer.values()
    )


def uniform_values(inputs: Mapping[str, Array]) -> dict[str, int]:
    """Returns the inputs whose elements are all one whole number other than 0."""
    return {
        name: int(array.flat[0])
        for name, array in inputs.items()
        if array.dtype.kind in "fiub"
        and array.size
        and bool((array == array.flat[0]).all())
        and array.flat[0] != 0
        and float(array.flat[0]).is_integer()
        # A single element is a deliberate choice only if it is an integer.
        and (array.size > 1 or array.dtype.kind != "f")
    }


def _shapes(inputs: Mapping[str, Array]) -> str:
    return ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())


def _datatype_of(name: str, array: Array) -> str:
    if array.dtype.kind in "SUO":
        return "BYTES"
    word = array.dtype.name
    if word not in DATATYPE_OF_WORD:
        raise CreateError(f'example "{name}" is {word}, which the protocol does not have')
    return DATATYPE_OF_WORD[word]


def _list(names: object) -> str:
    return ", ".join(f'"{name}"' for name in names) or "none"  # type: ignore[attr-defined]
