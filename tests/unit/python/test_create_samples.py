from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lepton.create import CreateError, parse_input
from lepton.create.samples import (
    Feed,
    UnsuitedError,
    check_example,
    check_ranges,
    read_example,
    specs_of_example,
)
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


def test_integers_stay_within_a_range_that_is_known() -> None:
    feed = Feed([parse_input("ids:i64[batch,9]")], ranges={"ids": (3, 5)})
    made = feed.rows(64)["ids"]
    assert set(made.ravel().tolist()) == {3, 4, 5}
    assert made.flat[0] == 5
    feed.know({"ids": 2})
    assert feed.rows(2)["ids"].max() == 5  # The user's value counts.


@pytest.mark.parametrize("datatype", ["uint64", "int64", "int8", "f32", "bool"])
def test_range_holds_for_every_datatype(datatype: str) -> None:
    made = Feed([parse_input(f"x:{datatype}[batch,50]")], ranges={"x": (0, 1)}).rows(4)["x"]
    assert made.dtype == NUMPY_TYPES[parse_input(f"x:{datatype}[]").datatype]
    assert made.min() >= 0
    assert made.max() <= 1
    assert len(np.unique(made)) > 1


@pytest.mark.parametrize(
    ("name", "bounds", "reason"),
    [
        ("y", (0, 1), 'names input "y", net takes "x", "image"'),
        ("x", (0, 200), "INT8 has -128 to 127"),
        ("x", (0.2, 0.8), "holds no integer"),
    ],
)
def test_range_that_cannot_be_is_refused(
    name: str, bounds: tuple[float, float], reason: str
) -> None:
    specs = [parse_input("x:i8[batch]"), parse_input("image:f32[batch]")]
    with pytest.raises(CreateError, match=reason):
        check_ranges({name: bounds}, specs, Path("net"))


def test_what_a_name_says_is_believed() -> None:
    specs = ["ids:i64[batch,seq]", "attention_mask:i64[batch,seq]", "x_len:i64[batch]"]
    specs += ["mask:f32[batch,seq]", "padding_mask:bool[batch,seq]"]
    made = Feed([parse_input(spec) for spec in specs]).rows(3)
    for name in ("attention_mask", "mask", "padding_mask"):
        assert made[name].all()
    assert made["x_len"][0] == 8
    assert made["x_len"].min() >= 4
    rate = Feed([parse_input("sr:i64[]")]).rows(1)["sr"]
    assert rate.shape == ()
    assert rate == 16000
    assert not Feed([parse_input("training:bool[]")]).rows(1)["training"]


@pytest.mark.parametrize("datatype", sorted(NUMPY_TYPES))
def test_scalar_has_no_axis(datatype: str) -> None:
    word = {"BYTES": "string"}.get(datatype, datatype.lower())
    made = Feed([parse_input(f"x:{word}[]")]).rows(1)["x"]
    assert isinstance(made, np.ndarray)
    assert made.shape == ()
    assert made.dtype == NUMPY_TYPES[datatype]


def test_size_that_the_engine_refuses_is_noted_and_the_next_is_tried() -> None:
    def engine(inputs: Mapping[str, Array]) -> None:
        if inputs["x"].shape[2] > 64:
            raise RuntimeError("too large for it")

    feed = Feed([parse_input("x:f32[batch,3,h,w]")])
    assert feed.settle(lambda inputs: None, engine)["x"].shape == (2, 3, 32, 32)
    assert [one.sizes for one in feed.refused] == ["224", "320", "640", "256"]
    works, fails = feed.works(engine)
    assert works == ["32", "64", "48", "8", "1"]
    assert fails == ["224", "320", "640", "256", "512"]
    assert feed.rows(1)["x"].shape == (1, 3, 32, 32)


def test_engine_that_refuses_all_is_said_to_do_so() -> None:
    def engine(inputs: Mapping[str, Array]) -> None:
        raise RuntimeError("cannot")

    feed = Feed([parse_input("x:f32[batch,4]")])
    with pytest.raises(CreateError, match=r"not run in OpenVINO as the original does.*\(cannot\)"):
        feed.settle(lambda inputs: None, engine)


def test_first_axis_may_be_samples_instead_of_rows() -> None:
    def run(inputs: Mapping[str, Array]) -> None:
        if len(inputs["waveform"]) < 15600:
            raise ValueError("too short")

    feed = Feed([parse_input("waveform:f32[-1]")])
    assert feed.settle(run)["waveform"].shape == (16000,)
    assert feed.batches() == []


def test_answer_without_elements_is_no_answer_if_there_is_another() -> None:
    def frames(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {"frames": inputs["waveform"][15599:]}

    feed = Feed([parse_input("waveform:f32[-1]")])
    assert feed.settle(frames)["waveform"].shape == (16000,)

    def nothing(inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {"boxes": np.zeros((0, 4), np.float32)}

    feed = Feed([parse_input("image:f32[batch,3,h,w]")])
    assert feed.settle(nothing)["image"].shape == (2, 3, 224, 224)
    assert feed.batches() == [1, 2, 5]


def test_first_axis_called_a_batch_may_have_to_be_larger_than_one() -> None:
    def run(inputs: Mapping[str, Array]) -> Array:
        return inputs["x"].reshape(4, -1)

    feed = Feed([parse_input("x:f32[n]")])
    assert feed.settle(run)["x"].shape == (8,)


@pytest.mark.parametrize("datatype", ["i32", "u8"])
def test_divisors_are_never_zero(datatype: str) -> None:
    feed = Feed([parse_input(f"x:{datatype}[batch,999]")])
    feed.spare_zero({"x"})
    assert feed.rows(3)["x"].min() > 0
    with pytest.raises(UnsuitedError):
        feed.settle(lambda inputs: 1 / 0)
    assert feed.rows(3)["x"].min() > 0


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
    with pytest.raises(UnsuitedError, match=r"x \[2, 15\] \(ValueError: mat1.*--example"):
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
        ({"x": np.zeros((2, 4), np.complex64)}, "complex64, which the protocol does not have"),
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
        ("pickled.npz", "not an .npz file of plain arrays"),
        ("noise.npz", "not an .npz file of plain arrays"),
        ("none.npz", "does not exist"),
    ]:
        with pytest.raises(CreateError, match=reason):
            read_example(tmp_path / name)
