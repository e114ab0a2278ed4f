"""Files that hold more than data are refused before any framework reads them."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import model_files
import numpy as np
import pytest

from lepton.create import CreateError, Options, create_service, keras, pytorch_file
from lepton.create.keras_config import code_in as code_in_keras
from lepton.create.pytorch_code import code_in
from lepton.create.pytorch_pickle import classes_of, named_in_archive
from lepton.create.tensorflow_graph import operations_beyond

EXPORTED = {"net/archive_format": b"pt2", "net/models/model.json": b"{}"}
SCRIPT = {"net/constants.pkl": pickle.dumps((), protocol=2)}


class Touch:
    """Its pickle makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.path),))


def evil(protocol: int = 2) -> bytes:
    return pickle.dumps(Touch(Path("ran")), protocol=protocol)


def harmless() -> bytes:
    return pickle.dumps({"a": 1}, protocol=2)


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def tar(member: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("pickle")
        info.size = len(member)
        archive.addfile(info, io.BytesIO(member))
    return file.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


CODE = {
    "the fourth of five pickles": model_files.legacy(evil()),
    "the fifth of five pickles": model_files.legacy(harmless(), evil()),
    "a magic number in another protocol": pickle.dumps(0x1950A86A20F9469CFC6C, protocol=4) + evil(),
    "protocol 0": evil(0),
    "protocol 4": evil(4),
    "a damaged pickle": evil()[:-1] + b"\xff",
    "an opcode that tools refuse": b"\x80\x02S'a\n0cos\nsystem\n.",
    "an extension": b"\x80\x02\x82\x01.",
    "an archive": zipped({"archive/data.pkl": evil()}),
    "a packed archive": zipped({"archive/data.pkl": evil()}, zipfile.ZIP_DEFLATED),
    "an archive in an archive": zipped({"a": zipped({"b/any": evil()})}),
    "a tar archive": tar(evil()),
    "an array of objects": npy(np.array([Touch(Path("ran"))])),
    "native code": b"\x7fELF" + bytes(60),
}


@pytest.mark.parametrize("member", ["net/data/sample_inputs/model.pt", "net/data/weights/w"])
@pytest.mark.parametrize("kind", CODE)
def test_code_anywhere_in_an_exported_program_is_refused(
    tmp_path: Path, kind: str, member: str
) -> None:
    model = model_files.archive(tmp_path / "net.pt2", {**EXPORTED, member: CODE[kind]})
    with pytest.raises(CreateError, match=r"--trust-pickle"):
        create_service(model, tmp_path / "out")
    # With permission it gets as far as the framework, which these tests' environment lacks.
    with pytest.raises(CreateError, match="torch is needed"):
        create_service(model, tmp_path / "out", options=Options(trust_pickle=True))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["x.pt", "x.pth", "x.ckpt", "x.bin"])
@pytest.mark.parametrize("member", ["net/data.pkl", "net/other.pkl", "net/data/0", "net/x", "y"])
def test_code_in_a_member_of_any_name_is_refused(tmp_path: Path, name: str, member: str) -> None:
    members = {"net/data.pkl": harmless(), "net/version": b"3", member: evil()}
    model = model_files.archive(tmp_path / name, members)
    with pytest.raises(CreateError, match=r"names posix\.mkdir: .*--trust-pickle"):
        create_service(model, tmp_path / "out", options=Options(inputs=()))


@pytest.mark.parametrize("place", [3, 4])
def test_each_pickle_of_the_old_format_is_looked_at(tmp_path: Path, place: int) -> None:
    parts = [harmless(), harmless()]
    parts[place - 3] = evil()
    (tmp_path / "x.pth").write_bytes(model_files.legacy(*parts))
    assert classes_of(tmp_path / "x.pth") == ["posix.mkdir"]


