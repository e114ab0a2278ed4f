"""Serves graphs, calls them all at once, and compares each answer with the reference."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from graphs import Graph, Request, is_defined, keeps_names
from onnx import helper, numpy_helper
from reference import Reference, Reply

from lepton import AsyncClient
from lepton.errors import LeptonError, Unavailable

LOAD_SECONDS = 60
ROUNDS = 4
COPIES = 3
# The model that keeps the cores busy.
BUSY = "zz_busy"
BUSY_ROW = np.ones((16, 512), np.float32)
# The server's log says for each model whether it serves, and why not.
TRIED = re.compile(r'model_(ready|failed) model=(\S+)(?:.*? reason="(.*)")?')
# More than the last bits of sums in another order; larger only where the graph is as sensitive.
RELATIVE = 2e-5
OF_LARGEST = 2e-6
NUDGES = 3
NUDGE = 1e-6


@dataclass(frozen=True)
class Finding:
    """A graph with the request that was not answered like OpenVINO alone."""

    graph: Graph
    kind: str
    request: Request
    expected: str
    answered: str

    def __str__(self) -> str:
        shapes = ", ".join(f"{n}={list(v.shape)}" for n, v in self.request.items())
        return (
            f"seed {self.graph.seed}: {self.kind}: asked {shapes}; expected {self.expected}; "
            f"answered {self.answered}; {self.graph}"
        )


@dataclass
class Tally:
    """Counts what a trial has seen, so that one that saw nothing is noticed."""

    graphs: int = 0
    answers: int = 0
    refusals: int = 0
    undefined: int = 0  # Requests whose result neither ONNX nor OpenVINO defines.
    shared: int = 0  # Requests beyond the first of a run.

    def add(self, other: Tally) -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def __str__(self) -> str:
        return (
            f"{self.graphs} graphs, {self.answers} answers, {self.refusals} refusals, "
            f"{self.undefined} undefined, {self.shared} requests in the run of another"
        )


@dataclass
class Trial:
    """A graph with its name on the server, its requests, and OpenVINO's answers to them."""

    name: str
    graph: Graph
    requests: list[Request]
    expected: list[Reply]
    # Requests whose result neither ONNX nor OpenVINO defines.
    undefined: set[int] = field(default_factory=set)

    def died(self, how: str) -> Finding:
        wanted = "an answer or a refusal"
        return Finding(self.graph, "the server dies", self.requests[0], wanted, how)


def try_graphs(
    graphs: list[Graph],
    requests: list[list[Request]],
    binary: Path,
    folder: Path,
    reference: Reference,
    tally: Tally,
) -> list[Finding]:
    """Serves all in one process, and returns at most one finding for each."""
    trials = []
    for graph, asked in zip(graphs, requests, strict=True):
        # What OpenVINO does not compile is not a model.
        if not reference.load(graph.to_onnx().SerializeToString(), graph.outputs):
            expected = [reference.answer(request) for request in asked]
            trials.append(Trial(f"m{len(trials):03}", graph, asked, expected))
    findings: list[Finding] = []
    # Groups, each for one server, and whether a group whose server dies is then halved.
    waiting = [(trials, False)]
    while waiting:
        group, halved = waiting.pop()
        if not group:
            continue
        with Server(binary, folder, group) as server:
            suspect = server.wait_until_tried()
            if not server.how:
                suspect = asyncio.run(_ask_all(server, group, reference, findings, tally))
        if not server.how:
            continue
        if len(group) == 1:
            findings.append(group[0].died(server.how))
        elif suspect is not None and not halved:
            # By itself it shows whether it is at fault; the others go on without it.
            waiting.append(([trial for trial in group if trial is not suspect], True))
            waiting.append(([suspect], True))
        else:
            half = len(group) // 2
            waiting += [(group[:half], True), (group[half:], True)]
    # A crash that affected several has repeated some answers.
    return list({id(finding.graph): finding for finding in findings}.values())


