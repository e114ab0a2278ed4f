"""Runs the real server binary for the tests, on a free port."""

import functools
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# scripts/test.sh sets it to the binary of the build under test, e.g. the one with sanitizers.
BINARY = Path(os.environ.get("LEPTON_SERVER", ROOT / "build/release/bin/lepton-server"))
START_SECONDS = 60


@dataclass
class Answer:
    status: int
    headers: dict[str, str]  # Names in lower case.
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


class HttpClient:
    """Sends a request to `url`."""

    url: str

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self._send(urllib.request.Request(self.url + path, headers=headers or {}))

    def post(self, path: str, body: object, headers: dict[str, str] | None = None) -> Answer:
        """Posts bytes as they are, and anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        return self._send(urllib.request.Request(self.url + path, data=data, headers=headers))

    def _send(self, request: urllib.request.Request) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, _lower(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, _lower(error.headers), error.read())


class AdminClient(HttpClient):
    """Sends a request to a server's admin listener."""

    def __init__(self, url: str):
        self.url = url
        self.port = int(url.rpartition(":")[2])


class LeptonServer(HttpClient):
    """One server process; listens on TCP and on a Unix domain socket."""

    def __init__(
        self,
        folder: Path,
        *arguments: object,
        environment: dict[str, str] | None = None,
        unix_socket: Path | None = None,
        host: str = "127.0.0.1",
        # Commands for a shell before it becomes the server, such as "ulimit -n 64".
        shell: str = "",
        log_level: str = "debug",
    ):
        self.ready_file = folder / "ready.json"
        self.unix_socket = unix_socket or folder / "server.sock"
        self.log_file = folder / "server.log"
        self.command = [
            str(BINARY), "serve", *map(str, arguments),
            "--host", host, "--port", "0", "--log-level", log_level,
            "--ready-file", str(self.ready_file), "--unix-socket", str(self.unix_socket),
        ]  # fmt: skip
        in_shell = ["sh", "-c", shell + '; exec "$@"', "sh"] if shell else []
        self.process = subprocess.Popen(
            [*in_shell, *self.command],
            stdout=subprocess.DEVNULL,
            stderr=self.log_file.open("w"),
            # Measured before it is ready, so that nothing changes under a test; and without the
            # results of an earlier server.
            env={
                **os.environ,
                "LEPTON_TUNING": "first",
                "XDG_CACHE_HOME": str(folder / "cache"),
                **(environment or {}),
            },
        )
        self.port = 0

    def wait_until_ready(self) -> "LeptonServer":
        give_up = time.monotonic() + START_SECONDS
        while not self.ready_file.exists():
            assert self.process.poll() is None, f"the server ended:\n{self.log}"
            assert time.monotonic() < give_up, f"the server did not become ready:\n{self.log}"
            time.sleep(0.005)
        self.port = json.loads(self.ready_file.read_text())["port"]
        return self

    def wait_for_port(self) -> "LeptonServer":
        """Waits until it listens; it may not become ready at all."""
        give_up = time.monotonic() + START_SECONDS
        while not self.unix_socket.exists() or not (port := self._logged_port()):
            assert self.process.poll() is None, f"the server ended:\n{self.log}"
            assert time.monotonic() < give_up, self.log
            time.sleep(0.005)
        self.port = port
        return self

    def _logged_port(self) -> int:
        found = re.search(r"listening .*port=(\d+)", self.log)
        return int(found[1]) if found else 0

    def wait_for_model(self, name: str) -> None:
        give_up = time.monotonic() + START_SECONDS
        while self.get(f"/v2/models/{name}/ready").status != 200:
            assert time.monotonic() < give_up, self.log
            time.sleep(0.01)

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @functools.cached_property
    def admin(self) -> AdminClient:
        """The URL for requests that change the server."""
        return AdminClient(re.search(r"listening .* admin=(\S+)", self.log)[1])

    def infer(self, model: str, body: object, headers: dict[str, str] | None = None) -> Answer:
        return self.post(f"/v2/models/{model}/infer", body, headers)

    def metrics(self) -> dict[str, float]:
        """The samples of /metrics by name and labels, in the page's spelling."""
        samples = re.findall(
            r"^([^#\s]\S*(?:\{.*\})?) (\S+)$", self.get("/metrics").body.decode(), re.M
        )
        return {name: float(value) for name, value in samples}

    def requests_of(self, model: str, outcome: str) -> float:
        """How many requests ended this way, over all versions of a model."""
        return sum(
            value
            for name, value in self.metrics().items()
            if name.startswith("lepton_requests_total{")
            and f'model="{model}"' in name
            and f'outcome="{outcome}"' in name
        )

    def wait_for_outcome(self, model: str, outcome: str, count: float) -> None:
        """Waits until that many requests ended this way; they may end after their client is
        gone."""
        give_up = time.monotonic() + 10
        while self.requests_of(model, outcome) < count:
            assert time.monotonic() < give_up, self.get("/metrics").body.decode()
            time.sleep(0.01)

    def is_well(self) -> None:
        """Asserts that it still runs, answers, and reports no crash."""
        assert self.process.poll() is None, self.log
        assert self.get("/v2/health/ready").status == 200
        assert "Sanitizer" not in self.log, self.log

    def stop(self, sig: signal.Signals = signal.SIGTERM, seconds: float = 20) -> int:
        """Ends the process; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def _lower(headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