def test_tensors_are_no_code(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).standard_normal(10_000).astype(np.float32).tobytes()
    texts = b"class Net(Module):\n  __parameters__ = []\nos\nsystem\n"
    members = {
        "net/data.pkl": harmless(),
        "net/byteorder": b"little",
        "net/version": b"3\n",
        ".data/serialization_id": b"123",
        "net/code/__torch__.py": texts,
        "net/data/weights/model.pt": zipped(
            {"archive/data.pkl": harmless(), "archive/data/0": weights}
        ),
        "net/data/constants/c.npy": npy(np.ones(3)),
        **{f"net/data/{i}": bytes([i]) * 64 + weights for i in range(256)},
    }
    assert named_in_archive(model_files.archive(tmp_path / "x.pt", members)) == []
    (tmp_path / "y.pt").write_bytes(model_files.legacy(harmless()) + weights)
    assert classes_of(tmp_path / "y.pt") == []


def test_archive_that_readers_understand_differently_is_refused(tmp_path: Path) -> None:
    good, bad = zipped({"net/data.pkl": harmless()}), zipped({"net/data.pkl": evil()})
    for name, content in {
        "behind": bad + good,
        "comment": good[:-2] + struct.pack("<H", len(bad)) + bad,
        "more": good + b"x",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CreateError, match="damaged"):
            classes_of(tmp_path / name)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "x", "w") as file:
        for content in (evil(), harmless()):
            file.writestr("net/data.pkl", content)
    with pytest.raises(CreateError, match="two members of one name"):
        classes_of(tmp_path / "x")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("return torch.add(x, CONSTANTS.c0)", []),
        ("return ops.prim.NumToTensor(torch.size(x, 0))", []),
        ('ops.prim.RaiseException("please save the file")', []),
        ("_0 = __torch__.torch.classes.quantized.LinearPackedParamsBase", []),
        ('torch.save(x, "file")', ["aten::save"]),
        ('torch . save(x, "file")', ["aten::save"]),
        ('torch.\\\nsave(x, "file")', ["aten::save"]),
        ('t = torch\n    t.save(x, "file")', ["aten::save"]),
        ('getattr(torch, "save")(x, "file")', ["aten::save"]),
        ('getattr(torch, "\\x73ave")(x, "file")', ["attributes that cannot be read"]),
        ('ops.aten.from_file("file", True, 8)', ["aten::from_file"]),
        ("ops.c10d.send(x)", ["operators of c10d"]),
        ("o = ops\n    o.c10d.send(x)", ["operators of any kind"]),
        ("_0 = __torch__.torch.classes.dist_rpc.WorkerInfo", ["classes of dist_rpc"]),
    ],
)
def test_script_may_compute_and_nothing_else(tmp_path: Path, line: str, named: list[str]) -> None:
    source = f"class Net(Module):\n  def forward(self, x: Tensor) -> Tensor:\n    {line}\n"
    members = {**SCRIPT, "net/data.pkl": harmless(), "net/code/__torch__/net.py": source.encode()}
    model = model_files.archive(tmp_path / "net.pt", members)
    assert code_in(model, "TorchScript") == named
    options = Options(inputs=())
    with pytest.raises(CreateError, match="has a script that" if named else "torch is needed"):
        create_service(model, tmp_path / "out", options=options)


