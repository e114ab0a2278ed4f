"""Plain OpenVINO from Python, with the server's settings, in processes that may crash."""

from __future__ import annotations

import multiprocessing
import tempfile
from multiprocessing.connection import Connection, wait
from pathlib import Path

import ml_dtypes
import numpy as np
from cases import Case
from outcome import CORRECT, Outcome, Verdict, refused

# More than one thread, because with one OpenVINO ignores the faults it finds in a shape.
SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",
    "NUM_STREAMS": "1",
    "INFERENCE_NUM_THREADS": "2",
}
# A case that takes longer than this hangs.
CASE_SECONDS = 60


def run_plain(cases: list[Case], processes: int) -> dict[str, Outcome]:
    """Runs each case; one that crashes its process is `crashed`, and the next go on in another."""
    # Forked before this process loads OpenVINO: the children have the cases without a copy.
    context = multiprocessing.get_context("fork")
    outcomes: dict[str, Outcome] = {}
    shares = [cases[i::processes] for i in range(processes)]
    workers = [_Worker(context, share, outcomes) for share in shares if share]
    while running := [worker for worker in workers if worker.rest]:
        ready = wait([worker.pipe for worker in running], timeout=1)
        for worker in running:
            worker.turn(worker.pipe in ready)
    for worker in workers:
        worker.process.join()
    return outcomes


class _Worker:
    """A share of the cases and the process that works on the first one left. Single-threaded."""

    def __init__(
        self,
        context: multiprocessing.context.BaseContext,
        share: list[Case],
        outcomes: dict[str, Outcome],
    ):
        self.context = context
        self.rest = share
        self.outcomes = outcomes
        self._start()

    def _start(self) -> None:
        self.pipe, theirs = self.context.Pipe(duplex=False)
        self.process = self.context.Process(target=_answer_all, args=(self.rest, theirs))
        self.process.start()
        theirs.close()
        self.waited = 0

    def turn(self, readable: bool) -> None:
        """Takes an available outcome; gives up on a process that died or takes too long."""
        if readable:
            try:
                outcome = self.pipe.recv()
                self.waited = 0
            except EOFError:
                self.process.join()
                outcome = Outcome(Verdict.CRASHED, f"signal {-(self.process.exitcode or 0)}")
        else:
            self.waited += 1
            if self.waited < CASE_SECONDS:
                return
            self.process.kill()
            self.process.join()
            outcome = Outcome(Verdict.CRASHED, f"no answer in {CASE_SECONDS} s")
        self.outcomes[self.rest[0].name] = outcome
        self.rest = self.rest[1:]
        if outcome.verdict == Verdict.CRASHED and self.rest:
            self._start()


def _answer_all(cases: list[Case], pipe: Connection) -> None:
    import openvino as ov

    core = ov.Core()
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            # OpenVINO reads a file differently from bytes, and the server is given files.
            file = Path(folder) / f"{case.name}.onnx"
            file.write_bytes(case.model)
            pipe.send(_answer(core, case, file))
            file.unlink()


def _answer(core: object, case: Case, file: Path) -> Outcome:
    import openvino as ov

    try:
        compiled = core.compile_model(core.read_model(file), "CPU", SETTINGS)
        request = compiled.create_infer_request()
        ports = _input_ports(compiled, case)
        for values, expected in case.requests:
            for name, value in zip(case.inputs, values, strict=True):
                if isinstance(value, list) or value is None:
                    return refused("takes a sequence or an optional")
                # OpenVINO drops inputs that no operation uses.
                if name in ports:
                    request.set_tensor(ports[name], _to_tensor(ov, np.asarray(value)))
            request.infer()
            answered = [_to_array(ov, request.get_tensor(port)) for port in compiled.outputs]
            if difference := case.wrong(expected, answered):
                return Outcome(Verdict.WRONG, difference)
    except Exception as error:  # OpenVINO's exceptions have no common class.
        return refused(error)
    return CORRECT


def _input_ports(compiled: object, case: Case) -> dict[str, object]:
    # OpenVINO keeps the order, and gives an input that is also an output only the output's name.
    if len(compiled.inputs) == len(case.inputs):
        return dict(zip(case.inputs, compiled.inputs, strict=True))
    return {name: port for port in compiled.inputs for name in port.get_names()}


# Types that numpy lacks: ml_dtypes' names to OpenVINO's.
_FOREIGN = {
    "bfloat16": "bf16",
    "float8_e4m3fn": "f8e4m3",
    "float8_e5m2": "f8e5m2",
    "float8_e8m0fnu": "f8e8m0",
}


def _to_tensor(ov: object, value: np.ndarray) -> object:
    if value.dtype == object:
        return ov.Tensor(np.array(value.tolist(), dtype=np.str_).reshape(value.shape))
    if (name := _FOREIGN.get(value.dtype.name)) is not None:
        tensor = ov.Tensor(getattr(ov.Type, name), ov.Shape(value.shape))
        tensor.data[...] = value.view(tensor.data.dtype)
        return tensor
    return ov.Tensor(np.array(value, order="C"))


def _to_array(ov: object, tensor: object) -> np.ndarray:
    kind = tensor.element_type.get_type_name()
    if kind == "string":
        return np.array(tensor.str_data, dtype=object).reshape(tuple(tensor.shape))
    for ours, theirs in _FOREIGN.items():
        if kind == theirs:
            return np.array(tensor.data).view(getattr(ml_dtypes, ours))
    return np.array(tensor.data)