class Server:
    """One process that serves graphs on a free port, and `how` it died."""

    def __init__(self, binary: Path, folder: Path, trials: list[Trial]):
        self.trials = trials
        self.reasons: dict[str, str] = {}
        self.how = ""
        shutil.rmtree(folder, ignore_errors=True)
        for trial in trials:
            version = folder / "models" / trial.name / "1"
            version.mkdir(parents=True)
            (version / "model.onnx").write_bytes(trial.graph.to_onnx().SerializeToString())
        busy = folder / "models" / BUSY / "1"
        busy.mkdir(parents=True)
        (busy / "model.onnx").write_bytes(_busy_model())
        self.log = folder / "server.log"
        with self.log.open("w") as stderr:
            self.process = subprocess.Popen(
                [
                    str(binary),
                    "serve",
                    str(folder / "models"),
                    "--host",
                    "127.0.0.1",
                    "--port",
                    "0",
                ],
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                # What it keeps between starts does not go to the user's folders.
                env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
            )

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_until_tried(self) -> Trial | None:
        """Waits until each model serves or has failed; returns a suspect if the process died."""
        give_up = time.monotonic() + LOAD_SECONDS
        known = 0
        while True:
            ended = self.process.poll()
            self.reasons = {n: why for _, n, why in TRIED.findall(self.log.read_text())}
            if len(self.reasons) == len(self.trials) + 1:
                return None
            if ended is not None or time.monotonic() > give_up:
                self.how = f"signal {-ended}, at load" if ended is not None else "hangs, at load"
                # They load in the order of their names, one after the other.
                untried = [trial for trial in self.trials if trial.name not in self.reasons]
                return untried[0] if untried else None
            if len(self.reasons) > known:
                known = len(self.reasons)
                give_up = time.monotonic() + LOAD_SECONDS
            time.sleep(0.01)

    def has_died(self) -> bool:
        if self.process.poll() is None:
            return False
        self.how = f"signal {-self.process.returncode}, at a request"
        return True

    @property
    def port(self) -> int:
        found = re.search(r"listening .*?port=(\d+)", self.log.read_text())
        assert found is not None, "the server listens before it loads"
        return int(found[1])


async def _ask_all(
    server: Server, group: list[Trial], reference: Reference, findings: list[Finding], tally: Tally
) -> Trial | None:
    """Sends each graph all of its requests at once, several times; returns a suspect if it dies."""
    rng = random.Random(0)
    http = f"http://127.0.0.1:{server.port}"
    serving = [trial for trial in group if not server.reasons[trial.name]]
    for trial in group:
        if why := server.reasons[trial.name]:
            asked = trial.requests[0]
            findings.append(Finding(trial.graph, "not loaded", asked, "a model that serves", why))
    async with AsyncClient(http) as first, AsyncClient(http.replace("http", "grpc")) as second:
        for i, trial in enumerate(serving):
            beside = serving[i - 1]
            tally.graphs += 1
            found = None
            for turn in range(ROUNDS):
                client = (first, second)[turn % 2]
                asked = list(range(len(trial.requests))) * COPIES
                rng.shuffle(asked)
                # While another model has the cores, requests gather and then share runs.
                replies = await asyncio.gather(
                    _ask(client, BUSY, {"x": BUSY_ROW}),
                    *(_ask(client, trial.name, trial.requests[k]) for k in asked),
                    *(_ask(client, beside.name, request) for request in beside.requests),
                )
                if any(reply.refused.startswith("unavailable") for reply in replies):
                    await asyncio.sleep(0.2)
                    if server.has_died():
                        return trial
                for k, reply in zip(asked, replies[1:], strict=False):
                    tally.answers += not reply.refused
                    tally.refusals += bool(reply.refused)
                    if found is None and k not in trial.undefined:
                        found = _judge(trial, k, reply, reference)
            tally.undefined += len(trial.undefined)
            if found is not None:
                findings.append(found)
        try:
            tally.shared += await asyncio.to_thread(_shared, server.port)
        except OSError:
            if not server.has_died():
                raise
    return None


def _judge(trial: Trial, k: int, reply: Reply, reference: Reference) -> Finding | None:
    expected, request = trial.expected[k], trial.requests[k]
    found = compare(trial.graph, request, expected, reply, reference)
    if found is None or expected.refused:
        return found
    # OpenVINO may find an output empty where it refuses the same shape at another time.
    empty = any(not output.size for output in expected.outputs.values())
    if is_defined(trial.graph, request) and not (reply.refused and empty):
        return found
    trial.undefined.add(k)
    return None


async def _ask(client: AsyncClient, name: str, request: Request) -> Reply:
    try:
        return Reply((await client.infer(request, model=name)).outputs)
    except Unavailable as error:
        return Reply(refused=f"unavailable: {error}")
    except (LeptonError, ValueError) as error:
        return Reply(refused=f"{getattr(error, 'code', 'client')}: {error}")


