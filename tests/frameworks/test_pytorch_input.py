"""Faults in a PyTorch model, or in the options about it, are told in one line each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nets
import numpy as np
import pytest
import torch
from torch import nn

from lepton.create import CreateError, Options, parse_input, pytorch
from lepton.create.framework import Job
from lepton.create.source import find_source

IMAGE = "image:f32[batch,3,32,32]"
CREATE = (sys.executable, "-m", "lepton", "create")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    net = nets.made(nets.Cnn)
    torch.jit.script(net).save(folder / "script.pt")
    torch.save(net.state_dict(), folder / "weights.pt")
    torch.save(net.state_dict(), folder / "legacy.pt", _use_new_zipfile_serialization=False)
    parallel = {f"module.{name}": value for name, value in net.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": parallel}, folder / "checkpoint.pt")
    torch.save({"model_state": net.state_dict(), "step": 7}, folder / "state.pt")
    lightning = {f"model.net.{name}": value for name, value in net.state_dict().items()}
    torch.save({"state_dict": lightning, "hparams": {"lr": 0.1}}, folder / "lightning.pt")
    other = nets.made(nets.Tokens).state_dict()
    gan = {"discriminator": other, "generator": net.state_dict()}
    torch.save({"nets": gan, "optimizer": {"state": {}}}, folder / "gan.pt")
    torch.save(nets.made(nets.Versioned).state_dict(), folder / "versioned.pt")
    wrapped = nn.ModuleDict({"module": nets.made(nets.Versioned)})
    torch.save({"state_dict": wrapped.state_dict()}, folder / "wrapped.pt")
    tied = nets.made(nets.Tied).state_dict()
    torch.save({"embed.weight": tied["embed.weight"]}, folder / "tied.pt")
    torch.save(net, folder / "module.pt")
    torch.save(nets.Branch(), folder / "branch.pt")
    torch.save([1, 2], folder / "list.pt")
    torch.jit.script(nets.Odd()).save(folder / "odd.pt")
    program = torch.export.export(net, (torch.zeros(2, 3, 32, 32),))
    torch.export.save(program, folder / "fixed.pt2")
    damaged = bytearray((folder / "weights.pt").read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 64] = bytes(64)
    (folder / "damaged.pt").write_bytes(damaged)
    np.savez(folder / "double.npz", image=np.zeros((2, 3, 32, 32)))
    np.savez(folder / "other.npz", picture=np.zeros((2, 3, 32, 32), np.float32))
    return folder


@pytest.mark.parametrize(
    ("file", "inputs", "options", "reason"),
    [
        ("script.pt", (), {}, r"forward takes image\): add each as --input .*f32\[batch,3,224"),
        ("script.pt", ("x:f32[1]", "y:f32[1]"), {}, r"given 2 inputs \(x, y\): .* takes image"),
        ("script.pt", (IMAGE,), {"module": "nets:Cnn"}, "whole without --module: leave it out"),
        ("fixed.pt2", (IMAGE,), {}, r"image:f32\[2,3,32,32\]\): leave out --input"),
        ("module.pt", (IMAGE,), {}, r"a pickle that names nets\.Cnn.* --trust-pickle"),
        ("weights.pt", (IMAGE,), {"module": "nets"}, "not of the form"),
        ("weights.pt", (IMAGE,), {"module": "none:Cnn"}, r"does not import .*PYTHONPATH"),
        ("weights.pt", (IMAGE,), {"module": "nets:None_"}, 'nets has no "None_"'),
        ("weights.pt", (IMAGE,), {"module": "nets:Broken"}, "no such width"),
        ("weights.pt", (IMAGE,), {"module": "nets:made"}, "cannot be made"),
        ("weights.pt", (IMAGE,), {"module": "nets:torch.device", "module_args": {"type": "cpu"}},
         "not a torch module"),
        ("weights.pt", (IMAGE,), {"module": "nets:Tokens"},
         r"lacks table\.weight .*features\.0\.weight is unknown there"),
        ("weights.pt", (IMAGE,), {"module": "nets:Cnn", "module_args": {"width": 4}},
         r"features\.0\.weight is \[8, 3, 3, 3\], expected \[4, 3, 3, 3\]"),
        ("list.pt", (IMAGE,), {"module": "nets:Cnn"}, "holds a list, expected a module or a dict"),
        ("damaged.pt", (IMAGE,), {"module": "nets:Cnn"}, r"is damaged \(wrong checksum of .*data/"),
        ("branch.pt", ("x:f32[2]", "y:f32[2]"), {"trust_pickle": True}, 'input "y" is unknown'),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_said_on_one_line(
    files: Path, file: str, inputs: tuple, options: dict, reason: str
) -> None:
    given = Options(inputs=tuple(map(parse_input, inputs)), **options)
    kind = find_source(files / file, given).format.name
    with pytest.raises(CreateError, match=reason) as raised:
        pytorch.load(Job(files / file, kind, given, files))
    assert "\n" not in str(raised.value)


FILES = ("weights.pt", "legacy.pt", "checkpoint.pt", "state.pt", "lightning.pt", "gan.pt")


@pytest.mark.parametrize("file", FILES)
def test_weights_are_found_wherever_training_has_put_them(files: Path, file: str) -> None:
    given = Options(inputs=(parse_input(IMAGE),), module="nets:Cnn")
    original = pytorch.load(Job(files / file, "PyTorch state dict", given, files))
    image = np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32)
    with torch.no_grad():
        expected = nets.made(nets.Cnn)(torch.from_numpy(image)).numpy()
    np.testing.assert_array_equal(original.run({"image": image})["output"], expected)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("versioned.pt", nets.Versioned),
        ("wrapped.pt", nets.Versioned),
        ("tied.pt", nets.Tied),
    ],
)
def test_module_reads_its_weights_as_torch_has_it_read_them(
    files: Path, file: str, kind: type[nn.Module]
) -> None:
    given = Options(inputs=(parse_input("x:f32[batch,4]"),), module=f"nets:{kind.__name__}")
    original = pytorch.load(Job(files / file, "PyTorch state dict", given, files))
    rows = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)
    with torch.no_grad():
        expected = nets.made(kind)(torch.from_numpy(rows)).numpy()
    np.testing.assert_array_equal(original.run({"x": rows})["output"], expected)


@pytest.mark.parametrize(
    ("file", "inputs", "options", "reason"),
    [
        ("script.pt", ("image:f32[batch,4,32,32]",), {}, r"does not run in torch .*4 channels"),
        ("script.pt", ("image:i64[batch,3,32,32]",), {}, "does not run in torch"),
        ("weights.pt", (IMAGE,), {"module": "none:Cnn"}, "does not import"),
        ("odd.pt", ("x:f32[batch,4]",), {}, r"no conversion for the operators aten::special_airy"),
        ("branch.pt", ("x:f32[batch,4]",), {"trust_pickle": True},
         r'answers differently in OpenVINO than in torch .*"output" differs by 0\.3'),
        ("script.pt", (IMAGE,), {"tolerance": 0.0}, r"differs by \S+e-0[67] .*--allow-mismatch"),
        ("script.pt", (IMAGE,), {"example": "double.npz"}, r"astype\(np\.float32\)"),
        ("script.pt", (IMAGE,), {"example": "other.npz"}, r'has arrays "picture"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_stays(
    create, files: Path, tmp_path: Path, file: str, inputs: tuple, options: dict, reason: str
) -> None:
    if "example" in options:
        options = {**options, "example": files / options["example"]}
    with pytest.raises(CreateError, match=reason) as raised:
        create(files / file, *inputs, **options)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "service").exists()


def test_mismatch_may_be_allowed(create, files: Path) -> None:
    service = create(files / "script.pt", IMAGE, tolerance=0.0, allow_mismatch=True)
    check = service.facts["check"]
    assert not check["passed"]
    assert not check["outputs"][0]["passed"]
    assert service.facts["options"]["allow_mismatch"] is True


def test_interrupt_in_mid_conversion_leaves_no_file_and_no_process(
    files: Path, tmp_path: Path
) -> None:
    script = ("--model_path", files / "script.pt", "--input", IMAGE)
    process = subprocess.Popen(
        [*CREATE, "--output_path", tmp_path / "out", *script],
        stderr=subprocess.PIPE,
        text=True,
    )
    give_up = time.monotonic() + 30
    while not (worker := child_of(process.pid)) or "libtorch" not in maps_of(worker):
        assert process.poll() is None
        assert time.monotonic() < give_up
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "lepton create: interrupted, nothing was written\n"
    assert not (tmp_path / "out").exists()
    assert not maps_of(worker)


def maps_of(process: int) -> str:
    """Returns what a process has loaded; nothing once it has ended."""
    try:
        return Path(f"/proc/{process}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def child_of(parent: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return int(children[0]) if children else 0


def test_command_creates_from_torch(files: Path, tmp_path: Path) -> None:
    given = f"--model_path {files}/weights.pt --module nets:Cnn --module-args width=8 --name cnn"
    given += f" --input {IMAGE} --json"
    done = subprocess.run(
        [*CREATE, "--output_path", tmp_path / "out", *given.split()],
        cwd=Path(nets.__file__).parent,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    made = json.loads(done.stdout)
    assert made["name"] == "cnn"
    assert made["facts"]["options"] == {
        "input": [IMAGE],
        "module": "nets:Cnn",
        "module_args": {"width": 8},
    }
    assert made["facts"]["versions"]["torch"] == torch.__version__.partition("+")[0]
