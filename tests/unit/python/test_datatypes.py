from __future__ import annotations

import numpy as np
import pytest

from lepton.datatypes import NUMPY_TYPES, decode, encode


@pytest.mark.parametrize(
    "datatype", [name for name in NUMPY_TYPES if name not in ("BYTES", "BF16")]
)
def test_every_number_comes_back_as_it_was_sent(datatype: str) -> None:
    kind = NUMPY_TYPES[datatype]
    array = np.array([[0, 1, 0], [1, 1, 0]]).astype(kind)
    data = encode(array, datatype)
    assert len(data) == array.nbytes
    back = decode(memoryview(bytes(data)), datatype, [2, 3])
    assert back.dtype == kind
    assert np.array_equal(back, array)


def test_wire_order_is_little_endian_and_row_major() -> None:
    big_endian = np.array([[1, 2], [3, 4]], dtype=">u2").T
    assert bytes(encode(big_endian, "UINT16")) == b"\x01\x00\x03\x00\x02\x00\x04\x00"


def test_bytes_elements_carry_their_length() -> None:
    array = np.array([b"", "ab\u00e9", b"x" * 300], dtype=object)
    data = encode(array, "BYTES")
    assert data[:4] == b"\0\0\0\0"
    assert data[4:8] == b"\x04\0\0\0"
    assert list(decode(memoryview(data), "BYTES", [3])) == [b"", "ab\u00e9".encode(), b"x" * 300]


def test_bytes_element_of_another_type_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="BYTES element is int"):
        encode(np.array([1], dtype=object), "BYTES")


def test_bf16_rounds_to_nearest_even() -> None:
    # 1 + 2^-8 lies half-way between 1 and 1 + 2^-7: to even is down. 1 + 3 * 2^-8 goes up.
    values = np.array([1.0, 1 + 2**-8, 1 + 3 * 2**-8, -2.5, np.inf], np.float32)
    back = decode(memoryview(bytes(encode(values, "BF16"))), "BF16", [5])
    assert back.tolist() == [1.0, 1.0, 1 + 2**-6, -2.5, np.inf]


def test_bf16_keeps_nan() -> None:
    # Rounding these bits up would carry into the exponent and give infinity.
    nan = np.array([0x7F80FFFF], np.uint32).view(np.float32)
    assert np.isnan(decode(memoryview(bytes(encode(nan, "BF16"))), "BF16", [1])).all()


def test_size_that_does_not_fit_the_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        decode(memoryview(b"\0" * 8), "FP32", [3])


def test_scalar_and_empty_tensors_are_encoded() -> None:
    assert bytes(encode(np.array(1, np.int8), "INT8")) == b"\x01"
    assert bytes(encode(np.zeros((0, 4), np.float32), "FP32")) == b""
