"""examples/images: the served network names images from files."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from lepton_server import ROOT
from PIL import Image

EXAMPLE = ROOT / "examples" / "images"
sys.path.insert(0, str(EXAMPLE))

from decode import NotAnImage, decode, image_files  # noqa: E402

import lepton  # noqa: E402
from lepton.create import create_service  # noqa: E402

pytestmark = pytest.mark.openvino
LABELS = (EXAMPLE / "labels.txt").read_text().split()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory):
    service = tmp_path_factory.mktemp("images") / "service"
    create_service(EXAMPLE / "model.xml", service, "pictures", measure=False)
    with lepton.serving(service) as server:
        yield server.url


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLE / "run.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def named(*arguments: object) -> list[dict]:
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_picture_beside_it_is_named_as_its_file_says():
    pictures = named()
    assert [each["file"] for each in pictures] == [
        path.name for path in image_files(EXAMPLE / "pictures")
    ]
    assert {each["expected"] for each in pictures} == set(LABELS)
    right = sum(each["label"] == each["expected"] for each in pictures)
    promised = json.loads((EXAMPLE / "accuracy.json").read_text())["accuracy"]
    assert right / len(pictures) >= promised - 0.03


@pytest.mark.parametrize(("batch", "concurrency"), [(1, 1), (1, 6), (5, 3), (64, 1)])
def test_answers_do_not_depend_on_how_pictures_share_requests(
    url: str, batch: int, concurrency: int
):
    pictures = named("--url", url, "--batch", batch, "--concurrency", concurrency)
    alone = named("--url", url)
    assert [each["label"] for each in pictures] == [each["label"] for each in alone]
    assert [each["probability"] for each in pictures] == pytest.approx(
        [each["probability"] for each in alone], abs=1e-3
    )


def test_what_is_no_image_is_skipped_and_told(url: str, tmp_path: Path):
    picture = EXAMPLE / "pictures" / "grass-1.jpg"
    (tmp_path / "a.jpg").write_bytes(picture.read_bytes())
    (tmp_path / "b.jpg").write_text("no image")
    (tmp_path / "c.jpg").write_bytes(picture.read_bytes()[:900])
    (tmp_path / "d.txt").write_text("not looked at")
    Image.open(picture).convert("L").save(tmp_path / "e.png")
    done = run("--folder", tmp_path, "--url", url)
    assert done.returncode == 0
    assert all(line.startswith("skipped: ") for line in done.stderr.splitlines() if line)
    assert "b.jpg is not an image" in done.stderr
    assert "c.jpg is not an image" in done.stderr
    assert "a.jpg" in done.stdout
    assert "e.png" in done.stdout
    assert "2 pictures in" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--folder", "/nowhere"], "/nowhere"),
        (["--folder", str(ROOT / "docs")], "holds no image files"),
        (["--url", "http://127.0.0.1:9"], "127.0.0.1:9"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], said: str):
    done = run(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_pictures_are_decoded_upright_and_from_the_middle(tmp_path: Path):
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80] = (255, 0, 0)
    wide[:10, 40:80] = (0, 0, 255)
    image = Image.fromarray(wide)
    exif = Image.Exif()
    exif[0x0112] = 3  # Orientation: rotated by 180 degrees.
    image.save(tmp_path / "turned.png", exif=exif)
    pixels = decode(tmp_path / "turned.png", 16)
    assert pixels.shape == (16, 16, 3)
    assert pixels[2, 2:-2].mean(axis=0) == pytest.approx((255, 0, 0), abs=2)
    assert pixels[-2, 2:-2].mean(axis=0) == pytest.approx((0, 0, 255), abs=2)


def test_a_file_that_is_cut_short_is_no_image(tmp_path: Path):
    content = (EXAMPLE / "pictures" / "cat-1.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 3])
    with pytest.raises(NotAnImage, match=r"cut\.jpg is not an image"):
        decode(tmp_path / "cut.jpg", 64)


def test_help_tells_each_option():
    shown = run("--help").stdout
    for option in ("--folder", "--batch", "--concurrency", "--url", "--json"):
        assert option in shown
