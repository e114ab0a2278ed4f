"""What a file is recognized as, and what is wrong with it, before any framework is loaded."""

from __future__ import annotations

import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import model_files
import pytest

from lepton.create import CreateError, Options, create_service
from lepton.create.pytorch_pickle import classes_of
from lepton.create.source import find_source


class Touch:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (model_files.torchscript, "TorchScript"),
        (model_files.exported, "PyTorch exported program"),
        (lambda path: model_files.pickled(path, OrderedDict(a=1)), "PyTorch state dict"),
        (lambda path: model_files.pickled(path, Touch(path)), "pickled PyTorch module"),
    ],
)
def test_file_of_pytorch_is_told_by_its_content(tmp_path: Path, make, kind: str) -> None:
    assert find_source(make(tmp_path / "net.pt")).format.name == kind


def test_legacy_file_of_pytorch_is_told_by_its_content(tmp_path: Path) -> None:
    parts: list[object] = [0x1950A86A20F9469CFC6C, 1001, {}, OrderedDict(), []]
    (tmp_path / "net.pt").write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    assert find_source(tmp_path / "net.pt").format.name == "PyTorch state dict"


def test_name_without_meaning_does_not_matter_where_the_content_is_known(tmp_path: Path) -> None:
    assert find_source(model_files.keras(tmp_path / "net.model")).format.name == "Keras"


@pytest.mark.parametrize(
    ("make", "file", "remedy"),
    [
        (model_files.torchscript, "net.onnx", r"holds TorchScript: rename it to net\.pt"),
        (model_files.keras, "net.pth", r"holds Keras: rename it to net\.keras"),
        (model_files.exported, "net.keras", r"exported program: rename it to net\.pt2"),
        (model_files.safetensors, "net.pt", r"safetensors: rename it to net\.safetensors"),
    ],
)
def test_file_that_is_not_what_its_name_says_is_to_be_renamed(
    tmp_path: Path, make, file: str, remedy: str
) -> None:
    with pytest.raises(CreateError, match=remedy):
        find_source(make(tmp_path / file))


def test_archive_that_is_cut_short_is_to_be_got_again(tmp_path: Path) -> None:
    model = model_files.torchscript(tmp_path / "net.pt")
    model.write_bytes(model.read_bytes()[:-40])
    with pytest.raises(CreateError, match=r"net\.pt is cut short .* get it again"):
        find_source(model)


def test_safetensors_that_are_cut_short_say_by_how_much(tmp_path: Path) -> None:
    with pytest.raises(CreateError, match=r"is cut short: \d+ bytes of \d+"):
        find_source(model_files.safetensors(tmp_path / "net.safetensors", size=4))


def test_pickle_is_not_run_without_leave(tmp_path: Path) -> None:
    model = model_files.pickled(tmp_path / "net.pt", Touch(tmp_path / "ran"))
    with pytest.raises(CreateError, match=r"pickle that names posix\.mkdir: .*--trust-pickle"):
        create_service(model, tmp_path / "out")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "member",
    [
        "net/data/sample_inputs/model.pt",
        "net/data/weights/weight_0",
        "net/data/constants/opaque_obj_0",
        "net/data/constants/custom_obj_0",
        "net/data/weights/model.pt",
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_pickle_inside_an_exported_program_is_not_run_without_leave(
    tmp_path: Path, member: str, nested: bool
) -> None:
    config = {"config": {"w": {"path_name": "weight_0", "use_pickle": True}}}
    inner = pickle.dumps(Touch(tmp_path / "ran"), protocol=2)
    if nested:
        inner = model_files.pickled(tmp_path / "inner", Touch(tmp_path / "ran")).read_bytes()
    members = {
        "net/archive_format": b"pt2",
        "net/models/model.json": b"{}",
        "net/data/weights/model_weights_config.json": json.dumps(config).encode(),
        member: inner,
    }
    model = model_files.archive(tmp_path / "net.pt2", members)
    with pytest.raises(CreateError, match=r"pickle that names posix\.mkdir: .*--trust-pickle"):
        create_service(model, tmp_path / "out")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("module", "name", "harmless"),
    [
        ("torch._utils", "_rebuild_tensor_v2", True),
        ("torch", "FloatStorage", True),
        ("torch", "float8_e4m3fn", True),
        ("collections", "OrderedDict", True),
        ("torch", "load", False),
        ("torch.storage", "_load_from_bytes", False),
        ("torch.hub", "load", False),
        ("builtins", "eval", False),
    ],
)
def test_only_what_rebuilds_tensors_is_harmless(
    tmp_path: Path, module: str, name: str, harmless: bool
) -> None:
    stream = f"\x80\x02c{module}\n{name}\n.".encode("latin-1")
    path = model_files.archive(tmp_path / "net.pt", {"net/data.pkl": stream})
    assert classes_of(path) == ([] if harmless else [f"{module}.{name}"])


def test_names_that_a_pickle_takes_from_its_memo_are_not_trusted(tmp_path: Path) -> None:
    # Names builtins.eval through the memo, and torch.Tensor last.
    texts = [b"builtins", b"eval", b"torch", b"Tensor"]
    pushed = b"".join(b"\x8c" + bytes([len(text)]) + text + b"\x94" for text in texts)
    stream = b"\x80\x04" + pushed + b"h\x00h\x01\x93."
    path = model_files.archive(tmp_path / "net.pt", {"net/data.pkl": stream})
    assert classes_of(path) == ["torch.Tensor or another"]


def test_weights_alone_ask_for_their_module(tmp_path: Path) -> None:
    for model in (
        model_files.pickled(tmp_path / "net.pt", OrderedDict(a=1)),
        model_files.safetensors(tmp_path / "net.safetensors"),
    ):
        with pytest.raises(CreateError, match=r"add --module package\.module:Class"):
            create_service(model, tmp_path / "out")


# These tests' environment has none of the frameworks.
@pytest.mark.parametrize(
    ("make", "file", "remedy"),
    [
        (
            model_files.torchscript,
            "net.pt",
            r"torch is needed to read net\.pt.*'lepton-serving\[torch\]'",
        ),
        (model_files.keras, "net.keras", r"tensorflow is needed .*'lepton-serving\[tensorflow\]'"),
    ],
)
def test_missing_framework_names_the_extra(tmp_path: Path, make, file: str, remedy: str) -> None:
    with pytest.raises(CreateError, match=remedy):
        create_service(make(tmp_path / file), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (Options(module="a:B"), "--module"),
        (Options(module_args={"a": 1}), "--module-args"),
    ],
)
def test_option_that_would_have_no_effect_is_refused(
    tmp_path: Path, options: Options, named: str
) -> None:
    with pytest.raises(CreateError, match=rf"{named} is for PyTorch's files, .* is Keras"):
        find_source(model_files.keras(tmp_path / "net.keras"), options)


def test_arguments_without_their_module_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CreateError, match="--module, which is missing"):
        find_source(
            model_files.safetensors(tmp_path / "net.safetensors"), Options(module_args={"a": 1})
        )
