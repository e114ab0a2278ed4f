"""The wheel in an environment of its own, as a user has it after `pip install lepton-serving`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SYSTEM_LIBRARIES = "nghttp2|protobuf|spdlog|fmt|prometheus|simdjson|ssl|crypto"


@pytest.fixture(scope="module")
def venv(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user") / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", folder], check=True)
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", wheel], check=True)
    return folder


@pytest.fixture(scope="module")
def environment(venv: Path) -> dict[str, str]:
    """An environment without the developer's Python path and libraries."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
    return {**kept, "PATH": f"{venv}/bin:/usr/bin:/bin", "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def service(
    venv: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("out") / "service"
    model = next(venv.glob("lib/python3*/site-packages/lepton/examples/digits/model.onnx"))
    subprocess.run(
        ["lepton", "create", "--model_path", model, "--output_path", folder],
        env=environment,
        executable=venv / "bin/lepton",
        check=True,
    )
    return folder


@pytest.fixture
def server(
    venv: Path, environment: dict[str, str], service: Path, tmp_path: Path
) -> Iterator[dict[str, object]]:
    ready = tmp_path / "ready.json"
    command = [venv / "bin/lepton", "serve", service, "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen([*command, "--ready-file", ready], env=environment)
    until = time.monotonic() + 30
    while not ready.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    try:
        assert ready.exists(), f"the server ended with {process.poll()}"
        yield {**json.loads(ready.read_text()), "process": process}
    finally:
        process.terminate()
        process.wait(10)


def test_wheel_holds_the_product_and_the_libraries_it_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "lepton/bin/lepton-server" in names
    assert "lepton/bin/lepton-bench" in names
    assert "lepton/lib/engines/lepton_engine_openvino.so" in names
    assert "lepton/lib/engines/lepton-probe" in names
    assert "lepton/py.typed" in names
    assert "LeonAI/__init__.py" in names
    assert not [name for name in names if "libopenvino" in name or "fake" in name]
    # The client and the in-process server, for one version of Python.
    assert [name for name in names if re.fullmatch(r"lepton/_native\.cpython-.*\.so", name)]
    assert "lepton/_native.pyi" in names
    assert re.search(r"-cp3\d+-cp3\d+-manylinux", wheel.name)
    assert wheel.stat().st_size < 20e6


def test_programs_find_all_libraries_without_those_of_the_system(
    venv: Path, environment: dict[str, str]
) -> None:
    package = next(venv.glob("lib/python3*/site-packages/lepton"))
    programs = [
        package / "bin/lepton-server",
        package / "bin/lepton-bench",
        package / "lib/engines/lepton-probe",
        *package.glob("lib/engines/*.so"),
        *package.glob("_native.*.so"),
    ]
    assert len(programs) == 5
    for program in programs:
        said = subprocess.run(
            ["ldd", program], env=environment, capture_output=True, text=True, check=True
        ).stdout
        assert "not found" not in said
        for line in said.splitlines():
            # What -dev packages bring must come from the wheel, OpenVINO from its own wheel.
            if re.search(f"{SYSTEM_LIBRARIES}|openvino", line.split("=>")[0]):
                assert str(venv) in line.split("=>")[1], line


def test_version_is_that_of_the_wheel(wheel: Path, venv: Path, environment: dict[str, str]) -> None:
    said = subprocess.run(
        [venv / "bin/lepton", "version"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert wheel.name.split("-")[1] in said


def test_created_service_answers(
    server: dict[str, object], venv: Path, environment: dict[str, str]
) -> None:
    url = f"http://127.0.0.1:{server['port']}"
    with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=10) as reply:
        assert reply.status == 200
    code = (
        "import sys; import numpy as np; from LeonAI import LeptonAI;"
        "answer = LeptonAI(sys.argv[1]).inference(np.zeros((2, 1, 8, 8), np.float32));"
        "print(*answer.sum(axis=1))"
    )
    said = subprocess.run(
        [venv / "bin/python", "-I", "-c", code, url],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # Two rows of probabilities.
    assert [float(value) for value in said.split()] == pytest.approx([1, 1], abs=1e-5)


def test_demo_runs_with_nothing_but_the_wheel(venv: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [venv / "bin/lepton", "demo", "--once", "--port", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "492 right" in done.stdout
    assert "gRPC" in done.stdout


def test_service_runs_in_the_process_of_its_user(
    venv: Path, environment: dict[str, str], service: Path
) -> None:
    code = (
        "import sys; import numpy as np; from lepton import LeptonAI;"
        "ai = LeptonAI(service=sys.argv[1]);"
        "print(*ai.inference(np.zeros((2, 1, 8, 8), np.float32)).sum(axis=1))"
    )
    done = subprocess.run(
        [venv / "bin/python", "-I", "-c", code, service],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [float(value) for value in done.stdout.split()] == pytest.approx([1, 1], abs=1e-5)
    assert done.stderr == ""


def test_server_ends_when_told(server: dict[str, object]) -> None:
    process = server["process"]
    assert isinstance(process, subprocess.Popen)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
