"""examples/images/train.py makes the model that run.py serves."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "images"
for package in ("skimage", "sklearn", "PIL"):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed", allow_module_level=True)
sys.path.insert(0, str(EXAMPLE))

import train  # noqa: E402
from photographs import LABELS, PHOTOGRAPHS  # noqa: E402
from PIL import Image  # noqa: E402


def test_parts_of_a_photograph_do_not_overlap() -> None:
    for photograph in PHOTOGRAPHS:
        subject = photograph.load()
        seen, unseen = photograph.parts()
        axis = 1 if photograph.downwards else 0
        assert seen.size[axis] + unseen.size[axis] < subject.size[axis]
        assert min(*seen.size, *unseen.size) >= train.SMALLEST


def test_training_writes_a_network_that_gives_probabilities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("HERE", tmp_path), ("STEPS", 4), ("HELD_OUT_PER_CLASS", 2)):
        monkeypatch.setattr(train, name, value)
    train.main()
    assert (tmp_path / "labels.txt").read_text().split() == list(LABELS)
    assert json.loads((tmp_path / "accuracy.json").read_text())["held_out"] == 2 * len(LABELS)
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert len(pictures) == 3 * len(LABELS)
    with Image.open(pictures[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (160, 160))
    network = ov.Core().compile_model(tmp_path / "model.xml", "CPU")
    assert network.input(0).get_any_name() == "pixels"
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    probabilities = network(pixels)["probabilities"]
    assert probabilities.shape == (3, len(LABELS))
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-4)


def test_committed_network_has_the_classes_and_the_accuracy_that_it_says() -> None:
    said = json.loads((EXAMPLE / "accuracy.json").read_text())
    network = ov.Core().compile_model(EXAMPLE / "model.xml", "CPU")
    rng = np.random.default_rng(99)  # Different squares from those of accuracy.json.
    right = total = 0
    for label, photograph in enumerate(PHOTOGRAPHS):
        _, unseen = photograph.parts()
        squares = np.stack([train.pixels_of(train.square(unseen, rng)) for _ in range(30)])
        named = network(squares)["probabilities"].argmax(axis=1)
        right += int((named == label).sum())
        total += len(named)
    assert right / total == pytest.approx(said["accuracy"], abs=0.03)
