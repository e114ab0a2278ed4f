"""`lepton demo`: serves the example model, calls it and explains the answers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table
from rich.text import Text

from lepton.client import LeptonAI
from lepton.console import FAILED, die, out
from lepton.create import CreateError, create_service
from lepton.datatypes import Array
from lepton.errors import LeptonError
from lepton.interrupt import INTERRUPTED, interruptible
from lepton.server_process import serving

SHOWN = 4
PREFERRED_PORT = 8000
_CARD_WIDTH = 74  # An image with the times beside it.
# From no ink to full; twice as wide because a character is twice as high as wide.
_SHADES = ("  ", "░░", "▒▒", "▓▓", "██")


@dataclass(frozen=True)
class Digits:
    """The example: the model's file, and images that it was not trained on.

    Attributes:
        images: [n, 1, 8, 8] float32, 0 to 1.
        labels: [n], the digit that the person wrote.
        right: How many of them train.py counted as right.
    """

    model: Path
    images: Array
    labels: Array
    right: int


@dataclass(frozen=True)
class Served:
    """One answer, as the demo shows it."""

    probabilities: Array
    total_ms: float
    timing_ms: dict[str, float]


def run_demo(*, host: str, port: int | None, once: bool) -> None:
    """Runs the demo; ends the process with code 1 where it fails, 130 where it is interrupted."""
    try:
        with interruptible():
            _run(host, port, once)
    except KeyboardInterrupt:
        die("demo", "interrupted", INTERRUPTED)


def _run(host: str, port: int | None, once: bool) -> None:
    digits = _load_digits()
    with tempfile.TemporaryDirectory(prefix="lepton-demo-") as folder:
        work = Path(folder)
        try:
            service = create_service(digits.model, work / "service", "digits", measure=False)
        except CreateError as error:
            die("demo", str(error), FAILED)
        # A path that is about to be deleted is not shown.
        made = service.name if once else service.repository
        out.print(f"[bold]service[/]  {made} (made from {digits.model})")
        chosen = port if port is not None else _preferred_port(host)
        try:
            with serving(service.repository, host=host, port=chosen) as server:
                out.print(f"[bold]server[/]   {server.url}, process {server.pid}\n")
                _show(server.url, digits)
                if once:
                    out.print("Without --once it serves on, and says how to call it.")
                else:
                    _say_how(server.url, work, digits)
                    _wait(server.process)
        except LeptonError as error:
            die("demo", str(error), FAILED)


def _load_digits() -> Digits:
    folder = Path(__file__).parent / "examples" / "digits"
    try:
        held_out = np.load(folder / "heldout.npz")
        summary = json.loads((folder / "accuracy.json").read_text())
    except OSError as error:
        die("demo", f"the example is not there: {error.filename}: {error.strerror}", FAILED)
    return Digits(
        model=folder / "model.onnx",
        images=(held_out["images"].astype(np.float32) / 16)[:, np.newaxis],
        labels=held_out["labels"],
        right=summary["right"],
    )


def _preferred_port(host: str) -> int:
    """Returns the documented port, or 0 (any) if something listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Set like the server, so that a lingering connection of the last run is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, PREFERRED_PORT))
        except OSError:
            return 0
    return PREFERRED_PORT


def _show(url: str, digits: Digits) -> None:
    """Sends the images and prints the answers; ends the process if one is wrong."""
    with LeptonAI(url, model="digits") as client:
        start = time.perf_counter()
        everything = np.asarray(client.inference(digits.images))
        seconds = time.perf_counter() - start
        right = int((everything.argmax(axis=1) == digits.labels).sum())
        out.print(
            f"{len(digits.images)} images that the model was not trained on, in one request: "
            f"{right} right ({right / len(digits.images):.1%}), {seconds * 1000:.1f} ms\n"
        )
        if right != digits.right:
            die("demo", f"{right} right, but its training counted {digits.right}", FAILED)

        chosen = np.random.default_rng().choice(len(digits.images), SHOWN, replace=False)
        over_http = [_timed(client, digits, int(index)) for index in chosen]
    with LeptonAI(url.replace("http://", "grpc://"), model="digits") as client:
        over_grpc = [_timed(client, digits, int(index)) for index in chosen]
    for index, http, grpc in zip(chosen, over_http, over_grpc, strict=True):
        out.print(_card(digits, int(index), {"HTTP": http, "gRPC": grpc}))
        if not np.array_equal(http.probabilities, grpc.probabilities):
            die("demo", f"HTTP and gRPC disagree on image {index}", FAILED)


