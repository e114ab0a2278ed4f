"""What an ONNX file says of itself, read from its protobuf without the onnx package.

Only what is asked for is decoded: weights are passed over, so that a large file costs no more than
a small one. Numbers of fields are those of onnx.proto.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lepton.create.options import InputSpec

# ModelProto
_GRAPH, _FUNCTIONS = 7, 25
# GraphProto
_NODE, _INITIALIZER, _INPUT, _SPARSE_INITIALIZER = 1, 5, 11, 15
# Where tensors, and graphs that hold some, lie in each message: fields by kind of what they hold.
_OF_MODEL = {_GRAPH: "graph", _FUNCTIONS: "function"}
_OF_GRAPH = {_NODE: "node", _INITIALIZER: "tensor", _SPARSE_INITIALIZER: "sparse"}
_INSIDE = {
    "model": _OF_MODEL,
    "graph": _OF_GRAPH,
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
# TensorProto, and StringStringEntryProto
_NAME_OF_TENSOR, _EXTERNAL_DATA, _KEY, _VALUE = 8, 13, 1, 2
# TensorProto.DataType
_DATATYPES = {
    1: "FP32", 2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64",
    8: "BYTES", 9: "BOOL", 10: "FP16", 11: "FP64", 12: "UINT32", 13: "UINT64", 16: "BF16",
}  # fmt: skip
_DEEPEST = 64  # Of graphs within graphs; what is deeper is no model.


class _Field(NamedTuple):
    number: int
    value: int  # Of a varint; where the bytes begin, of others.
    end: int


class _DamagedError(Exception):
    pass


class _Cut(NamedTuple):
    """A part of the file: one message."""

    data: mmap.mmap
    begin: int
    end: int

    def fields(self) -> Iterator[_Field]:
        data, at, end = self.data, self.begin, self.end
        while at < end:
            key, at = _varint(data, at, end)
            number, wire = key >> 3, key & 7
            if wire == 0:
                value, at = _varint(data, at, end)
                yield _Field(number, value, at)
                continue
            if wire == 2:
                size, at = _varint(data, at, end)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise _DamagedError
            if at + size > end:
                raise _DamagedError
            yield _Field(number, at, at + size)
            at += size

    def inside(self, field: _Field) -> _Cut:
        return _Cut(self.data, field.value, field.end)

    def all(self, number: int) -> Iterator[_Cut]:
        return (self.inside(field) for field in self.fields() if field.number == number)

    def first(self, number: int) -> _Cut | None:
        return next(self.all(number), None)

    def number(self, number: int) -> int | None:
        return next((field.value for field in self.fields() if field.number == number), None)

    def text(self, number: int) -> str:
        part = self.first(number)
        return "" if part is None else self.data[part.begin : part.end].decode(errors="replace")


def external_files(path: Path) -> list[str]:
    """Returns the names of the files beside an ONNX file in which it keeps weights.

    A file that is damaged names those before the damage: what reads it whole says what is wrong.
    """
    names: set[str] = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for tensor in _tensors(_Cut(data, 0, len(data)), "model", 0):
                for entry in tensor.all(_EXTERNAL_DATA):
                    if entry.text(_KEY) == "location":
                        names.add(entry.text(_VALUE))
        except _DamagedError:
            pass
    return sorted(names)


def graph_inputs(path: Path) -> list[InputSpec] | None:
    """Returns the inputs as the file has them, its words for open extents included.

    None where one has no shape or no datatype that the protocol has, or the file is damaged.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            graph = _Cut(data, 0, len(data)).first(_GRAPH)
            if graph is None:
                return None
            # Before IR version 4 weights were inputs too.
            weights = {tensor.text(_NAME_OF_TENSOR) for tensor in graph.all(_INITIALIZER)}
            specs = []
            for value in graph.all(_INPUT):
                if value.text(1) in weights:
                    continue
                spec = _spec(value)
                if spec is None:
                    return None
                specs.append(spec)
        except _DamagedError:
            return None
    return specs


def _spec(value: _Cut) -> InputSpec | None:
    """Reads a ValueInfoProto: name, and type.tensor_type with elem_type and shape."""
    kind = value.first(2)
    tensor = kind.first(1) if kind is not None else None
    if tensor is None:
        return None
    datatype, shape = _DATATYPES.get(tensor.number(1) or 0), tensor.first(2)
    if datatype is None or shape is None:
        return None
    extents, dims = [], []
    for dim in shape.all(1):
        # A dimension without a value, or with 0 as some exporters write it, is an open one.
        extent = dim.number(1) or 0
        extents.append(extent if 0 < extent < 1 << 63 else -1)
        word = dim.text(2) if extents[-1] == -1 else ""
        dims.append("" if word == "?" else word)
    return InputSpec(value.text(1), datatype, tuple(extents), tuple(dims))


def _tensors(message: _Cut, kind: str, depth: int) -> Iterator[_Cut]:
    if depth > _DEEPEST:
        raise _DamagedError
    for field in message.fields():
        held = _INSIDE[kind].get(field.number)
        if held == "tensor":
            yield message.inside(field)
        elif held is not None:
            yield from _tensors(message.inside(field), held, depth + 1)


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _DamagedError
