"""`lepton serve model.onnx`: the command as a program, with files of every format."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_models import identity, write_model
from lepton_server import BINARY

import lepton
from lepton.serve_command import FLAGS, OPTIONS

DATA = Path(__file__).resolve().parents[1] / "data"
SECONDS = 60


@pytest.fixture
def serve(tmp_path: Path):
    """Starts `lepton serve` with some models; returns what its ready file says."""
    started = []

    def start(*models: object, ends: bool = False):
        ready, log = tmp_path / "ready.json", tmp_path / "log"
        options = [] if ends else ["--port", "0", "--ready-file", str(ready)]
        process = subprocess.Popen(
            [sys.executable, "-m", "lepton", "serve", *map(str, models), *options],
            env={
                **os.environ,
                "LEPTON_SERVER": str(BINARY),
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
                "LEPTON_TUNING": "never",
            },
            cwd=tmp_path,
            stderr=log.open("w"),
        )
        started.append(process)
        if ends:
            return process.wait(SECONDS), log.read_text()
        give_up = time.monotonic() + SECONDS
        while not ready.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.01)
        return json.loads(ready.read_text())

    yield start
    for process in started:
        process.terminate()
        process.wait(SECONDS)


@pytest.mark.openvino
def test_files_of_every_format_and_folders_are_served_together(serve, tmp_path):
    write_model(tmp_path / "service", "four", identity(shape=[-1, 4]))
    ready = serve(
        "service",
        DATA / "scale.onnx",
        DATA / "text.xml",
        *(DATA / "formats" / name for name in ("frozen.pb", "lite.tflite", "paddle.pdmodel")),
        DATA / "formats/saved_model",
    )
    models = {"four", "scale", "text", "frozen", "lite", "paddle", "formats"}
    assert set(ready["models"]) == models
    url = f"http://{ready['host']}:{ready['port']}"
    with lepton.Client(url) as client:
        for name in models:
            model = client.model(name)
            assert model.versions == ("1",)
            assert model.inputs


def test_a_file_that_is_no_model_ends_it_with_one_line(serve, tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"")
    assert serve("net.onnx", ends=True) == (2, "lepton serve: net.onnx is empty\n")


def test_a_misspelt_option_has_a_hint(serve):
    code, said = serve("--prot", "3", ends=True)
    assert (code, said) == (2, 'lepton serve: no option "--prot"; did you mean "--port"?\n')


def test_the_options_are_those_of_the_server():
    done = subprocess.run([BINARY, "serve", "--help"], capture_output=True, text=True, check=True)
    described = [line.split() for line in done.stdout.splitlines() if line.startswith("  -")]
    names = {words[0].split(",")[-1]: words[1:] for words in described}
    assert set(names) == {*OPTIONS, *FLAGS}
    without_value = {name for name, rest in names.items() if not rest or "Env" in rest[0]}
    assert without_value | {"--help"} == set(FLAGS)
