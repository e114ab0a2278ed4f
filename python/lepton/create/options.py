"""What the user may say about a model, besides its path."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lepton.create.errors import CreateError

# The names of element types: numpy's, the short ones of compilers, KServe's.
_DATATYPES = {
    "BOOL": ("bool", "boolean"),
    "UINT8": ("u8", "uint8"),
    "UINT16": ("u16", "uint16"),
    "UINT32": ("u32", "uint32"),
    "UINT64": ("u64", "uint64"),
    "INT8": ("i8", "int8"),
    "INT16": ("i16", "int16"),
    "INT32": ("i32", "int32", "int"),
    "INT64": ("i64", "int64", "long"),
    "FP16": ("f16", "float16", "fp16", "half"),
    "BF16": ("bf16", "bfloat16"),
    "FP32": ("f32", "float32", "fp32", "float"),
    "FP64": ("f64", "float64", "fp64", "double"),
    "BYTES": ("string", "str", "bytes"),
}
DATATYPE_OF_WORD = {word: name for name, words in _DATATYPES.items() for word in words}
# The minimum and the maximum value of an input, both included.
Range = tuple[float, float]
LONGEST_SECONDS = 3600.0
_INPUT = re.compile(r"(?P<name>[^:\[\]]+):(?P<dtype>\w+)\[(?P<extents>[^\[\]]*)\]")
_EXAMPLE_OF_INPUT = "image:f32[batch,3,224,224]"


@dataclass(frozen=True)
class InputSpec:
    """One input: KServe's datatype; -1 is an extent that a request chooses.

    Attributes:
        name: The name that requests will use.
        datatype: KServe's name for it.
        shape: Its extents.
        dims: The user's name of each open extent; "" for one that is fixed or has no name. Extents
            with one name are the same in each request.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    dims: tuple[str, ...] = ()

    @property
    def batched(self) -> bool:
        """True if its first axis is open, which counts rows."""
        return bool(self.shape) and self.shape[0] == -1

    def __str__(self) -> str:
        word = _DATATYPES[self.datatype][0]
        names = self.dims or ("",) * len(self.shape)
        extents = [
            (dim or "-1") if extent == -1 else str(extent)
            for extent, dim in zip(self.shape, names, strict=True)
        ]
        return f"{self.name}:{word}[{','.join(extents)}]"


def parse_input(text: str) -> InputSpec:
    """Reads `name:dtype[extent,...]`.

    Raises:
        CreateError: It has another form, or an unknown datatype.
    """
    found = _INPUT.fullmatch(text.strip())
    if not found:
        raise CreateError(
            f'--input "{text}" is not of the form name:dtype[extents], as in {_EXAMPLE_OF_INPUT}'
        )
    word = found["dtype"].lower()
    if word not in DATATYPE_OF_WORD:
        known = ", ".join(words[0] for words in _DATATYPES.values())
        raise CreateError(
            f'--input "{text}" has dtype "{found["dtype"]}", which is not one of {known}'
        )
    shape, dims = [], []
    for part in (part.strip() for part in found["extents"].split(",") if found["extents"].strip()):
        if part in ("-1", "?") or re.fullmatch(r"[A-Za-z_]\w*", part):
            shape.append(-1)
            dims.append("" if part in ("-1", "?") else part)
        elif re.fullmatch(r"[0-9]+", part) and int(part) > 0:
            shape.append(int(part))
            dims.append("")
        else:
            raise CreateError(
                f'--input "{text}" has extent "{part}", expected a number above 0, -1, or a name '
                "for an extent that requests choose"
            )
    if "batch" in dims[1:]:
        raise CreateError(f'--input "{text}" calls an axis "batch" that is not the first')
    return InputSpec(found["name"].strip(), DATATYPE_OF_WORD[word], tuple(shape), tuple(dims))


