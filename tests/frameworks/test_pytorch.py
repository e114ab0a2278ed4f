"""PyTorch files, each from torch to an answer over the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nets
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

IMAGE = "image:f32[batch,3,32,32]"
DYNAMIC = torch.export.Dim.DYNAMIC


def images(rows: int) -> np.ndarray:
    return np.random.default_rng(rows).standard_normal((rows, 3, 32, 32)).astype(np.float32)


def export(net: torch.nn.Module, path: Path) -> None:
    shapes = {"image": {0: DYNAMIC}}
    program = torch.export.export(net, (torch.zeros(2, 3, 32, 32),), dynamic_shapes=shapes)
    torch.export.save(program, path)


Write = Callable[[torch.nn.Module, Path], object]
KINDS: dict[str, tuple[str, Write, dict[str, object]]] = {
    "TorchScript": ("net.pt", lambda net, path: torch.jit.script(net).save(path), {}),
    "TorchScript, traced": (
        "net.pth",
        lambda net, path: torch.jit.trace(net, torch.zeros(1, 3, 32, 32)).save(path),
        {},
    ),
    "PyTorch exported program": ("net.pt2", export, {}),
    "pickled PyTorch module": ("net.pt", torch.save, {"trust_pickle": True}),
    "PyTorch state dict": (
        "net.pth",
        lambda net, path: torch.save(net.state_dict(), path),
        {"module": "nets:Cnn", "module_args": {"width": 8}},
    ),
    "safetensors": (
        "net.safetensors",
        lambda net, path: save_file(net.state_dict(), path),
        {"module": "nets:Cnn"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_served_answers_are_those_of_torch(create, ask, tmp_path: Path, kind: str) -> None:
    file, write, options = KINDS[kind]
    net = nets.made(nets.Cnn)
    write(net, tmp_path / file)
    inputs = () if file.endswith(".pt2") else (IMAGE,)
    service = create(tmp_path / file, *inputs, **options)
    facts = service.facts
    assert facts["format"] == kind.partition(",")[0]
    assert facts["signature"] == {
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 3, 32, 32]}],
        "outputs": [{"name": "output", "datatype": "FP32", "shape": [-1, 5]}],
    }
    assert facts["batches"] is True
    assert facts["check"]["against"] == f"torch {torch.__version__.partition('+')[0]}"
    assert facts["check"]["passed"]
    assert facts["check"]["outputs"][0]["top1"] == 1.0
    assert facts["check"]["batches"][-1] == 5
    # Weights stay in f32.
    weights = sum(parameter.numel() * 4 for parameter in net.parameters())
    assert (service.repository / service.name / "1/model.bin").stat().st_size >= 0.95 * weights
    for rows in (1, 3):
        with torch.no_grad():
            expected = net(torch.from_numpy(images(rows))).numpy()
        served = ask(service, {"image": images(rows)})
        np.testing.assert_allclose(served["output"], expected, atol=1e-5)


def test_resnet_with_its_inputs_as_example(create, ask, tmp_path: Path) -> None:
    net = nets.made(nets.ResNet)
    torch.jit.trace(net, torch.zeros(1, 3, 64, 64)).save(tmp_path / "resnet.pt")
    given = np.random.default_rng(0).random((3, 3, 64, 64)).astype(np.float32)
    np.savez(tmp_path / "images.npz", image=given)
    service = create(tmp_path / "resnet.pt", example=tmp_path / "images.npz")
    check = service.facts["check"]
    assert (check["inputs"], check["batches"]) == ("example", [1, 2, 3, 5])
    with torch.no_grad():
        expected = net(torch.from_numpy(given)).numpy()
    served = ask(service, {"image": given})["output"]
    np.testing.assert_allclose(served, expected, rtol=1e-4, atol=1e-4)
    assert (served.argmax(1) == expected.argmax(1)).all()


def tokens(rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(length)
    mask = rng.integers(0, 2, (rows, length)).astype(np.float32)
    return rng.integers(0, 50, (rows, length)), mask


def write_tokens(net: torch.nn.Module, path: Path) -> None:
    if path.suffix != ".pt2":
        torch.save(net, path)
        return
    shapes = {"ids": {0: DYNAMIC, 1: DYNAMIC}, "mask": {0: DYNAMIC, 1: DYNAMIC}}
    example = (torch.zeros(2, 6, dtype=torch.long), torch.ones(2, 6))
    torch.export.save(torch.export.export(net, example, dynamic_shapes=shapes), path)


@pytest.mark.parametrize("file", ["tokens.pt", "tokens.pt2"])
def test_several_inputs_open_extents_and_nested_outputs(
    create, ask, tmp_path: Path, file: str
) -> None:
    net = nets.made(nets.Tokens)
    write_tokens(net, tmp_path / file)
    # In another order than forward's: names decide.
    inputs = ("mask:f32[batch,seq]", "ids:i64[batch,seq]") if file.endswith(".pt") else ()
    service = create(tmp_path / file, *inputs, trust_pickle=True)
    assert [one["shape"] for one in service.facts["signature"]["inputs"]] == [[-1, -1], [-1, -1]]
    for length in (1, 9):
        ids, mask = tokens(2, length)
        with torch.no_grad():
            answer = net(torch.from_numpy(ids), torch.from_numpy(mask))
        served = ask(service, {"ids": ids, "mask": mask})
        expected = [answer["logits"], *answer["inner"]]
        for index, wanted in enumerate(expected):
            np.testing.assert_allclose(served[f"output_{index}"], wanted.numpy(), atol=1e-5)


def test_outputs_have_the_names_that_the_model_gives_them(create, ask, tmp_path: Path) -> None:
    torch.save(nets.Named(), tmp_path / "named.pt")
    service = create(tmp_path / "named.pt", "x:f32[batch,2]", trust_pickle=True)
    served = ask(service, {"x": np.array([[1, 2]], np.float32)})
    assert {name: array.tolist() for name, array in served.items()} == {
        "double": [[2, 4]],
        "half": [[0.5, 1]],
    }


def test_inputs_may_be_called_otherwise_than_the_arguments(create, ask, tmp_path: Path) -> None:
    torch.jit.script(nets.made(nets.Cnn)).save(tmp_path / "net.pt")
    service = create(tmp_path / "net.pt", "camera:f32[1,3,32,32]")
    assert service.facts["batches"] is False
    assert ask(service, {"camera": images(1)})["output"].shape == (1, 5)
