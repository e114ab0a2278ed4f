"""The two scripts of the first API, from a model file to an answer."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from lepton_server import BINARY, ROOT

pytestmark = pytest.mark.openvino


@pytest.mark.parametrize("named", [False, True], ids=["created last", "named"])
def test_what_one_script_creates_the_other_serves(tmp_path: Path, named: bool) -> None:
    environment = {
        **os.environ,
        "LEPTON_SERVER": str(BINARY),
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }
    create = [sys.executable, ROOT / "scripts/create_lepton_ai_service.py", "--quiet"]
    start = [sys.executable, ROOT / "scripts/start_lepton_ai_service.py", "--host", "127.0.0.1"]
    model = ROOT / "tests/data/scale.onnx"
    subprocess.run(
        [*create, "--model_path", model, "--output_path", "service"],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=60,
    )
    if named:
        environment["XDG_STATE_HOME"] = str(tmp_path / "other")
        start += ["--service", str(tmp_path / "service")]
    ready = tmp_path / "ready.json"
    server = subprocess.Popen([*start, "--port", "0", "--ready-file", ready], env=environment)
    try:
        give_up = time.monotonic() + 60
        while not ready.exists():
            assert server.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.01)
        port = json.loads(ready.read_text())["port"]
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [0, 1, 2, 3]}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v2/models/scale/infer",
            data=json.dumps({"inputs": [tensor]}).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["outputs"][0]["data"] == [1, 3, 5, 7]
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
