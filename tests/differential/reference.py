"""Plain OpenVINO: one request by itself, in a process that may crash."""

from __future__ import annotations

import multiprocessing
import tempfile
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from graphs import Request

# With one thread OpenVINO ignores the faults it finds in a shape, and leaves an old answer.
SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": "2"}
ANSWER_SECONDS = 30


@dataclass
class Reply:
    """Outputs by name, or why there are none."""

    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    refused: str = ""


class Reference:
    """Answers from a child process, remade when a model crashes it. Single-threaded."""

    def __init__(self) -> None:
        # Spawned and not forked: the parent has threads, and OpenVINO must not see them.
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None

    def load(self, model: bytes, outputs: tuple[str, ...]) -> str:
        """Takes a model for the answers that follow; returns why it does not compile."""
        self._model = (model, outputs)
        return self._ask(self._model).refused

    def answer(self, request: Request) -> Reply:
        if self._process is None and (why := self.load(*self._model)):
            return Reply(refused=why)
        return self._ask(request)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None

    def _ask(self, question: object) -> Reply:
        if self._process is None:
            self._pipe, theirs = self._context.Pipe()
            self._process = self._context.Process(target=_answer_all, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        try:
            self._pipe.send(question)
            if self._pipe.poll(ANSWER_SECONDS):
                return self._pipe.recv()
            why = f"no answer in {ANSWER_SECONDS} s"
        except (EOFError, OSError):
            self._process.join(1)
            why = f"crashed: signal {-(self._process.exitcode or 0)}"
        self.close()
        return Reply(refused=why)


def _answer_all(pipe: Connection) -> None:
    import openvino as ov

    core = ov.Core()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        compiled, names = None, ()
        while True:
            try:
                question = pipe.recv()
            except EOFError:
                return
            try:
                if isinstance(question, tuple):
                    model, names = question
                    file.write_bytes(model)
                    compiled = core.compile_model(core.read_model(file), "CPU", SETTINGS)
                    pipe.send(Reply())
                else:
                    pipe.send(_answer(ov, compiled, names, question))
            except Exception as error:  # OpenVINO's exceptions have no common class.
                pipe.send(Reply(refused=" ".join(str(error).split())[:300]))


def _answer(ov: object, compiled: object, names: tuple[str, ...], request: Request) -> Reply:
    # A separate request, which has seen no other shape.
    infer = compiled.create_infer_request()
    # OpenVINO keeps the order, drops what no operation uses, and may rename an input.
    if len(compiled.inputs) == len(request):
        ports = dict(zip(request, compiled.inputs, strict=True))
    else:
        ports = {name: port for port in compiled.inputs for name in port.get_names()}
    for name, value in request.items():
        if name in ports:
            infer.set_tensor(ports[name], ov.Tensor(np.array(value, order="C")))
    infer.infer()
    tensors = [infer.get_tensor(port) for port in compiled.outputs]
    return Reply({name: np.array(tensor.data) for name, tensor in zip(names, tensors, strict=True)})
