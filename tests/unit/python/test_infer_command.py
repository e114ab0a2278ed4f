"""`lepton infer`: which words mean what, and how an answer looks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lepton.console import out
from lepton.infer.answer import show_output, write_outputs
from lepton.infer.command import parse_words
from lepton.infer.errors import InputError
from lepton.infer.labels import labels_in
from lepton.times import parse_time

URL = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEPTON_URL", raising=False)
    (tmp_path / "service/m/1").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "url", "where", "model", "inputs"),
    [
        (["m", "x=1"], None, URL, "m", ["x=1"]),
        (["x=1"], None, URL, None, ["x=1"]),
        (["@a.npy"], None, URL, None, ["@a.npy"]),
        (["m", "text=a = b"], "host:1", "http://host:1", "m", ["text=a = b"]),
        (["grpc://h:1", "m", "x=1"], None, "grpc://h:1", "m", ["x=1"]),
        (["h:1", "m"], None, "http://h:1", "m", []),
        (["unix:/run/l", "m"], None, "unix:/run/l", "m", []),
        (["service", "m", "x=1"], None, "service", "m", ["x=1"]),
        (["service/", "x=1"], None, "service", None, ["x=1"]),
        (["m", "x=1"], "service", "service", "m", ["x=1"]),
        # With --url, a word alone is the model, whatever lies here.
        (["service", "x=1"], URL, URL, "service", ["x=1"]),
    ],
)
def test_words_say_where_which_and_what(
    words: list[str], url: str | None, where: str, model: str | None, inputs: list[str]
) -> None:
    place, named, given = parse_words(words, url)
    assert (place.url or str(place.folder), named, given) == (where, model, inputs)


@pytest.mark.parametrize(
    ("words", "url", "said"),
    [
        (["service", "m", "n"], None, 'what is "n"'),
        (["h:1", "m"], URL, "both say where"),
        (["modle.onnx", "m"], None, "does not exist"),
        (["a/b.onnx"], None, "does not exist"),
        (["m", "1,2,3"], None, "write NAME=1,2,3"),
        (["m", "x.npy"], None, "write NAME=@x.npy"),
    ],
)
def test_words_that_are_too_many_or_wrong_are_refused(
    words: list[str], url: str | None, said: str
) -> None:
    Path("x.npy").write_bytes(b"")
    with pytest.raises(InputError, match=said):
        parse_words(words, url)


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    show_output(*arguments)  # type: ignore[arg-type]
    return capsys.readouterr().out


def test_probabilities_are_shown_by_class(capsys: pytest.CaptureFixture[str]) -> None:
    array = np.array([[0.1, 0.7, 0.2]], np.float32)
    text = shown(capsys, "y", "FP32", array, None, 2)
    assert text.split("\n")[2].split()[:3] == ["class", "1", "70.0%"]
    assert "class 0" not in text
    assert "tea" in shown(capsys, "y", "FP32", array, ["milk", "tea", "water"], 1)


def test_scores_are_shown_by_class_where_the_name_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    array = np.array([[-3.0, 9.5]], np.float32)
    assert "class 1  9.5" in shown(capsys, "logits", "FP32", array, None, 5)
    assert "[[-3.   9.5]]" in shown(capsys, "embedding", "FP32", array, None, 5)


def test_large_outputs_are_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "y", "FP32", np.zeros((9, 9, 9, 9)), None, 5)
    assert len(text.splitlines()) <= 16
    assert "--output keeps all" in text
    rows = shown(capsys, "y", "FP32", np.full((9, 2), 0.5), None, 5)
    assert "and 5 more rows" in rows
    texts = np.array([b"x" * 1000, b"\xff"], dtype=object)
    assert max(map(len, shown(capsys, "y", "BYTES", texts, None, 5).splitlines())) <= out.width


def test_an_archive_takes_every_name_and_text(here: Path) -> None:
    outputs = {"file": np.ones(2), "a/b": np.array([b"x", b"yz"], dtype=object)}
    write_outputs(here / "o.npz", outputs)
    with np.load(here / "o.npz") as read:
        assert read["file"].tolist() == [1, 1]
        assert read["a/b"].tolist() == [b"x", b"yz"]


def test_labels_lie_in_the_models_folder(here: Path) -> None:
    folder = here / "service/m"
    assert labels_in(folder) is None
    (folder / "labels.txt").write_text("a\nb\n")
    assert labels_in(folder) == ["a", "b"]
    (folder / "config.pbtxt").write_text('output { name: "y" label_filename: "names.txt" }')
    (folder / "names.txt").write_text("c")
    assert labels_in(folder) == ["c"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("500us", 5e-4), ("5ms", 5e-3), ("1.5s", 1.5), ("5 µs", 5e-6)]
)
def test_times_have_units(text: str, seconds: float) -> None:
    assert parse_time("--timeout", text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "has no unit; write 5us, 5ms or 5s"),
        ("5m", 'unknown unit "m"'),
        ("x", "is no time"),
        ("1e", "is no time"),
        ("-1s", "is no time"),
        ("0s", "above 0"),
        ("1e30s", "at most a year"),
        ("1e999s", "at most a year"),
    ],
)
def test_what_is_no_time_says_why(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_time("--timeout", text)