def _shared(port: int) -> int:
    """Counts the requests that ran together with others, from Triton's metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        page = answer.read().decode()

    def total(metric: str) -> float:
        return sum(float(v) for v in re.findall(rf"^{metric}{{.*}} (\S+)$", page, re.M))

    return int(total("nv_inference_request_success") - total("nv_inference_exec_count"))


def _busy_model() -> bytes:
    """A model that takes some milliseconds."""
    weights = numpy_helper.from_array(np.eye(BUSY_ROW.shape[1], dtype=np.float32), "w")
    nodes = [
        helper.make_node("MatMul", [f"v{i}" if i else "x", "w"], [f"v{i + 1}"]) for i in range(8)
    ]
    shape = list(BUSY_ROW.shape)
    graph = helper.make_graph(
        nodes,
        BUSY,
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("v8", onnx.TensorProto.FLOAT, shape)],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    return model.SerializeToString()


def compare(
    graph: Graph, request: Request, expected: Reply, answered: Reply, reference: Reference
) -> Finding | None:
    """Compares an answer with OpenVINO's own."""

    def finding(kind: str, wanted: object, got: object) -> Finding:
        return Finding(graph, kind, request, _short(wanted), _short(got))

    if expected.refused and answered.refused:
        return None
    if expected.refused:
        return finding("answered what OpenVINO refuses", expected.refused, answered.outputs)
    if answered.refused:
        if not keeps_names(graph, request):
            return None
        return finding("refused what OpenVINO answers", expected.outputs, answered.refused)
    for name, wanted in expected.outputs.items():
        got = answered.outputs.get(name)
        if got is None:
            return finding("output missing", name, list(answered.outputs))
        if got.dtype != wanted.dtype or got.shape != wanted.shape:
            return finding(
                f"{name} of another type or shape",
                f"{wanted.dtype}{list(wanted.shape)}",
                f"{got.dtype}{list(got.shape)}",
            )
        if not _close(wanted, got, 0.0):
            noise = _noise(graph, request, name, wanted, reference)
            if noise is None or not _close(wanted, got, noise):
                return finding(f"{name} differs", *_where(wanted, got))
    return None


def _close(wanted: np.ndarray, got: np.ndarray, noise: np.ndarray | float) -> bool:
    if wanted.dtype.kind != "f":
        return (
            bool(np.array_equal(wanted, got))
            if np.isscalar(noise)
            else bool(np.all((wanted == got) | (noise > 0)))
        )
    # Half precision is rounded at the end: one unit of its last place.
    relative = 2e-3 if wanted.dtype == np.float16 else RELATIVE
    wanted, got = wanted.astype(np.float64), got.astype(np.float64)
    same = (wanted == got) | (np.isnan(wanted) & np.isnan(got))
    finite = np.isfinite(wanted) & np.isfinite(got)
    largest = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=0)
    with np.errstate(invalid="ignore"):
        near = np.abs(wanted - got) <= relative * np.abs(wanted) + OF_LARGEST * largest + noise
    return bool(np.all(same | (finite & near) | ~np.isfinite(np.broadcast_to(noise, same.shape))))


def _noise(
    graph: Graph, request: Request, name: str, wanted: np.ndarray, reference: Reference
) -> np.ndarray | None:
    """How far the output moves when the inputs move as far as rounding moves them."""
    reference.load(graph.to_onnx().SerializeToString(), graph.outputs)
    rng = np.random.default_rng(0)
    moved = np.zeros(wanted.shape)
    for _ in range(NUDGES):
        nudged = {
            n: (v * (1 + NUDGE * rng.choice((-1.0, 1.0), v.shape))).astype(v.dtype)
            if v.dtype == np.float32
            else v
            for n, v in request.items()
        }
        reply = reference.answer(nudged)
        other = reply.outputs.get(name)
        if other is None or other.shape != wanted.shape:
            return None
        with np.errstate(invalid="ignore"):
            step = np.abs(other.astype(np.float64) - wanted.astype(np.float64))
        same = (other == wanted) | ((other != other) & (wanted != wanted))
        moved = np.maximum(moved, np.where(same, 0, np.nan_to_num(step, nan=np.inf)))
    return 10 * moved


def _where(wanted: np.ndarray, got: np.ndarray) -> tuple[str, str]:
    """The first place with the largest difference, for a large output."""
    if wanted.size <= 8:
        return _short(wanted), _short(got)
    a, b = wanted.astype(np.float64), got.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(np.abs(a - b), nan=np.inf)
    at = np.unravel_index(
        int(np.argmax(np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, apart))), a.shape
    )
    place = [int(i) for i in at]
    return f"{wanted[at]!s} at {place} of {list(wanted.shape)}", f"{got[at]!s}"


def _short(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{n}={_short(v)}" for n, v in value.items())
    if isinstance(value, np.ndarray):
        text = " ".join(str(value.tolist()).split())
        return text if len(text) <= 80 else f"{text[:80]}... {list(value.shape)}"
    return " ".join(str(value).split())[:200]
