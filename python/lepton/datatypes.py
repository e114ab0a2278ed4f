"""The datatypes of the KServe v2 protocol, as numpy has them, and their bytes on the wire."""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

NUMPY_TYPES: dict[str, type[np.generic]] = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    # numpy has no bfloat16; the nearest type that holds each value of it exactly.
    "BF16": np.float32,
    "BYTES": np.object_,
}


def encode(array: Array, datatype: str) -> bytes | memoryview:
    """Returns the tensor's bytes: row-major, little-endian, no padding.

    Args:
        array: Of the numpy type that stands for `datatype`.
        datatype: KServe's name of it.

    Raises:
        ValueError: A BYTES element is neither bytes nor str.
    """
    if datatype == "BYTES":
        return b"".join(_length_prefixed(item) for item in array.reshape(-1))
    contiguous = np.ascontiguousarray(array)
    if datatype == "BF16":
        # Round to nearest, ties to even, on the bits: bfloat16 is the upper half of a float32.
        bits = contiguous.astype("<f4").view("<u4")
        rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
        # A NaN must not round to infinity: it stays one by its quiet bit.
        halves = np.where(np.isnan(contiguous), (bits >> 16) | 0x40, rounded)
        return halves.astype("<u2").tobytes()
    little = contiguous.astype(contiguous.dtype.newbyteorder("<"), copy=False)
    return little.reshape(-1).view(np.uint8).data


def decode(data: memoryview, datatype: str, shape: list[int]) -> Array:
    """Returns the tensor that `data` holds; a view of it where the type allows, so read-only.

    Raises:
        ValueError: The size does not fit the shape, or the datatype is unknown.
    """
    if datatype == "BYTES":
        items, at = [], 0
        while at < len(data):
            (size,) = struct.unpack_from("<I", data, at)
            items.append(bytes(data[at + 4 : at + 4 + size]))
            at += 4 + size
        elements = np.empty(len(items), dtype=np.object_)
        elements[:] = items
        return elements.reshape(shape)
    if datatype not in NUMPY_TYPES:
        raise ValueError(f'datatype "{datatype}" is unknown')
    if datatype == "BF16":
        halves = np.frombuffer(data, "<u2").astype(np.uint32)
        return (halves << 16).view(np.float32).reshape(shape)
    dtype = np.dtype(NUMPY_TYPES[datatype]).newbyteorder("<")
    return np.frombuffer(data, dtype).reshape(shape)


def _length_prefixed(item: object) -> bytes:
    if isinstance(item, str):
        item = item.encode()
    if not isinstance(item, bytes):
        raise ValueError(f"a BYTES element is {type(item).__name__}, expected bytes or str")
    return struct.pack("<I", len(item)) + item
