"""Trains the classifier and cuts the pictures that it is shown; see README.md.

python examples/images/train.py

Writes model.xml, model.bin, labels.txt, accuracy.json and pictures/ beside this file, in a minute
or two on two cores. Needs what requirements.txt lists.
"""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from photographs import LABELS, PHOTOGRAPHS
from PIL import Image
from rich.progress import track
from torch import Tensor, nn

HERE = Path(__file__).parent
SIDE = 64  # The size of the network's images.
SEED = 1
STEPS = 700
BATCH = 48
PICTURES_PER_CLASS = 3
HELD_OUT_PER_CLASS = 100
# Sides in pixels of the squares that are cut out of a photograph and resized to SIDE.
SMALLEST, LARGEST = 64, 144

Pixels = np.ndarray  # [side, side, 3] uint8


class Classifier(nn.Module):
    """Decoded pixels in, a probability per label out; everything between is in the graph."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for after in (16, 32, 64, 96):
            layers += [
                nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            before = after
        self.features = nn.Sequential(*layers)
        self.scores = nn.Linear(before, len(LABELS))

    def logits(self, pixels: Tensor) -> Tensor:
        """Returns scores [batch, labels] of pixels [batch, side, side, 3] uint8."""
        scaled = pixels.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1.0
        return self.scores(self.features(scaled).mean(dim=(2, 3)))

    def forward(self, pixels: Tensor) -> Tensor:
        """Returns probabilities [batch, labels]."""
        return torch.softmax(self.logits(pixels), dim=1)


def square(part: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Cuts a square of a random size from a random place."""
    side = int(rng.integers(SMALLEST, min(LARGEST, *part.size) + 1))
    left = int(rng.integers(0, part.width - side + 1))
    top = int(rng.integers(0, part.height - side + 1))
    return part.crop((left, top, left + side, top + side))


def pixels_of(image: Image.Image) -> Pixels:
    """Resizes an image to the size that the network takes."""
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def varied(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Rotates, mirrors and relights pixels at random."""
    turned = np.rot90(pixels, int(rng.integers(4)))
    if rng.random() < 0.5:
        turned = turned[:, ::-1]
    contrast, light = rng.uniform(0.7, 1.3), rng.uniform(-30, 30)
    noise = rng.normal(0, rng.uniform(0, 6), turned.shape)
    relit = (turned.astype(np.float32) - 128) * contrast + 128 + light + noise
    return np.clip(relit, 0, 255).astype(np.uint8)


def train(parts: list[Image.Image], rng: np.random.Generator) -> Classifier:
    """Returns a network trained on squares of `parts`, one part per label."""
    network = Classifier()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, total_steps=STEPS)
    for _ in track(range(STEPS), description="training"):
        labels = rng.integers(0, len(parts), BATCH)
        images = [varied(pixels_of(square(parts[label], rng)), rng) for label in labels]
        loss = nn.functional.cross_entropy(
            network.logits(torch.from_numpy(np.stack(images))), torch.from_numpy(labels)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def accuracy(network: Classifier, parts: list[Image.Image]) -> tuple[int, int]:
    """Returns how many squares of `parts` are named correctly, and of how many."""
    rng = np.random.default_rng(SEED + 1)
    right = 0
    with torch.no_grad():
        for label, part in enumerate(parts):
            squares = [pixels_of(square(part, rng)) for _ in range(HELD_OUT_PER_CLASS)]
            named = network(torch.from_numpy(np.stack(squares))).argmax(dim=1)
            right += int((named == label).sum())
    return right, HELD_OUT_PER_CLASS * len(parts)


def cut_pictures(parts: list[Image.Image]) -> None:
    """Writes JPEG files of squares, named <label>-<number>.jpg."""
    folder = HERE / "pictures"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.jpg"):
        old.unlink()
    rng = np.random.default_rng(SEED + 2)
    for label, part in zip(LABELS, parts, strict=True):
        for number in range(1, PICTURES_PER_CLASS + 1):
            square(part, rng).resize((160, 160)).save(folder / f"{label}-{number}.jpg", quality=88)


def save(network: Classifier) -> None:
    """Writes the network as OpenVINO IR with named tensors."""
    example = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    model = ov.convert_model(network, example_input=example, input=[-1, SIDE, SIDE, 3])
    model.input(0).set_names({"pixels"})
    model.input(0).get_node().set_friendly_name("pixels")
    model.output(0).set_names({"probabilities"})
    model.output(0).get_node().set_friendly_name("probabilities")
    ov.save_model(model, HERE / "model.xml", compress_to_fp16=False)


def main() -> None:
    """Trains, measures, writes."""
    torch.manual_seed(SEED)
    torch.set_num_threads(2)
    # About the tracing that OpenVINO asks torch for.
    warnings.simplefilter("ignore", FutureWarning)
    start = time.perf_counter()
    seen, unseen = zip(*(photograph.parts() for photograph in PHOTOGRAPHS), strict=True)
    network = train(list(seen), np.random.default_rng(SEED))
    right, total = accuracy(network, list(unseen))
    save(network)
    cut_pictures(list(unseen))
    (HERE / "labels.txt").write_text("\n".join(LABELS) + "\n")
    summary = {"held_out": total, "right": right, "accuracy": round(right / total, 4)}
    (HERE / "accuracy.json").write_text(json.dumps(summary) + "\n")
    print(f"{right} of {total} held-out squares, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