@pytest.mark.parametrize(
    ("held", "harmless"),
    [
        ({"target": "torch.ops.aten.add.Tensor", "inputs": []}, True),
        ({"target": "_operator.mul", "inputs": []}, True),
        ({"target": "torch.sym_max", "inputs": []}, True),
        ({"target": "layer.weight"}, True),
        ({"target": "torch.os.system", "inputs": []}, False),
        ({"target": "torch.hub.load", "inputs": []}, False),
        ({"target": "_operator.attrgetter", "inputs": []}, False),
        ({"target": "torch.ops.aten.from_file.default", "inputs": []}, False),
        ({"target": "torch.ops.load_library", "inputs": []}, False),
        ({"expr_str": "Max(1, s0 + 2*s1) // 3"}, True),
        ({"expr_str": "Symbol('s77', positive=True, integer=True)"}, True),
        ({"expr_str": "__import__('os').system('id')"}, False),
        ({"expr_str": "eval(chr(49))"}, False),
        ({"expr_str": "().__class__"}, False),
        ({"guards_code": ["L['x'].size()[0] >= 2"]}, True),
        ({"guards_code": ["exec('1')"]}, False),
        ({"in_spec": '{"default_factory_module": "os", "default_factory_name": "getcwd"}'}, False),
    ],
)
def test_program_may_compute_and_nothing_else(tmp_path: Path, held: object, harmless: bool) -> None:
    members = {**EXPORTED, "net/models/model.json": json.dumps({"nodes": [held]}).encode()}
    model = model_files.archive(tmp_path / "net.pt2", members)
    assert (code_in(model, "PyTorch exported program") == []) is harmless


NODE = model_files.node
SAVER = "__inference__traced_save_12"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"nodes": [NODE("x", "Placeholder"), NODE("y", "AddV2", "x", "x")]}, []),
        ({"nodes": [], "functions": {"__inference_f_1": [NODE("w", "WriteFile")]}}, ["WriteFile"]),
        ({"nodes": [NODE("p", "PyFunc")]}, ["PyFunc"]),
        ({"nodes": [NODE("p", "NeverHeardOf")]}, ["NeverHeardOf"]),
        ({"nodes": [NODE("p", "__inference_f_1")], "functions": {"__inference_f_1": []}}, []),
        ({"nodes": [], "functions": {SAVER: [NODE("s", "SaveV2")]}}, []),
        (
            {"nodes": [], "functions": {SAVER: [NODE("s", "SaveV2")]}, "objects": f"..{SAVER}.."},
            ["SaveV2"],
        ),
        (
            {
                "nodes": [],
                "functions": {
                    SAVER: [NODE("s", "SaveV2")],
                    "__inference_f_1": [NODE("c", "PartitionedCall", calls=SAVER)],
                },
            },
            ["SaveV2"],
        ),
        ({"nodes": [], "functions": {"__inference_f_1": [NODE("s", "SaveV2")]}}, ["SaveV2"]),
        ({"nodes": [NODE("save/s", "SaveV2")], "objects": None}, []),
        (
            {
                "nodes": [NODE("save/s", "SaveV2"), NODE("y", "Identity", "^save/s")],
                "objects": None,
                "signatures": "y",
            },
            ["SaveV2"],
        ),
        (
            {
                "nodes": [NODE("save/s", "SaveV2"), NODE("all", "NoOp", "^save/s")],
                "objects": None,
                "restore": "all",
            },
            ["SaveV2"],
        ),
        (
            {
                "nodes": [NODE("save/r", "RestoreV2"), NODE("all", "NoOp", "^save/r")],
                "objects": None,
                "restore": "all",
            },
            [],
        ),
    ],
)
def test_saved_model_may_compute_and_nothing_else(
    tmp_path: Path, arguments: dict, named: list[str]
) -> None:
    assert operations_beyond(model_files.saved_model(tmp_path / "m", **arguments)) == named


