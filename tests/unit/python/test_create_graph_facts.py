"""What a graph tells about its inputs, and about how it computes."""

from __future__ import annotations

import numpy as np
import openvino as ov
import pytest
from openvino import opset13

from lepton.create.graph_facts import arithmetic, computes_in_fp64, divisors, index_bounds


def parameter(kind: type, name: str = "ids", shape: tuple[int, ...] = (-1, -1)) -> ov.Node:
    node = opset13.parameter(ov.PartialShape([*shape]), kind, name)
    node.output(0).set_names({name})
    return node


def table(size: int, axis: int = 0) -> ov.Node:
    shape = (size, 3) if axis == 0 else (3, size)
    return opset13.constant(np.zeros(shape, np.float32))


def gathered(ids: ov.Node, size: int, axis: int = 0) -> ov.Node:
    return opset13.gather(table(size, axis), ids, axis)


def bound(make) -> int | None:
    ids = parameter(np.int64)
    model = ov.Model([make(ids)], [ids])
    return index_bounds(model).get("ids")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda ids: gathered(ids, 100), 100),
        (lambda ids: gathered(ids, 70, axis=1), 70),
        (lambda ids: gathered(opset13.convert(ids, "i32"), 100), 100),
        (lambda ids: gathered(opset13.unsqueeze(ids, 0), 100), 100),
        (lambda ids: gathered(opset13.reshape(ids, [-1], special_zero=False), 100), 100),
        (lambda ids: gathered(opset13.add(ids, np.int64(2)), 100), 98),
        (lambda ids: gathered(opset13.subtract(ids, np.int64(2)), 100), 102),
        (lambda ids: gathered(opset13.concat([opset13.constant(np.zeros((1, 1), np.int64)),
                                              opset13.reshape(ids, [1, -1], False)], 1), 9), 9),
        (lambda ids: opset13.add(gathered(ids, 100), gathered(ids, 30)), 30),
        (lambda ids: opset13.one_hot(ids, np.int64(257), np.float32(1), np.float32(0), -1), 257),
        (lambda ids: opset13.convert(ids, "f32"), None),
        # A table of open size says nothing, and neither do computed indices.
        (lambda ids: gathered(opset13.multiply(ids, np.int64(2)), 100), None),
        (lambda ids: opset13.gather(ids, opset13.constant(np.zeros(2, np.int64)), 0), None),
    ],
)  # fmt: skip
def test_integers_are_followed_to_the_table_that_they_index(make, expected: int | None) -> None:
    assert bound(make) == expected


def test_integers_that_others_are_divided_by_are_told() -> None:
    a, b = parameter(np.int32, "a", (-1,)), parameter(np.int32, "b", (-1,))
    wide = opset13.convert(b, "i64")
    made = opset13.mod(opset13.convert(a, "i64"), wide)
    assert divisors(ov.Model([made], [a, b])) & {"a", "b"} == {"b"}
    x = parameter(np.float32, "x", (-1,))
    assert divisors(ov.Model([opset13.divide(x, x)], [x])) == set()


def test_weights_stored_in_few_bits_are_quantized_and_in_half_are_not() -> None:
    x = parameter(np.float32, "x", (-1, 64))

    def of(weights: np.ndarray) -> str:
        made = opset13.convert(opset13.constant(weights), "f32")
        return arithmetic(ov.Model([opset13.matmul(x, made, False, False)], [x]))

    assert of(np.zeros((64, 2), np.int8)) == "quantized"
    assert of(np.zeros((64, 2), np.float16)) == "plain"
    assert of(np.zeros((64, 2), np.int64)) == "plain"


def test_rounding_to_few_steps_is_quantized() -> None:
    x = parameter(np.float32, "x", (-1, 4))
    low, high = np.float32(-1), np.float32(1)
    steps = opset13.fake_quantize(x, low, high, low, high, 255)
    assert arithmetic(ov.Model([steps], [x])) == "quantized"
    assert arithmetic(ov.Model([opset13.convert(x, "u8")], [x])) == "quantized"


def test_images_in_bytes_are_not_quantized() -> None:
    x = parameter(np.uint8, "x", (-1, 4))
    assert arithmetic(ov.Model([opset13.convert(x, "f32")], [x])) == "plain"


def test_half_and_double_are_seen() -> None:
    x = parameter(np.float32, "x", (-1, 4))
    half = opset13.relu(opset13.convert(x, "f16"))
    assert arithmetic(ov.Model([opset13.convert(half, "f32")], [x])) == "half"
    double = opset13.relu(opset13.convert(x, "f64"))
    model = ov.Model([opset13.convert(double, "f32")], [x])
    assert computes_in_fp64(model)
    assert not computes_in_fp64(ov.Model([opset13.relu(x)], [x]))
