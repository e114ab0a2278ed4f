"""Models that are not in a repository: the links to them, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from model_files import keras, torchscript
from test_create import linear

from lepton.create import CreateError
from lepton.hints import did_you_mean
from lepton.model_files import LinkedModel, linked_model, replace_files
from lepton.serve_command import _places


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def linked(path: str) -> LinkedModel:
    found = linked_model(Path(path))
    assert found is not None
    return found


def version_of(model: LinkedModel) -> dict[str, Path]:
    folder = model.repository / model.name / "1"
    return {
        str(link.relative_to(folder)): link.resolve()
        for link in folder.rglob("*")
        if link.is_file()
    }


def test_a_file_becomes_version_1_of_a_model_called_after_it(home: Path) -> None:
    linear(home / "resnet.onnx")
    model = linked("resnet.onnx")
    assert model.name == "resnet"
    assert version_of(model) == {"model.onnx": home / "resnet.onnx"}
    # The same file is the same repository, so that what is known of it is found again.
    assert linked("./resnet.onnx") == model


def test_what_belongs_to_a_file_comes_with_it_and_goes_with_it(home: Path) -> None:
    (home / "net.xml").write_text("<net/>")
    (home / "net.bin").write_bytes(b"1")
    assert version_of(linked("net.xml")) == {
        "model.xml": home / "net.xml",
        "model.bin": home / "net.bin",
    }
    (home / "net.bin").unlink()
    assert version_of(linked("net.xml")) == {"model.xml": home / "net.xml"}


def test_a_saved_model_is_a_model_though_it_is_a_folder(home: Path) -> None:
    (home / "mixer/variables").mkdir(parents=True)
    (home / "mixer/saved_model.pb").write_bytes(b"1")
    (home / "mixer/variables/variables.index").write_bytes(b"1")
    model = linked("mixer")
    assert model.name == "mixer"
    assert set(version_of(model)) == {
        "model.savedmodel/saved_model.pb",
        "model.savedmodel/variables/variables.index",
    }


@pytest.mark.parametrize("path", ["service/digits/2/model.onnx", "digits/model.onnx"])
def test_a_file_whose_name_tells_nothing_is_called_after_its_model(home: Path, path: str) -> None:
    (home / path).parent.mkdir(parents=True)
    linear(home / path)
    assert linked(path).name == "digits"


def test_a_repository_is_left_as_it_is(home: Path) -> None:
    (home / "service/digits/1").mkdir(parents=True)
    linear(home / "service/digits/1/model.onnx")
    linear(home / "service/stray.onnx")
    assert linked_model(home / "service") is None
    assert linked_model(home / "service/digits") is None
    (home / "empty").mkdir()
    assert linked_model(home / "empty") is None


def test_a_home_that_cannot_be_written_is_no_obstacle(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("")
    linear(home / "resnet.onnx")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "file"))
    assert version_of(linked("resnet.onnx")) == {"model.onnx": home / "resnet.onnx"}


def test_what_has_to_be_converted_says_how(home: Path) -> None:
    torchscript(home / "net.pt")
    keras(home / "net.keras")
    for name, framework in (("net.pt", "PyTorch"), ("net.keras", "Keras")):
        with pytest.raises(CreateError, match=f"{framework}.*convert it.*lepton create {name}$"):
            linked_model(Path(name))


def test_a_folder_of_loose_files_says_which_to_name(home: Path) -> None:
    (home / "models/notes").mkdir(parents=True)
    linear(home / "models/resnet.onnx")
    with pytest.raises(CreateError, match=r"name the file: models/resnet\.onnx$"):
        linked_model(Path("models"))


def test_a_misspelt_file_has_a_hint(home: Path) -> None:
    linear(home / "resnet.onnx")
    with pytest.raises(CreateError, match=r'does not exist; did you mean "resnet\.onnx"\?$'):
        linked_model(Path("resent.onnx"))


def test_two_files_of_one_name_are_refused_before_anything_is_said(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("a", "b"):
        (home / folder).mkdir()
        linear(home / folder / "net.onnx")
    with pytest.raises(SystemExit) as ended:
        replace_files(["a/net.onnx", "b/net.onnx"], [0, 1])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert 'would both be model "net"' in said


def test_files_and_folders_may_be_mixed_with_options(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    linear(home / "net.onnx")
    (home / "service/m/1").mkdir(parents=True)
    given = ["--ready-file", "net.onnx", "service", "--port=0", "net.onnx", "--triton-errors"]
    arguments = list(given)
    places = _places(arguments)
    assert places == [2, 4]
    replace_files(arguments, places)
    assert [i for i, text in enumerate(arguments) if text != given[i]] == [4]
    assert capsys.readouterr().err == 'net.onnx is served as version 1 of model "net"\n'


def test_lines_of_json_have_no_line_for_a_person(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    linear(home / "net.onnx")
    replace_files(["net.onnx", "--log-format", "json"], [0])
    assert capsys.readouterr().err == ""


def test_what_follows_two_dashes_is_no_option() -> None:
    assert _places(["a", "--", "--port", "b"]) == [0, 2, 3]


@pytest.mark.parametrize(
    ("word", "hint"),
    [("digts", '; did you mean "digits"?'), ("DIGITS", '; did you mean "digits"?'), ("x", "")],
)
def test_a_hint_is_the_nearest_name(word: str, hint: str) -> None:
    assert did_you_mean(word, ["resnet", "digits"]) == hint
