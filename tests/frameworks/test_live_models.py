"""Models that a program holds, from their framework to an answer, without a file between."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nets
import numpy as np
import pytest
import torch

import lepton
from lepton.create import CreateError


def served(made: object, **inputs: np.ndarray) -> np.ndarray:
    with lepton.LeptonAI(service=made.repository) as ai:
        return ai.inference(inputs)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("scripted", [False, True])
def test_module_is_served_as_torch_computes_it(tmp_path: Path, rows: int, scripted: bool) -> None:
    net = nets.made(nets.Cnn).train()
    module = torch.jit.script(net) if scripted else net
    example = torch.rand(rows, 3, 32, 32)
    made = lepton.create_service(
        module, tmp_path / "service", "net", example=example, measure=False
    )
    assert net.training or scripted
    assert [str(spec) for spec in made.facts["signature"]["inputs"]]
    (tensor,) = made.facts["signature"]["inputs"]
    assert tensor["shape"] == [-1, 3, 32, 32]
    images = np.random.default_rng(1).random((5, 3, 32, 32), np.float32)
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(images)).numpy()
    assert np.allclose(served(made, **{tensor["name"]: images}), expected, atol=1e-4)


def test_several_inputs_go_by_the_names_of_forward(tmp_path: Path) -> None:
    class Both(torch.nn.Module):
        def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return left - 2 * right

    a, b = np.ones((3, 4), np.float32), np.full((3, 4), 5, np.float32)
    for number, example in enumerate([(a, b), {"right": b, "left": a}]):
        made = lepton.create_service(Both(), tmp_path / str(number), example=example, measure=False)
        assert made.name == "Both"
        assert np.allclose(served(made, right=a, left=b), b - 2 * a)


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (None, r"the Cnn does not say the shapes of its inputs: add example="),
        ({"picture": np.zeros(3)}, r'example has "picture", which the Cnn does not take'),
        ((np.zeros(3),) * 9, r"example has 9 arrays, but forward of the Cnn takes image"),
        (np.zeros((2, 3), np.float32), r"the Cnn cannot be exported: "),
        ([[object()]], r"example is not an array of numbers or text"),
    ],
)
def test_example_that_does_not_fit_is_named(tmp_path: Path, example: object, message: str) -> None:
    with pytest.raises(CreateError, match=message):
        lepton.create_service(nets.made(nets.Cnn), tmp_path / "service", example=example)
    assert not (tmp_path / "service").exists()


# In a process of its own: TensorFlow and torch do not get along in one.
LIVE_KERAS = """
import sys
import keras
import numpy as np
import lepton

layers = [keras.Input((6,), name="row"), keras.layers.Dense(3, activation="softmax")]
model = keras.Sequential(layers, name="small")
rows = np.random.default_rng(2).random((4, 6), np.float32)
for number, example in enumerate([None, rows]):
    made = lepton.create_service(model, f"{sys.argv[1]}/{number}", example=example, measure=False)
    assert made.name == "small"
np.savez(f"{sys.argv[1]}/expected.npz", rows=rows, answer=model.predict(rows, verbose=0))
"""


def test_keras_model_is_served_as_keras_computes_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIVE_KERAS, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = np.load(tmp_path / "expected.npz")
    for folder in ("0", "1"):
        with lepton.LeptonAI(service=tmp_path / folder) as ai:
            answer = ai.inference(expected["rows"])
        assert np.allclose(answer, expected["answer"], atol=1e-5)
