"""The photographs in two packages, and which part of each is never trained on."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

# Shares of the extent along which a photograph is cut: what is before the first is trained on, and
# what is after the second is held out. Nothing between them is used, so that no patch sees both.
TRAINED_UNTIL = 0.60
HELD_OUT_FROM = 0.62


@dataclass(frozen=True)
class Photograph:
    """One class: a package's file, and who made it.

    Attributes:
        box: The place of the subject: left, top, right, bottom as shares of the whole.
        downwards: Whether the held-out part is below the other one; else it is to the right.
    """

    label: str
    package: str
    file: str
    credit: str
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    downwards: bool = False

    def load(self) -> Image.Image:
        """Returns it in RGB.

        Raises:
            FileNotFoundError: The package is not installed.
        """
        found = importlib.util.find_spec(self.package)
        if found is None or not found.submodule_search_locations:
            raise FileNotFoundError(f"{self.package} is not installed, see requirements.txt")
        whole = Image.open(Path(found.submodule_search_locations[0]) / self.file).convert("RGB")
        left, top, right, bottom = self.box
        return whole.crop(
            (
                int(left * whole.width),
                int(top * whole.height),
                int(right * whole.width),
                int(bottom * whole.height),
            )
        )

    def parts(self) -> tuple[Image.Image, Image.Image]:
        """Returns the part to train on, and the part that training does not see."""
        subject = self.load()
        width, height = subject.size
        if self.downwards:
            until, start = int(height * TRAINED_UNTIL), int(height * HELD_OUT_FROM)
            return subject.crop((0, 0, width, until)), subject.crop((0, start, width, height))
        until, start = int(width * TRAINED_UNTIL), int(width * HELD_OUT_FROM)
        return subject.crop((0, 0, until, height)), subject.crop((start, 0, width, height))


PHOTOGRAPHS = (
    Photograph("bricks", "skimage", "data/brick.png", "CC0Textures, CC0"),
    Photograph(
        "cat", "skimage", "data/chelsea.png", "Stefan van der Walt, CC0", (0.0, 0.0, 0.82, 1.0)
    ),
    Photograph("coffee", "skimage", "data/coffee.png", "Rachel Michetti, CC0"),
    Photograph("coins", "skimage", "data/coins.png", "Brooklyn Museum, no known restrictions"),
    Photograph(
        "flower",
        "sklearn",
        "datasets/images/flower.jpg",
        "vultilion, CC BY 2.0",
        (0.27, 0.20, 0.69, 0.83),
        True,
    ),
    Photograph("galaxies", "skimage", "data/hubble_deep_field.jpg", "NASA, public domain"),
    Photograph("grass", "skimage", "data/grass.png", "linolafett, CC0"),
    Photograph("gravel", "skimage", "data/gravel.png", "CC0Textures, CC0"),
    Photograph("retina", "skimage", "data/retina.jpg", "Mikael Häggström, CC0"),
    Photograph(
        "temple",
        "sklearn",
        "datasets/images/china.jpg",
        "danielbuechele, CC BY 2.0",
        (0.11, 0.16, 0.56, 0.97),
        True,
    ),
    Photograph("text", "skimage", "data/text.png", "public domain"),
    Photograph("tissue", "skimage", "data/ihc.png", "CMMI, no known restrictions"),
)
LABELS = tuple(photograph.label for photograph in PHOTOGRAPHS)
