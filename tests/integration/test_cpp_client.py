"""The C++ client against the real server: runs client_against_server, a program of GoogleTests."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from lepton_server import BINARY, LeptonServer
from tls_proxy import TlsProxy, make_certificate

PROGRAM = BINARY.parent.parent / "tests/integration/client_against_server"
SECONDS = 120


def command(tests: str, endpoints: list[str], ca: Path | None = None) -> dict[str, object]:
    environment = {**os.environ, "LEPTON_TEST_ENDPOINTS": ",".join(endpoints)}
    if ca is not None:
        environment["LEPTON_TEST_CA"] = str(ca)
    return {"args": [PROGRAM, f"--gtest_filter={tests}"], "env": environment}


def run(tests: str, endpoints: list[str], ca: Path | None = None) -> None:
    done = subprocess.run(
        **command(tests, endpoints, ca), capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[  PASSED  ]" in done.stdout
    assert "PASSED  ] 0 tests" not in done.stdout, f"no test is called {tests}"


@pytest.mark.parametrize("wire", ["http", "grpc", "unix", "grpc+unix"])
def test_every_wire_gives_the_same_answers(server: LeptonServer, wire: str) -> None:
    unix = wire.endswith("unix")
    place = str(server.unix_socket) if unix else f"//127.0.0.1:{server.port}"
    run("EachWire.*", [f"{wire}:{place}"])


def test_several_endpoints_of_different_wires_serve_one_client(server: LeptonServer) -> None:
    run(
        "EachWire.ThreadsShareAClient:EachWire.RefusalsSayWhatIsWrong",
        [f"http://127.0.0.1:{server.port}", f"grpc+unix:{server.unix_socket}"],
    )


def test_no_call_fails_when_one_of_two_servers_is_killed(start_server, zoo: Path) -> None:
    servers = [start_server(zoo).wait_until_ready() for _ in range(2)]
    program = subprocess.Popen(
        **command("Failover.*", [f"http://127.0.0.1:{server.port}" for server in servers]),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith("running"):
            break
    servers[0].process.send_signal(signal.SIGKILL)
    said = program.stdout.read()
    assert program.wait(SECONDS) == 0, said


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


class TestTls:
    @pytest.fixture
    def proxy(self, server: LeptonServer, certificate: tuple[Path, Path]):
        proxies = []

        def start(*protocols: str) -> TlsProxy:
            proxies.append(TlsProxy(*certificate, server.port, list(protocols)))
            return proxies[-1]

        yield start
        for proxy in proxies:
            proxy.close()

    @pytest.mark.parametrize(("scheme", "protocol"), [("https", "http/1.1"), ("grpcs", "h2")])
    def test_answers_are_those_without_it(self, proxy, certificate, scheme, protocol) -> None:
        endpoint = f"{scheme}://127.0.0.1:{proxy(protocol).port}"
        run("EachWire.*", [endpoint], certificate[0])

    def test_certificates_are_verified(self, proxy, certificate) -> None:
        endpoint = f"https://127.0.0.1:{proxy('http/1.1').port}"
        run("Tls.Certificate*:Tls.Unknown*", [endpoint], certificate[0])

    def test_grpc_needs_a_server_that_offers_http2(self, proxy, certificate) -> None:
        endpoint = f"grpcs://127.0.0.1:{proxy('http/1.1').port}"
        run("Tls.ServerWithoutHttp2*", [endpoint], certificate[0])
