"""Shared by these tests: the real server, and models as their frameworks write them.

They need torch, tensorflow and the like: scripts/setup.sh frameworks makes the environment.
"""

# ruff: noqa: E402 - frameworks read their environment when they are imported.

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # The reference is computed on the CPU.
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "integration"))

import numpy as np
import pytest
from lepton_server import BINARY, LeptonServer

from lepton.create import Options, Service, create_service, parse_input

# A background job has it ignored, which those that the tests start and interrupt would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

KINDS = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "INT32": np.int32}
NAMES = {np.dtype(kind): name for name, kind in KINDS.items()}

Arrays = dict[str, np.ndarray]
Create = Callable[..., Service]


def pytest_sessionstart() -> None:
    if not BINARY.exists():
        raise pytest.UsageError(f"{BINARY} is missing; run: make build")


@pytest.fixture
def create(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Create:
    """Creates a service where nets.py can be imported, as users have their modules at hand."""
    monkeypatch.chdir(HERE)

    def make(path: Path, *inputs: str, **options: object) -> Service:
        given = Options(inputs=tuple(map(parse_input, inputs)), **options)  # type: ignore[arg-type]
        return create_service(path, tmp_path / "service", options=given, measure=False)

    return make


@pytest.fixture
def ask(tmp_path_factory: pytest.TempPathFactory):
    """Serves a service with the real server and returns its answer to some inputs."""
    servers: dict[Path, LeptonServer] = {}

    def ask(service: Service, inputs: Arrays) -> Arrays:
        repository = service.repository.resolve()
        if repository not in servers:
            servers[repository] = LeptonServer(tmp_path_factory.mktemp("server"), repository)
        server = servers[repository].wait_until_ready()
        tensors = [
            {
                "name": name,
                "datatype": NAMES[array.dtype],
                "shape": list(array.shape),
                "data": array.ravel().tolist(),
            }
            for name, array in inputs.items()
        ]
        answer = server.infer(service.name, {"inputs": tensors})
        assert answer.status == 200, answer.body
        return {
            output["name"]: np.array(output["data"], KINDS[output["datatype"]]).reshape(
                output["shape"]
            )
            for output in answer.json["outputs"]
        }

    yield ask
    for server in servers.values():
        server.stop()
