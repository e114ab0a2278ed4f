"""Inputs as the command line gives them: what becomes of them, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lepton.infer.errors import InputError
from lepton.infer.inputs import prepare
from lepton.infer.pictures import layout_of


def spec(name: str, datatype: str, *shape: int) -> Any:
    return SimpleNamespace(name=name, datatype=datatype, shape=shape)


def one(value: str, datatype: str, *shape: int) -> tuple[np.ndarray, str]:
    prepared = prepare([f"x={value}"], [spec("x", datatype, *shape)])
    return prepared.tensors["x"], prepared.notes["x"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("value", "datatype", "shape", "expected"),
    [
        ("1,2,3", "FP32", (-1, 3), [[1, 2, 3]]),
        ("1 2 3", "FP32", (3,), [1, 2, 3]),
        ("-1.5,nan", "FP64", (-1,), [-1.5, np.nan]),
        ("1,2,3,4", "INT64", (-1, 2), [[1, 2], [3, 4]]),
        ("1,2,3,4", "FP32", (-1, 2, 2), [[[1, 2], [3, 4]]]),
        ("1,2,3", "INT64", (-1, -1), [[1, 2, 3]]),
        ("5", "INT32", (), 5),
        ("0x10", "UINT8", (1,), [16]),
        ("18446744073709551615", "UINT64", (1,), [2**64 - 1]),
        ("true,0", "BOOL", (-1,), [True, False]),
        ("[[1,2],[3,4]]", "FP32", (-1, 2), [[1, 2], [3, 4]]),
        ("[1,2]", "FP32", (-1, 2), [[1, 2]]),
        ("How far, and why?", "BYTES", (-1,), [b"How far, and why?"]),
        ('"quoted"', "BYTES", (-1, 1), [[b"quoted"]]),
        ('["a", "b"]', "BYTES", (-1,), [b"a", b"b"]),
        ("[sic]", "BYTES", (1,), [b"[sic]"]),
        ("", "BYTES", (1,), [b""]),
    ],
)
def test_values_take_the_models_type_and_shape(
    value: str, datatype: str, shape: tuple[int, ...], expected: Any
) -> None:
    tensor, _ = one(value, datatype, *shape)
    wanted = np.array(expected, dtype=tensor.dtype)
    assert tensor.shape == wanted.shape
    assert np.array_equal(tensor, wanted, equal_nan=tensor.dtype.kind == "f")


@pytest.mark.parametrize(
    ("value", "datatype", "shape", "said"),
    [
        ("1,2", "FP32", (-1, 3), "not 2 values"),
        ("1,x", "FP32", (2,), '"x" is no number'),
        ("1.5", "INT32", (1,), '"1.5" is no whole number'),
        ("yes", "BOOL", (1,), "neither true nor false"),
        ("[[1,2],[3]]", "FP32", (-1, -1), "inhomogeneous"),
        ("[1,", "FP32", (1,), "Expecting value"),
        ("[" * 100_000, "FP32", (1,), "recursion"),
        ("[[[1]]]", "FP32", (1,), r"not a shape of \[1, 1, 1\]"),
        ("1,2,3,4", "FP32", (-1, 2, -1), "not 4 values"),
        ("1", "FP32", (-1, 0), "not 1 values"),
        ("@none.npy", "FP32", (1,), "none.npy does not exist"),
        ("@.", "FP32", (1,), "is no file"),
        ("@x.dat", "FP32", (1,), "no kind that can be read: .npy, .npz"),
        ("@bad.npy", "FP32", (1,), "cannot be read as an array"),
        ("@bad.npz", "FP32", (1,), "cannot be read as arrays"),
        ("@bad.png", "FP32", (1, 3, 4, 4), "cannot be read as a picture"),
        ("@objects.npy", "FP32", (1,), "cannot be read as an array"),
        ("@short.npy", "FP32", (-1,), "cannot be read as an array"),
        ("@latin.txt", "BYTES", (1,), "not text in UTF-8"),
        ("@photo.png", "FP32", (-1, 16), "in which a picture has no place"),
        ("@photo.png", "BOOL", (1, 1, 4, 4), "in which a picture has no place"),
        ("@deep.png", "FP32", (1, 1, 4, 4), "more than 8 bits"),
    ],
)
def test_what_does_not_fit_says_why(
    here: Path, value: str, datatype: str, shape: tuple[int, ...], said: str
) -> None:
    for name in ("x.dat", "bad.npy", "bad.npz", "bad.png"):
        (here / name).write_bytes(b"no")
    (here / "latin.txt").write_bytes(b"caf\xe9")
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    # A header that promises more than there is.
    np.save("long.npy", np.zeros(1000))
    (here / "short.npy").write_bytes((here / "long.npy").read_bytes()[:200])
    Image.new("RGB", (4, 4)).save("photo.png")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save("deep.png")
    with pytest.raises(InputError, match=said):
        one(value, datatype, *shape)


def test_arrays_of_files_get_the_batch_axis_and_it_is_said() -> None:
    np.save("x.npy", np.arange(6, dtype=np.float32).reshape(2, 3))
    tensor, note = one("@x.npy", "FP32", -1, 2, 3)
    assert tensor.shape == (1, 2, 3)
    assert note == "x.npy, [2, 3] as [1, 2, 3], with a batch axis"
    assert one("@x.npy", "FP32", -1, 3)[0].shape == (2, 3)
    with pytest.raises(InputError, match=r"not a shape of \[2, 3\] \(x\.npy\)$"):
        one("@x.npy", "FP32", 4, 2, 3)


def test_texts_are_one_element_and_numbers_in_texts_are_read(here: Path) -> None:
    (here / "a.txt").write_text("two\nlines\n")
    (here / "n.csv").write_text("1,2\n3,4\n")
    (here / "n.json").write_text(" [[1, 2], [3, 4]]")
    assert one("@a.txt", "BYTES", -1)[0].tolist() == [b"two\nlines"]
    assert one("@n.csv", "FP32", -1, 2)[0].tolist() == [[1, 2], [3, 4]]
    assert one("@n.json", "FP32", 2, 2)[0].tolist() == [[1, 2], [3, 4]]


def test_other_files_are_their_bytes_for_a_model_that_takes_bytes(here: Path) -> None:
    (here / "cat.jpg").write_bytes(b"\xff\xd8")
    tensor, note = one("@cat.jpg", "BYTES", -1, 1)
    assert tensor.tolist() == [[b"\xff\xd8"]]
    assert note.startswith("the bytes of cat.jpg")


def test_an_archive_gives_all_inputs_or_one() -> None:
    specs = [spec("a", "FP32", -1, 2), spec("b", "INT32", -1)]
    np.savez("all.npz", a=np.zeros((1, 2)), b=np.ones(3, np.int32))
    assert set(prepare(["@all.npz"], specs).tensors) == {"a", "b"}
    assert prepare(["a=@all.npz", "b=1"], specs).tensors["a"].shape == (1, 2)
    np.savez("other.npz", c=np.zeros(2), d=np.zeros(2))
    with pytest.raises(InputError, match='has no "b", it has: c, d'):
        prepare(["a=1,2", "b=@other.npz"], specs)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["imgae=1"], 'no input "imgae"; did you mean "image"?'),
        (["zzz=1"], r'no input "zzz"; there are: image FP32 \[1\], mask FP32 \[1\]'),
        (["image=1", "image=2"], 'input "image" is given twice'),
        (["image=1"], r"missing mask FP32 \[1\]; give it as mask=1,2,3"),
        (["@x.npy"], "The model has several: image, mask; write image=@x.npy"),
    ],
)
def test_names_must_be_the_models(given: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        prepare(given, [spec("image", "FP32", 1), spec("mask", "FP32", 1)])


def test_an_only_input_needs_no_name_before_a_file() -> None:
    np.save("x.npy", np.zeros((1, 2)))
    assert set(prepare(["@x.npy"], [spec("x", "FP32", -1, 2)]).tensors) == {"x"}


@pytest.mark.parametrize(
    ("datatype", "shape", "expected", "said"),
    [
        ("FP32", (-1, 3, 4, 6), (1, 3, 4, 6), "as RGB, resized to 6 x 4, values from 0 to 1"),
        ("FP32", (1, 3, -1, -1), (1, 3, 8, 10), "as RGB, values from 0 to 1"),
        ("UINT8", (-1, 4, 6, 3), (1, 4, 6, 3), "as RGB, resized to 6 x 4, values from 0 to 255"),
        ("FP32", (-1, 1, 28, 28), (1, 1, 28, 28), "as grey, resized"),
        ("FP32", (-1, 28, 28), (1, 28, 28), "as grey, resized"),
        ("FP32", (28, 28, 1), (28, 28, 1), "as grey, resized"),
        ("FP32", (28, 28), (28, 28), "as grey, resized"),
        ("INT64", (1, 8, 10, 4), (1, 8, 10, 4), "as RGBA, values from 0 to 255"),
        ("FP16", (-1, -1, -1, -1), (1, 3, 8, 10), "as RGB, values from 0 to 1"),
    ],
)
def test_a_picture_is_laid_out_as_the_shape_says(
    datatype: str, shape: tuple[int, ...], expected: tuple[int, ...], said: str
) -> None:
    Image.new("RGB", (10, 8), (255, 0, 51)).save("photo.png")
    tensor, note = one("@photo.png", datatype, *shape)
    assert tensor.shape == expected
    assert f"photo.png, 10 x 8, {said}" in note
    full = 255 if "255" in said else 1
    if 3 in expected:
        channels = np.moveaxis(tensor, expected.index(3), -1).reshape(-1, 3)
        assert np.allclose(channels, [full, 0, full / 5])


def test_a_picture_stands_upright_and_is_opaque() -> None:
    image = Image.new("RGBA", (2, 4), (0, 0, 0, 0))
    exif = image.getexif()
    exif[0x0112] = 6  # Taken with the camera on its side.
    image.save("turned.png", exif=exif)
    tensor, note = one("@turned.png", "FP32", 1, 3, -1, -1)
    assert tensor.shape == (1, 3, 2, 4)
    assert tensor.min() == 1
    assert "transparent parts white" in note


@pytest.mark.parametrize("shape", [(), (3,), (-1, 100), (2, 3, 4, 4), (1, 5, 7, 9), (1,) * 5])
def test_other_shapes_take_no_picture(shape: tuple[int, ...]) -> None:
    assert layout_of(shape) is None
