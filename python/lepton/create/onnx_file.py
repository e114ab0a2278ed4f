"""What an ONNX file says about itself, read from its protobuf without the onnx package.

Only what is asked for is decoded: weights are skipped, so that a large file costs no more than a
small one. Field numbers are those of onnx.proto.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from lepton.create.options import InputSpec
from lepton.create.protobuf import Cut, DamagedError

# ModelProto
_GRAPH, _FUNCTIONS = 7, 25
# GraphProto
_NODE, _INITIALIZER, _INPUT, _SPARSE_INITIALIZER = 1, 5, 11, 15
# The fields that hold tensors, or graphs with tensors, in each message, by the kind of content.
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
_DEEPEST = 64  # Maximum depth of graphs within graphs; no model is nested deeper.


def external_files(path: Path) -> list[str]:
    """Returns the names of the files beside an ONNX file that hold its weights.

    For a damaged file, those before the damage: a full read says what is wrong.
    """
    names: set[str] = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            for tensor in _tensors(Cut(data, 0, len(data)), "model", 0):
                for entry in tensor.all(_EXTERNAL_DATA):
                    if entry.text(_KEY) == "location":
                        names.add(entry.text(_VALUE))
        except DamagedError:
            pass
    return sorted(names)


def graph_inputs(path: Path) -> list[InputSpec] | None:
    """Returns the inputs as the file has them, including its names for open extents.

    None if one has no shape or a datatype that the protocol lacks, or the file is damaged.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            graph = Cut(data, 0, len(data)).first(_GRAPH)
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
        except DamagedError:
            return None
    return specs


def _spec(value: Cut) -> InputSpec | None:
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
        # A dimension without a value, or with 0 as some exporters write it, is open.
        extent = dim.number(1) or 0
        extents.append(extent if 0 < extent < 1 << 63 else -1)
        word = dim.text(2) if extents[-1] == -1 else ""
        dims.append("" if word == "?" else word)
    return InputSpec(value.text(1), datatype, tuple(extents), tuple(dims))


def _tensors(message: Cut, kind: str, depth: int) -> Iterator[Cut]:
    if depth > _DEEPEST:
        raise DamagedError
    for field in message.fields():
        held = _INSIDE[kind].get(field.number)
        if held == "tensor":
            yield message.inside(field)
        elif held is not None:
            yield from _tensors(message.inside(field), held, depth + 1)
