"""The same models in a model repository, served by the real server and called over the network."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import tritonclient.http as triton
from cases import Case
from outcome import CORRECT, Outcome, Verdict, refused
from tritonclient.utils import InferenceServerException

# Few enough for a crash to cost little, and enough for start-ups not to matter.
MODELS_PER_SERVER = 128
# A server that reports no further model for this long hangs.
LOAD_SECONDS = 60
ANSWER_SECONDS = 30

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "bfloat16": "BF16",
    "float32": "FP32",
    "float64": "FP64",
    "object": "BYTES",
}
# The server's log says for each model whether it serves, and why not.
TRIED = re.compile(r'model_(ready|failed) model=(\S+)(?:.*? reason="(.*)")?')


@dataclass
class Pass:
    """How far one server came with its models."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    # For a server that died or hangs: why, and the model that probably caused it.
    crash: str = ""
    suspect: Case | None = None


def run_served(cases: list[Case], binary: Path, folder: Path, servers: int) -> dict[str, Outcome]:
    """Serves the cases, `servers` processes at a time; a crash is pinned to the model at fault."""
    outcomes: dict[str, Outcome] = {}
    carried = []
    for case in cases:
        if kind := _not_carried(case):
            outcomes[case.name] = Outcome(Verdict.NOT_CARRIED, kind)
        else:
            carried.append(case)
    groups = [carried[i : i + MODELS_PER_SERVER] for i in range(0, len(carried), MODELS_PER_SERVER)]

    def serve(numbered: tuple[int, list[Case]]) -> dict[str, Outcome]:
        number, group = numbered
        return _serve_group(group, binary, folder / f"group{number}")

    with ThreadPool(servers) as pool:
        for answered in pool.imap_unordered(serve, enumerate(groups), chunksize=1):
            outcomes |= answered
    return outcomes


def _serve_group(group: list[Case], binary: Path, folder: Path) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    # Groups, each for one server, and whether a group whose server dies is then halved.
    waiting = [(group, False)]
    while waiting:
        group, halved = waiting.pop()
        if not group:
            continue
        served = _serve_once(group, binary, folder)
        outcomes |= served.outcomes
        if not served.crash:
            continue
        rest = [case for case in group if case.name not in served.outcomes]
        if len(group) == 1:
            outcomes[group[0].name] = Outcome(Verdict.CRASHED, served.crash)
        elif served.suspect is not None and not halved:
            # By itself it shows whether it is at fault; the others go on without it.
            waiting.append(([case for case in rest if case is not served.suspect], True))
            waiting.append(([served.suspect], True))
        else:
            half = (len(rest) + 1) // 2
            waiting += [(rest[:half], True), (rest[half:], True)]
    return outcomes


def _serve_once(group: list[Case], binary: Path, folder: Path) -> Pass:
    shutil.rmtree(folder, ignore_errors=True)
    for case in group:
        version = folder / "models" / case.name / "1"
        version.mkdir(parents=True)
        (version / "model.onnx").write_bytes(case.model)
    log = folder / "server.log"
    with log.open("w") as stderr:
        server = subprocess.Popen(
            [str(binary), "serve", str(folder / "models"), "--host", "127.0.0.1", "--port", "0"],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            # What it keeps between starts does not go to the user's folders.
            env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        )
    try:
        return _ask_all(group, server, log)
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _ask_all(group: list[Case], server: subprocess.Popen[bytes], log: Path) -> Pass:
    outcome = Pass()
    tried, crash = _wait_until_tried(group, server, log)
    if crash:
        outcome.crash = f"{crash}, at load"
        # They load in this order, one after the other.
        untried = sorted((case for case in group if case.name not in tried), key=lambda c: c.name)
        outcome.suspect = untried[0] if untried and len(untried) < len(group) else None
        return outcome
    port = re.search(r"listening .*?port=(\d+)", log.read_text())
    assert port is not None, "the server listens before it loads"
    with triton.InferenceServerClient(
        f"127.0.0.1:{port[1]}", network_timeout=ANSWER_SECONDS, connection_timeout=ANSWER_SECONDS
    ) as client:
        for case in group:
            if reason := tried[case.name]:
                outcome.outcomes[case.name] = refused(reason)
                continue
            answered = _answer(client, case)
            if server.poll() is not None:
                outcome.crash = f"signal {-server.returncode}, at a request"
                outcome.suspect = case
                return outcome
            outcome.outcomes[case.name] = answered
    return outcome


def _wait_until_tried(
    group: list[Case], server: subprocess.Popen[bytes], log: Path
) -> tuple[dict[str, str], str]:
    """Waits until each model serves or has failed; returns why it failed by name, and a crash."""
    known = 0
    give_up = time.monotonic() + LOAD_SECONDS
    while True:
        ended = server.poll()
        tried = {name: reason for _, name, reason in TRIED.findall(log.read_text(errors="replace"))}
        if len(tried) == len(group):
            return tried, ""
        if ended is not None:
            return tried, f"signal {-ended}" if ended < 0 else f"exit status {ended}"
        if len(tried) > known:
            known = len(tried)
            give_up = time.monotonic() + LOAD_SECONDS
        if time.monotonic() > give_up:
            return tried, f"no model in {LOAD_SECONDS} s"
        time.sleep(0.02)


def _answer(client: triton.InferenceServerClient, case: Case) -> Outcome:
    for values, expected in case.requests:
        inputs = []
        for name, value in zip(case.inputs, values, strict=True):
            array = np.asarray(value)
            tensor = triton.InferInput(name, list(array.shape), DATATYPES[array.dtype.name])
            tensor.set_data_from_numpy(array, binary_data=True)
            inputs.append(tensor)
        outputs = [triton.InferRequestedOutput(name, binary_data=True) for name in case.outputs]
        try:
            answer = client.infer(case.name, inputs, outputs=outputs)
            answered = [_to_array(answer, name) for name in case.outputs]
        except InferenceServerException as error:
            return refused(error.message())
        # The connection was cut or timed out; the caller sees whether the server died.
        except (OSError, http.client.HTTPException, EOFError) as error:
            return refused(f"{type(error).__name__}: {error}")
        if difference := case.wrong(expected, answered):
            return Outcome(Verdict.WRONG, difference)
    return CORRECT


def _to_array(answer: triton.InferResult, name: str) -> np.ndarray:
    output = answer.get_output(name)
    if output is None:
        raise InferenceServerException(f'the answer has no output "{name}"')
    array = answer.as_numpy(name)
    if output["datatype"] == "BYTES":
        return np.array([element.decode() for element in array.ravel()], dtype=object).reshape(
            array.shape
        )
    return array


def _not_carried(case: Case) -> str:
    """Names the values that the protocol has no tensor for."""
    for values, expected in case.requests:
        for value in [*values, *expected]:
            if value is None or isinstance(value, list):
                return "sequence or optional"
            # Strings may have numpy's own type as well.
            name = np.asarray(value).dtype.name
            if name not in DATATYPES and not name.startswith("str"):
                return name
    return ""
