import signal
from pathlib import Path

import grpc
import pytest
from fake_models import write_zoo
from lepton_server import BINARY, LeptonServer
from tritonclient.grpc import service_pb2_grpc


def pytest_sessionstart() -> None:
    if not BINARY.exists():
        raise pytest.UsageError(f"{BINARY} is missing; run: make build")
    # A background job has it ignored, which those that the tests start and interrupt would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of fake models."""
    return write_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture(scope="session")
def keep_server(tmp_path_factory: pytest.TempPathFactory):
    """Servers that tests share: one per command line, restarted if a test has broken it."""
    kept: dict[tuple[str, ...], LeptonServer] = {}

    def keep(*arguments: object) -> LeptonServer:
        key = tuple(map(str, arguments))
        if key not in kept or kept[key].process.poll() is not None:
            kept[key] = LeptonServer(tmp_path_factory.mktemp("server"), *arguments)
        return kept[key].wait_until_ready()

    yield keep
    statuses = [server.stop() for server in kept.values()]
    assert not any(statuses), [server.log for server in kept.values()]


@pytest.fixture
def server(keep_server, zoo: Path):
    """The one server that most tests share; each of them must leave it healthy."""
    server = keep_server(zoo)
    yield server
    server.is_well()


@pytest.fixture
def start_server(tmp_path_factory: pytest.TempPathFactory):
    """Starts servers for one test, and ends them with it."""
    started: list[LeptonServer] = []

    def start(*arguments: object, **options: object) -> LeptonServer:
        folder = tmp_path_factory.mktemp("own-server")
        started.append(LeptonServer(folder, *arguments, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()
    for server in started:
        assert "Sanitizer" not in server.log, server.log


@pytest.fixture
def grpc_channel(server: LeptonServer):
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture
def grpc_stub(grpc_channel: grpc.Channel):
    """The generated stub, for what the official client hides."""
    return service_pb2_grpc.GRPCInferenceServiceStub(grpc_channel)
