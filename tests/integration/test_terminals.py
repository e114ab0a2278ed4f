"""What the commands print fits the terminal, whatever its width, with colors and without."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_models import identity, write_model
from lepton_server import BINARY
from rich.cells import cell_len
from terminal import lines, run_all

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "create", "serve", "demo", "infer", "models", "status", "bench", "slow", "tune", "completion",
    "version",
)  # fmt: skip
HELP = ((), ("--help",), *((command, "--help") for command in COMMANDS if command != "version"))
# Of a mistake each.
WRONG = (
    ("frob",),
    ("tune",),
    ("tune", "fuor"),
    ("infer", "four"),
    ("infer", "four", "x=1,2"),
    ("create", "none.onnx"),
    ("bench", "--url", "ftp://h", "--rate", "1"),
    ("status", "--url", "http://127.0.0.1:1"),
    ("models", "--url", "127.0.0.1:99999"),
    ("completion", "bsh"),
)
BENCH = ("bench", "--warmup", "0.05s", "--duration", "0.2s", "--deadline", "50ms")
CLASSES = (
    *("--class", "name=control,share=0.2,deadline=6ms"),
    *("--class", "name=logging,share=0.8,deadline=100ms"),
)
OUTPUT = (
    ("models",),
    ("status",),
    ("infer", "four", "x=1,2,3,4"),
    ("infer", "classes", "probabilities=@p.npy"),
    ("tune", "four"),
    ("tune", "four", "--weight", "3"),
    (*BENCH, "--model", "four", "--rate", "50,100"),
    (*BENCH[:-2], "--model", "four", "--rate", "50", *CLASSES),
    (*BENCH, "--model", "four", "--rate", "50", "--compare", "grpc://{address}"),
    ("slow",),
    ("create", "tiny.onnx"),
    ("demo", "--once", "--port", "0"),
)


@pytest.fixture(scope="module")
def served(keep_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("terminals")
    write_model(folder, "four", identity(shape=[-1, 4]))
    write_model(folder, "a_model_whose_name_is_longer_than_most", identity(shape=[-1, 4]))
    probabilities = {
        "inputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 8]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 8]}],
    }
    write_model(folder, "classes", probabilities)
    write_model(folder, "broken", "{")
    return keep_server(folder, "--strict-readiness", "false")


@pytest.fixture
def environment(served, tmp_path, monkeypatch):
    shutil.copyfile(ROOT / "tests/data/scale.onnx", tmp_path / "tiny.onnx")
    np.save(tmp_path / "p.npy", np.full((2, 8), 0.125, np.float32))
    return {
        "LEPTON_URL": served.url,
        "LEPTON_SERVER": str(BINARY),
        "LEPTON_BENCH": str(BINARY.with_name("lepton-bench")),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def check(commands, codes, columns, color, environment, folder):
    if not color:
        environment = {**environment, "NO_COLOR": "1"}
    wrong = []
    for command, (code, said) in zip(
        commands, run_all(commands, columns, environment, folder), strict=True
    ):
        called = " ".join(("lepton", *command))
        assert code in codes, (called, said)
        assert said.strip(), called
        assert "Traceback" not in said
        assert "…" not in said, (called, said)  # Nothing is cut.
        if not color:
            assert not re.search(r"\x1b\[[0-9;]*3[0-9]", said), (called, said)
        wrong += [
            f"{called}: {cell_len(line)} columns: {line}"
            for line in lines(said)
            if cell_len(line) > columns
        ]
    assert not wrong, "\n".join(wrong)


SIZES = pytest.mark.parametrize("columns", [60, 80, 200])
COLORS = pytest.mark.parametrize("color", [True, False], ids=["color", "plain"])


@SIZES
@COLORS
def test_help_fits(columns, color, environment, tmp_path):
    check(HELP, {0, 2}, columns, color, environment, tmp_path)


@SIZES
def test_errors_fit(columns, environment, tmp_path):
    check(WRONG, {1, 2}, columns, True, environment, tmp_path)


@SIZES
@COLORS
@pytest.mark.openvino
def test_output_fits(columns, color, environment, tmp_path, served):
    commands = [[word.format(address=served.address) for word in one] for one in OUTPUT]
    check(commands, {0}, columns, color, environment, tmp_path)