def _timed(client: LeptonAI, digits: Digits, index: int) -> Served:
    image = digits.images[index : index + 1]
    client.infer(image)  # The first request opens the connection.
    start = time.perf_counter()
    answer = client.infer(image)
    total_ms = (time.perf_counter() - start) * 1000
    return Served(answer.outputs["probabilities"][0], total_ms, answer.timing_ms)


def _card(digits: Digits, index: int, answers: dict[str, Served]) -> Table:
    """Returns the image, with the model's answer and its time beside it."""
    probabilities = answers["HTTP"].probabilities
    guess = int(probabilities.argmax())
    truth = int(digits.labels[index])
    verdict = "[green]right[/]" if guess == truth else f"[red]wrong, it is a {truth}[/]"
    said = Table.grid()
    said.add_row(f"[bold]a {guess}[/] with probability {probabilities[guess]:.1%}, {verdict}")
    said.add_row(f"[dim]image {index} of those held out[/]\n")
    said.add_row(_timing_table(answers))
    card = Table.grid(padding=(0, 3))
    card.add_row(_art(digits.images[index, 0]), said)
    card.add_row("", "")
    return card


def _art(image: Array) -> Text:
    steps = np.rint(image * (len(_SHADES) - 1)).astype(int)
    return Text("\n".join("".join(_SHADES[step] for step in row) for row in steps))


def _timing_table(answers: dict[str, Served]) -> Table:
    """Returns a row per protocol: what the client saw, and the server's breakdown of it.

    A narrow screen has a column per protocol instead.
    """
    stations = list(next(iter(answers.values())).timing_ms)
    rows = [["[dim]µs[/]", "[dim]client sees[/]", *(f"[dim]{name}[/]" for name in stations)]]
    for protocol, served in answers.items():
        times = (served.total_ms, *(served.timing_ms.get(name, 0.0) for name in stations))
        rows.append([protocol, *(f"{ms * 1000:.0f}" for ms in times)])
    table = Table.grid(padding=(0, 2))
    for row in rows if out.width >= _CARD_WIDTH else zip(*rows, strict=True):
        table.add_row(*row)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _say_how(url: str, work: Path, digits: Digits) -> None:
    request = work / "request.json"
    image = digits.images[:1]
    tensor = {
        "name": "image",
        "datatype": "FP32",
        "shape": list(image.shape),
        "data": image.reshape(-1).tolist(),
    }
    request.write_text(json.dumps({"inputs": [tensor]}))
    out.print("[bold]Try it[/]")
    out.print(f"  curl -s {url}/v2/models/digits")
    out.print(f"  curl -s {url}/v2/models/digits/infer -d @{request}")
    out.print(f"  curl -s {url}/metrics")
    out.print(
        f"""  python -c 'import numpy as np; from lepton import LeptonAI; """
        f"""print(LeptonAI("{url}").inference(np.zeros((1, 1, 8, 8), np.float32)))'\n"""
    )


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Waits for Ctrl-C, or for the server to end by itself, which is a failure."""
    # Ctrl-C goes to the whole process group, so the server begins to drain at the same time.
    with contextlib.suppress(KeyboardInterrupt):
        out.print("[bold]Serving until Ctrl-C.[/]")
        code = process.wait()
        reason = signal.Signals(-code).name if code < 0 else f"code {code}"
        die("demo", f"the server ended with {reason}", FAILED)
    out.print(f"{os.linesep}stopped")