def test_files_of_tensorflow_that_cannot_be_looked_at_are_named(tmp_path: Path) -> None:
    (tmp_path / "g.pb").write_bytes(model_files.field(1, NODE("w", "WriteFile")))
    assert operations_beyond(tmp_path / "g.pb") == ["WriteFile"]
    (tmp_path / "cut.pb").write_bytes(model_files.field(1, NODE("x", "Placeholder"))[:-1])
    assert operations_beyond(tmp_path / "cut.pb") == ["what cannot be read"]
    (tmp_path / "m.tflite").write_bytes(b"\x18\0\0\0TFL3..FlexWriteFile\0")
    assert operations_beyond(tmp_path / "m.tflite") == ["FlexWriteFile"]
    folder = model_files.saved_model(tmp_path / "m", [])
    (folder / "saved_model.cpb").write_bytes(b"")
    assert operations_beyond(folder) == ["saved_model.cpb"]


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        ({"module": "keras.layers", "class_name": "Dense", "config": {"activation": "relu"}}, []),
        ({"module": "keras.src.models.functional", "class_name": "Functional"}, []),
        ({"module": "keras", "class_name": "DTypePolicy"}, []),
        ({"module": "builtins", "class_name": "function", "config": "relu"}, []),
        ({"module": "keras.layers", "class_name": "Lambda"}, ["a Lambda layer"]),
        ({"class_name": "\\u004cambda"}, ["a Lambda layer"]),
        ({"class_name": "TFOpLambda"}, ["a TFOpLambda layer"]),
        ({"class_name": "__lambda__", "config": {"value": "4wEA"}}, ["a Lambda layer"]),
        ({"module": "os", "class_name": "function", "config": "system"}, ["os.system"]),
        ({"module": "builtins", "class_name": "function", "config": "exec"}, ["builtins.exec"]),
        ({"module": "keras.utils", "class_name": "get_file"}, ["keras.utils.get_file"]),
        ({"module": "keras.config", "class_name": "X"}, ["keras.config.X"]),
        ({"module": "subprocess", "class_name": "Popen"}, ["subprocess.Popen"]),
    ],
)
def test_keras_model_may_be_of_the_parts_of_keras(
    tmp_path: Path, layer: dict, named: list[str]
) -> None:
    text = json.dumps({"config": {"layers": [{"wrapped": layer}]}}).replace("\\\\u", "\\u")
    members = {"config.json": text.encode(), "metadata.json": b"{}", "model.weights.h5": b""}
    model = model_files.archive(tmp_path / "net.keras", members)
    assert code_in_keras(model) == named
    with pytest.raises(CreateError, match=r"Python code \(" if named else "tensorflow is needed"):
        create_service(model, tmp_path / "out")


def test_pickle_in_a_keras_archive_is_found(tmp_path: Path) -> None:
    members = {"config.json": b"{}", "model.weights.h5": b"", "assets/vocabulary": b"I am text\n"}
    assert code_in_keras(model_files.archive(tmp_path / "a.keras", members)) == []
    members["assets/pickled"] = evil()
    assert code_in_keras(model_files.archive(tmp_path / "b.keras", members)) == ["posix.mkdir"]


@pytest.mark.parametrize("name", ["m.pkl", "m.joblib", "m.pt", "m.npy"])
def test_file_of_no_known_format_is_refused_whatever_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(evil())
    with pytest.raises(CreateError, match=r"extension|content is not of"):
        create_service(tmp_path / name, tmp_path / "out", options=Options(trust_pickle=True))


def damaged(how: str) -> bytes:
    """An archive with one fault that zipfile notices late or calls by another name."""
    data = bytearray(
        zipped({"net/data.pkl": harmless() * 50, "config.json": b"{}"}, zipfile.ZIP_DEFLATED)
    )
    listed = data.index(b"PK\x01\x02")
    match how:
        case "version":
            data[listed + 6] = 188
        case "method":
            data[listed + 10] = data[8] = 77
        case "password":
            data[listed + 8] |= 1
            data[6] |= 1
        case "stream":
            data[30 + len("net/data.pkl")] ^= 0xFF
        case "place":
            data[listed + 42 : listed + 46] = b"\xff\xff\xff\x7f"
    return bytes(data)


@pytest.mark.parametrize("how", ["version", "method", "password", "stream", "place"])
def test_damaged_archive_is_no_exception(how: str, tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    file.write_bytes(damaged(how))
    with pytest.raises(CreateError, match="damaged"):
        classes_of(file)
    for kind in (pytorch_file.TORCHSCRIPT, pytorch_file.EXPORTED):
        with pytest.raises(CreateError, match="damaged"):
            code_in(file, kind.name)
    assert keras.detect(file) is None
