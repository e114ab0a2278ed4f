"""The datatypes of the KServe v2 protocol in numpy.

Arrays that already have the wire's layout never come here: lepton._native sends them in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lepton.errors import InvalidInput

if TYPE_CHECKING:
    from lepton._native import TensorSpec

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
    # numpy has no bfloat16; this is the nearest type that holds each value of it exactly.
    "BF16": np.float32,
    "BYTES": np.object_,
}


def to_wire(value: object, tensor: TensorSpec) -> Array | tuple[list[Any], tuple[int, ...]]:
    """Returns a value in the wire's form: C-contiguous, little-endian, of the model's datatype.

    Integers become the model's integer type if it holds each of them, or booleans if they are 0 or
    1. Integers and floats become the model's floats, rounded to nearest, if they are within its
    range. A float never becomes an integer.

    Args:
        value: An array, nested lists, a scalar, or anything that numpy turns into an array.
        tensor: The model's input that it is for.

    Returns:
        An array; for BF16 its bits, as uint16; for BYTES the elements in a list, and their shape.

    Raises:
        InvalidInput: There is no such cast, or a value does not fit.
    """
    wanted = np.dtype(NUMPY_TYPES[tensor.datatype]).newbyteorder("<")
    try:
        array = _as_array(value, wanted)
        if array.ndim == 0:
            array = _scalar(array, tensor.shape)
        if tensor.datatype == "BF16":
            array = to_bfloat16(array)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InvalidInput(
            f'input "{tensor.name}" takes {tensor.datatype} {list(tensor.shape)}: {error}'
        ) from None
    if tensor.datatype == "BYTES":
        return array.reshape(-1).tolist(), array.shape
    return np.require(array, requirements="C")


def _as_array(value: object, wanted: np.dtype[Any]) -> Array:
    if value is None:
        raise TypeError("None is not a tensor")
    is_array = hasattr(value, "__array__") and not isinstance(value, (str, bytes))
    if wanted.kind == "O":
        if is_array and np.asarray(value).dtype.kind in "SU":
            return np.asarray(value).astype(np.object_)
        return np.asarray(value, dtype=wanted)
    array = np.asarray(value)
    if array.dtype.kind in "iub":
        return _whole(array, wanted) if wanted.kind in "iub" else _rounded(array, wanted)
    if wanted.kind in "iub" and array.dtype.kind in "fO":
        return _whole(_integers(value, wanted), wanted)
    if is_array or array.dtype.kind == "f":
        return _rounded(array, wanted)
    return _rounded(np.asarray(value, dtype=np.float64), wanted)


def _integers(value: object, wanted: np.dtype[Any]) -> Array:
    """Returns Python integers as objects, since numpy makes floats of those beyond 64 bits."""
    array = np.asarray(value, dtype=np.object_)
    if not all(isinstance(item, (int, np.integer, np.bool_)) for item in array.flat):
        raise TypeError(f"a float is not cut to {wanted.name}; round it yourself")
    return array


def _whole(array: Array, wanted: np.dtype[Any]) -> Array:
    """Returns integers as another integer type or as booleans, if it holds each of them."""
    if array.size > 0 and not np.can_cast(array.dtype, wanted):
        low, high = (0, 1) if wanted.kind == "b" else (np.iinfo(wanted).min, np.iinfo(wanted).max)
        for found in (int(array.min()), int(array.max())):
            if not low <= found <= high:
                raise ValueError(f"{found} is not from {low} to {high}")
    return array.astype(wanted, copy=False)


def _rounded(array: Array, wanted: np.dtype[Any]) -> Array:
    """Returns numbers as floats, rounded; a finite one never becomes infinity."""
    if wanted.kind != "f":
        raise TypeError(f"{array.dtype.name} is not cast to {wanted.name}")
    with np.errstate(over="ignore"):
        rounded = array.astype(wanted, casting="same_kind", copy=False)
    if not np.can_cast(array.dtype, wanted):
        _refuse_lost(array, np.isinf(rounded), f"{np.finfo(wanted).max:.9g}")
    return rounded


def _refuse_lost(array: Array, infinite: npt.NDArray[np.bool_], largest: str) -> None:
    lost = infinite & ~np.isinf(array)
    if lost.any():
        raise ValueError(f"{array[lost].flat[0]} is beyond {largest}, the largest value")


def _scalar(array: Array, shape: tuple[int, ...]) -> Array:
    """Returns it with an extent of 1 along each axis, if the model's shape allows that."""
    return array.reshape((1,) * len(shape)) if all(n in (-1, 1) for n in shape) else array


def to_bfloat16(array: Array) -> Array:
    """Returns float32 values as the uint16 bits of bfloat16, rounded to nearest, ties to even.

    Raises:
        ValueError: A finite value would become infinity.
    """
    # bfloat16 is the upper half of a float32, so this works on the bits.
    bits = array.astype("<f4", copy=False).view("<u4")
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    # A NaN must not round to infinity: its quiet bit keeps it one.
    halves = np.where(np.isnan(array), (bits >> 16) | 0x40, rounded)
    _refuse_lost(array, (halves & 0x7FFF) == 0x7F80, "3.38953139e+38")
    return halves.astype("<u2")


def from_bfloat16(bits: Array) -> Array:
    """Returns bfloat16 values, given as their bits in uint16, as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_objects(elements: list[bytes], shape: Sequence[int]) -> Array:
    """Returns the elements of a BYTES tensor as an array of bytes objects."""
    array = np.empty(len(elements), dtype=np.object_)
    array[:] = elements
    return array.reshape(shape)
