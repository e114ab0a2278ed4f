"""The sizes of made-up inputs."""

from __future__ import annotations

import pytest

from lepton.create import InputSpec, parse_input
from lepton.create.extents import Extents


def shapes(*specs: str | InputSpec, attempt: int = 0) -> list[list[int]]:
    inputs = [parse_input(spec) if isinstance(spec, str) else spec for spec in specs]
    batched = all(spec.batched for spec in inputs)
    extents = Extents(inputs, batched)
    return [extents.shape(spec, 2, extents.attempt(attempt)) for spec in inputs]


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("x:f32[batch,3,h,w]", [2, 3, 224, 224]),
        ("x:f32[batch,-1,-1,3]", [2, 224, 224, 3]),
        ("x:u8[batch,h,w,3]", [2, 224, 224, 3]),
        ("x:f32[batch,64,h,w]", [2, 64, 224, 224]),
        ("x:f32[batch,80,frames]", [2, 80, 8]),
        ("audio:f32[batch,-1]", [2, 16000]),
        ("wave:f32[batch,1,n_samples]", [2, 1, 16000]),
        ("ids:i64[batch,-1]", [2, 8]),
        ("cache:f32[batch,12,past,64]", [2, 12, 8, 64]),
        ("s:f32[]", []),
    ],
)
def test_size_is_plausible_for_what_an_axis_counts(spec: str, shape: list[int]) -> None:
    assert shapes(spec) == [shape]


def test_extents_of_one_name_are_the_same_and_sums_follow() -> None:
    mask = InputSpec("mask", "INT64", (-1, -1), ("batch", "past + now"))
    assert shapes("a:i64[batch,now]", "b:f32[batch,12,past,64]", mask)[2] == [2, 16]


def test_sum_of_what_is_unknown_is_a_size_like_others() -> None:
    assert shapes(InputSpec("x", "INT64", (-1, -1), ("batch", "a*b - c")))[0][1] == 8
    assert shapes(InputSpec("x", "INT64", (-1, -1), ("batch", "__import__('os')")))[0][1] == 8


def test_rows_are_counted_wherever_the_batch_is() -> None:
    state = InputSpec("state", "FP32", (2, -1, 8), ("", "batch", ""))
    assert shapes("x:f32[batch,4]", state, "rate:i64[]") == [[2, 4], [2, 2, 8], []]


def test_sizes_are_told_by_name_where_they_differ() -> None:
    specs = [parse_input("x:f32[batch,3,h,w]"), parse_input("ids:i64[batch,seq]")]
    extents = Extents(specs, batched=True)
    assert extents.told(extents.attempt(0)) == "h 224, w 224, seq 8"
    assert extents.told({"h": 32, "w": 32}) == "32"


def test_inputs_are_of_reasonable_size_unless_they_have_to_be_larger() -> None:
    specs = [parse_input("x:f32[-1,3,h,w]")]
    extents = Extents(specs, batched=False)
    large = dict.fromkeys(extents.attempt(0), 16000)
    assert not extents.bounded(1, large)
    assert extents.bounded(1, dict.fromkeys(large, 32))
    fixed = Extents([parse_input("x:f32[5000,5000]")], batched=False)
    assert fixed.bounded(1, fixed.attempt(0))
