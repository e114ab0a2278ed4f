"""The request path allocates nothing once it is warm, whatever the protocol."""

import json
import subprocess

import pytest
from lepton_server import BINARY, ROOT, LeptonServer

TOOLS = ROOT / "build/release/bench"
COUNTER = TOOLS / "liblepton_count_allocations.so"

pytestmark = pytest.mark.skipif(
    not COUNTER.exists() or BINARY.parents[1] != ROOT / "build/release",
    reason="needs the measuring programs of the release build, and a server without sanitizers",
)


@pytest.fixture(scope="module")
def counted(zoo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("counted")
    counts = folder / "allocations"
    server = LeptonServer(
        folder,
        zoo,
        environment={"LD_PRELOAD": str(COUNTER), "LEPTON_ALLOCATIONS_FILE": str(counts)},
    )
    yield server.wait_until_ready(), counts
    server.stop()


@pytest.mark.parametrize("protocol", ["http-binary", "http-json", "grpc"])
@pytest.mark.parametrize("connections", [1, 16])
def test_nothing_is_allocated_per_request(counted, protocol, connections):
    server, counts = counted
    done = subprocess.run(
        [TOOLS / "lepton-load", server.address, "--protocol", protocol, "--model", "four",
         "--input", "x:FP32:1x4", "--output-bytes", "16", "--connections", str(connections),
         "--warmup", "0.2", "--requests", "2000", "--server-allocations", counts],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["refused"] == 0
    # Not quite zero: a buffer may still grow when many requests first meet in one turn.
    assert figures["server_allocations_per_request"] < 0.02
