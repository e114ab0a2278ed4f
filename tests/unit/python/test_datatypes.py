from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lepton import InvalidInput
from lepton.datatypes import NUMPY_TYPES, from_bfloat16, to_bfloat16, to_objects, to_wire


@dataclass
class Spec:
    """Stands for a TensorSpec, which only the native side makes."""

    datatype: str
    shape: tuple[int, ...] = (-1,)
    name: str = "x"


def wire(value: object, datatype: str, shape: tuple[int, ...] = (-1,)) -> np.ndarray:
    array = to_wire(value, Spec(datatype, shape))
    assert isinstance(array, np.ndarray)
    return array


@pytest.mark.parametrize(
    "datatype", [name for name in NUMPY_TYPES if name not in ("BYTES", "BF16")]
)
def test_lists_take_each_datatype(datatype: str) -> None:
    array = wire([[0, 1, 0], [1, 1, 0]], datatype)
    assert array.dtype == NUMPY_TYPES[datatype]
    assert array.tolist() == [[0, 1, 0], [1, 1, 0]]


def test_wire_order_is_little_endian_and_row_major() -> None:
    big_endian = np.array([[1, 2], [3, 4]], dtype=">u2").T
    assert wire(big_endian, "UINT16").tobytes() == b"\x01\x00\x03\x00\x02\x00\x04\x00"


@pytest.mark.parametrize("value", [[1.5], np.array([1.5]), np.float32(1.0), 1.5])
def test_float_is_never_cut_to_an_integer(value: object) -> None:
    with pytest.raises(InvalidInput, match=r'input "x" takes INT64 \[-1\]'):
        wire(value, "INT64")


@pytest.mark.parametrize(
    ("value", "datatype", "named"),
    [
        ([300], "UINT8", "300 is not from 0 to 255"),
        ([-1], "UINT8", "-1 is not from 0 to 255"),
        (np.array([1, 300], np.uint16), "UINT8", "300"),
        ([np.int64(300)], "UINT8", "300"),
        (np.array([2**40]), "INT32", "1099511627776 is not from -2147483648 to 2147483647"),
        (np.array([-1]), "UINT64", "-1"),
        (np.array([2**63], np.uint64), "INT64", "9223372036854775808"),
        (np.array([200], np.int16), "INT8", "200"),
        ([2**64], "UINT64", "18446744073709551616"),
        ([-(2**63) - 1, 1], "INT64", "-9223372036854775809"),
        ([2**63, -1], "INT64", "9223372036854775808"),
        (np.array([0, 2]), "BOOL", "2 is not from 0 to 1"),
        ([0, 2], "BOOL", "2"),
        ([1.0], "BOOL", "float"),
        ([float("nan")], "INT32", "float"),
        (np.array([1e300]), "FP32", r"1e\+300 is beyond 3.40282347e\+38"),
        ([1e300], "FP32", "beyond"),
        ([70000], "FP16", "70000 is beyond 65504"),
        (np.array([-1e39]), "BF16", "beyond"),
        (np.array([3.4e38], np.float32), "BF16", "beyond 3.38953139"),
        ([10**400], "FP64", "too large"),
        (np.array([1j]), "FP32", "complex"),
        (np.array(["a"]), "FP32", "cast"),
        (np.array(["1"]), "INT32", "cast"),
    ],
)
def test_value_that_does_not_fit_is_refused(value: object, datatype: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=rf'input "x" takes {datatype} \[-1\]: .*{named}'):
        wire(value, datatype)


@pytest.mark.parametrize(
    ("value", "datatype", "expected"),
    [
        (np.array([255, 0]), "UINT8", [255, 0]),
        (np.array([-128, 127]), "INT8", [-128, 127]),
        (np.array([2**63 - 1], np.uint64), "INT64", [2**63 - 1]),
        ([2**64 - 1, 1], "UINT64", [2**64 - 1, 1]),
        ([2**53 + 1, -(2**63)], "INT64", [2**53 + 1, -(2**63)]),
        ([np.int64(7), 8], "UINT8", [7, 8]),
        (np.array([True, False]), "INT64", [1, 0]),
        (np.array([0, 1]), "BOOL", [False, True]),
        ([np.inf, -np.inf], "FP16", [np.inf, -np.inf]),
        (np.array([np.inf, 1e-300]), "FP32", [np.inf, 0]),
        ([2**70, 0.5], "FP64", [float(2**70), 0.5]),
        ([2**70], "FP32", [float(2**70)]),
        (np.array([2**24 + 1]), "FP32", [2**24]),
    ],
)
def test_value_that_fits_is_taken_whatever_its_type(
    value: object, datatype: str, expected: list[object]
) -> None:
    assert wire(value, datatype).tolist() == expected


def test_ragged_list_is_refused() -> None:
    with pytest.raises(InvalidInput, match="inhomogeneous"):
        wire([[1, 2], [3]], "FP32")


def test_scalar_fills_a_shape_that_allows_one_element() -> None:
    assert wire(2, "FP32", (-1, 1)).tolist() == [[2.0]]
    assert wire(2, "FP32", (2,)).shape == ()


@pytest.mark.parametrize("value", ["caf\u00e9", b"caf\xc3\xa9"])
def test_one_text_is_a_tensor_of_one_element(value: object) -> None:
    assert to_wire(value, Spec("BYTES")) == ([value], (1,))


def test_texts_keep_their_shape() -> None:
    texts = [["a", b"b"], ["", "d"]]
    assert to_wire(texts, Spec("BYTES")) == (["a", b"b", "", "d"], (2, 2))
    assert to_wire(np.array(["ab", "c"]), Spec("BYTES")) == (["ab", "c"], (2,))
    assert to_wire(np.array([b"ab", b"c"]), Spec("BYTES")) == ([b"ab", b"c"], (2,))


def test_elements_come_back_in_their_shape() -> None:
    array = to_objects([b"a", b"", b"c", b"d"], [2, 2])
    assert array.dtype == object
    assert array.tolist() == [[b"a", b""], [b"c", b"d"]]
    assert to_objects([], [0, 3]).shape == (0, 3)


def test_bf16_rounds_to_nearest_even() -> None:
    # 1 + 2^-8 lies half-way between 1 and 1 + 2^-7: ties to even rounds down. 1 + 3 * 2^-8 goes up.
    values = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -2.5, np.inf], np.float32)
    assert from_bfloat16(to_bfloat16(values)).tolist() == [1.0, 1.0, 1 + 2**-6, -2.5, np.inf]


def test_bf16_keeps_nan() -> None:
    # Rounding these bits up would carry into the exponent and give infinity.
    nan = np.array([0x7F80FFFF], np.uint32).view(np.float32)
    assert np.isnan(from_bfloat16(to_bfloat16(nan))).all()
