from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lepton.create import CreateError, parse_input
from lepton.create.samples import Feed, check_example, read_example, specs_of_example
from lepton.datatypes import NUMPY_TYPES, Array


def lookup(size: int) -> object:
    def run(inputs: Mapping[str, Array]) -> Array:
        return np.arange(size)[inputs["ids"]]

    return run


@pytest.mark.parametrize("datatype", sorted(NUMPY_TYPES))
def test_made_up_input_has_the_type_and_the_rows(datatype: str) -> None:
    word = {"BYTES": "string"}.get(datatype, datatype.lower())
    feed = Feed([parse_input(f"x:{word}[batch,4]")])
    made = feed.rows(3)["x"]
    assert made.shape == (3, 4)
    assert made.dtype == NUMPY_TYPES[datatype]
    assert np.array_equal(made, feed.rows(3)["x"])


def test_bf16_input_is_exact_in_bf16() -> None:
    made = Feed([parse_input("x:bf16[batch,8]")]).rows(2)["x"]
    assert not (made.view(np.uint32) & 0xFFFF).any()


@pytest.mark.parametrize(("size", "expected"), [(1000, 99), (50, 9), (10, 9), (3, 1), (1, 0)])
def test_integers_stay_within_the_table_that_they_index(size: int, expected: int) -> None:
    feed = Feed([parse_input("ids:i64[batch,seq]")])
    feed.settle(lookup(size))
    assert max(feed.rows(rows)["ids"].max() for rows in feed.batches()) == expected


def test_open_extents_of_all_inputs_are_the_same() -> None:
    def run(inputs: Mapping[str, Array]) -> Array:
        if inputs["a"].shape[1] < 32:
            raise ValueError("too small for the kernel")
        return inputs["a"] + inputs["b"]

    feed = Feed([parse_input("a:f32[batch,h]"), parse_input("b:f32[batch,h]")])
    assert feed.settle(run)["a"].shape == (2, 32)


def test_input_that_nothing_suits_says_what_was_tried() -> None:
    def run(inputs: Mapping[str, Array]) -> Array:
        raise ValueError("mat1 and mat2 shapes cannot be multiplied")

    feed = Feed([parse_input("x:f32[batch,15]")])
    with pytest.raises(CreateError, match=r"x \[2, 15\] \(ValueError: mat1.*--example"):
        feed.settle(run)


def test_example_is_repeated_to_the_rows_that_are_asked_for() -> None:
    example = {"x": np.arange(6, dtype=np.float32).reshape(3, 2)}
    feed = Feed([parse_input("x:f32[batch,2]")], example)
    assert feed.batches() == [1, 2, 3, 5]
    assert feed.rows(5)["x"][:, 0].tolist() == [0, 2, 4, 0, 2]


def test_fixed_input_has_no_batches() -> None:
    feed = Feed([parse_input("x:f32[4,2]")])
    assert feed.batches() == []
    assert feed.rows(1)["x"].shape == (4, 2)


def test_example_says_the_inputs_with_the_first_axis_as_batch() -> None:
    arrays = {"ids": np.zeros((3, 7), np.int64), "mask": np.zeros((3,), bool)}
    assert [str(spec) for spec in specs_of_example(arrays)] == [
        "ids:i64[batch,7]",
        "mask:bool[batch]",
    ]


def test_example_without_common_rows_says_fixed_inputs() -> None:
    arrays = {"a": np.zeros((3, 7), np.float32), "b": np.zeros((2,), np.float32)}
    assert [str(spec) for spec in specs_of_example(arrays)] == ["a:f32[3,7]", "b:f32[2]"]


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"y": np.zeros((2, 4), np.float32)}, r'has arrays "y", the model takes "x"'),
        ({"x": np.zeros((2, 4))}, r"float64, the model takes float32: .*astype\(np\.float32\)"),
        ({"x": np.zeros((2, 5), np.float32)}, r"shape \[2, 5\], the model takes x:f32\[batch,4\]"),
        ({"x": np.zeros((0, 4), np.float32)}, r"shape \[0, 4\]"),
        ({"x": np.zeros((2, 4), np.complex64)}, "complex64, for which the protocol has no word"),
    ],
)
def test_example_that_does_not_fit_is_refused(arrays: dict[str, Array], reason: str) -> None:
    with pytest.raises(CreateError, match=reason):
        check_example(arrays, [parse_input("x:f32[batch,4]")], Path("example.npz"))


def test_example_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    np.savez(tmp_path / "pickled.npz", x=np.array([{}], dtype=object))
    (tmp_path / "noise.npz").write_bytes(b"noise")
    for name, reason in [
        ("one.npy", "is one array"),
        ("pickled.npz", "no .npz file of plain arrays"),
        ("noise.npz", "no .npz file of plain arrays"),
        ("none.npz", "does not exist"),
    ]:
        with pytest.raises(CreateError, match=reason):
            read_example(tmp_path / name)