def parse_range(text: str) -> tuple[str, Range]:
    """Reads `name=low:high`: the values of an input, both ends included.

    Raises:
        CreateError: It has another form, or contains no value.
    """
    # The last "=": names of tensors may hold anything, bounds only numbers.
    name, equals, bounds = text.strip().rpartition("=")
    low, colon, high = bounds.partition(":")
    try:
        made = (float(low), float(high)) if name and equals and colon else None
    except ValueError:
        made = None
    if made is None or not all(map(math.isfinite, made)):
        raise CreateError(
            f'--range "{text}" is not of the form name=low:high, as in input_ids=0:30521'
        )
    if made[0] > made[1]:
        raise CreateError(f'--range "{text}" ends below its beginning, {low}')
    return name.strip(), made


def parse_ranges(texts: Sequence[str]) -> dict[str, Range]:
    """Reads several of them.

    Raises:
        CreateError: One is wrong, or names an input again.
    """
    ranges: dict[str, Range] = {}
    for text in texts:
        name, bounds = parse_range(text)
        if name in ranges:
            raise CreateError(f'--range names input "{name}" twice')
        ranges[name] = bounds
    return ranges


def parse_module_args(texts: Sequence[str]) -> dict[str, Any]:
    """Reads the arguments of a class: JSON objects or `key=value`, whose value is JSON or a word.

    Raises:
        CreateError: One is neither.
    """
    arguments: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if text.lstrip().startswith("{"):
            try:
                arguments |= json.loads(text)
            except ValueError as error:
                raise CreateError(f"--module-args '{text}' is not a JSON object: {error}") from None
        elif equals and key.strip().isidentifier():
            try:
                arguments[key.strip()] = json.loads(value)
            except ValueError:
                arguments[key.strip()] = value
        else:
            raise CreateError(
                f"--module-args '{text}' is neither a JSON object nor key=value, as in width=64"
            )
    return arguments


@dataclass(frozen=True)
class Options:
    """How to read, convert and check a model.

    Attributes:
        inputs: From --input; empty if the file describes them.
        ranges: From --range, by input.
        example: An .npz file with one array per input, by name.
        module: The class of a state dict: "package.module:Class".
        module_args: Keyword arguments of that class.
        trust_pickle: Whether code in the file may run.
        tolerance: Maximum difference from the original, as a share of the output's largest value;
            None for the default of the output's datatype.
        allow_mismatch: Whether to write a model even if it is beyond the tolerance.
        time_limit: Maximum seconds for converting, checking and measuring together.
    """

    inputs: tuple[InputSpec, ...] = ()
    ranges: dict[str, Range] = field(default_factory=dict)
    example: Path | None = None
    module: str | None = None
    module_args: dict[str, Any] = field(default_factory=dict)
    trust_pickle: bool = False
    tolerance: float | None = None
    allow_mismatch: bool = False
    time_limit: float = LONGEST_SECONDS

    def as_json(self) -> dict[str, Any]:
        """Returns what json.dumps() takes; from_json() reads it."""
        return {
            **asdict(self),
            "example": str(self.example) if self.example else None,
        }

    @staticmethod
    def from_json(values: dict[str, Any]) -> Options:
        """Returns the options that as_json() returned."""
        inputs = tuple(
            InputSpec(one["name"], one["datatype"], tuple(one["shape"]), tuple(one["dims"]))
            for one in values["inputs"]
        )
        ranges = {name: (low, high) for name, (low, high) in values["ranges"].items()}
        example = Path(values["example"]) if values["example"] else None
        return Options(**{**values, "inputs": inputs, "ranges": ranges, "example": example})

    def as_given(self) -> dict[str, object]:
        """Returns the options that a person wants to see again: those not left at their default."""
        given = {
            "input": [str(spec) for spec in self.inputs],
            "range": [
                f"{name}={low:.17g}:{high:.17g}" for name, (low, high) in self.ranges.items()
            ],
            "example": str(self.example) if self.example else None,
            "module": self.module,
            "module_args": self.module_args,
            "trust_pickle": self.trust_pickle,
            "tolerance": self.tolerance,
            "allow_mismatch": self.allow_mismatch,
            "time_limit": self.time_limit if self.time_limit != LONGEST_SECONDS else None,
        }
        return {name: value for name, value in given.items() if value}
