"""Asks one model again and again from Python, and prints what that gave as lepton-load does.

    python bench/load/python_client.py lepton http://127.0.0.1:8000 --model mlp --input input:1x128

Inputs are FP32. What is timed is one request of a program: array in, array out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable

import numpy as np

Array = np.ndarray
Ask = Callable[[Array], Array]


def lepton_client(url: str, model: str, name: str) -> Ask:
    """lepton.Client on a server."""
    from lepton import Client

    client = Client(url, model)
    return lambda array: next(iter(client.infer({name: array}).outputs.values()))


def lepton_in_process(folder: str, model: str, name: str) -> Ask:
    """LeptonAI with the engine in this process, from a model repository."""
    from lepton import LeptonAI

    ai = LeptonAI(service=folder, model=model)
    return lambda array: ai.inference({name: array})


def openvino(file: str, model: str, name: str) -> Ask:
    """OpenVINO by itself, with the options that Lepton runs it with."""
    import openvino as ov

    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    compiled = ov.Core().compile_model(file, "CPU", options)
    return lambda array: compiled({name: array})[0]


def triton_http(address: str, model: str, name: str) -> Ask:
    """tritonclient over HTTP, binary tensors; reusable objects are reused."""
    import tritonclient.http as triton

    client = triton.InferenceServerClient(address)
    return _triton_ask(triton, client, address, model, name)


def triton_grpc(address: str, model: str, name: str) -> Ask:
    """tritonclient over gRPC."""
    import tritonclient.grpc as triton

    client = triton.InferenceServerClient(address)
    return _triton_ask(triton, client, address, model, name)


def _triton_ask(triton, client, address: str, model: str, name: str) -> Ask:  # noqa: ANN001
    output = client.get_model_metadata(model)
    output = output["outputs"][0]["name"] if isinstance(output, dict) else output.outputs[0].name

    def ask(array: Array) -> Array:
        tensor = triton.InferInput(name, array.shape, "FP32")
        tensor.set_data_from_numpy(array)
        return client.infer(model, [tensor]).as_numpy(output)

    return ask


WAYS: dict[str, Callable[[str, str, str], Ask]] = {
    "lepton": lepton_client,
    "lepton-in-process": lepton_in_process,
    "openvino": openvino,
    "triton-http": triton_http,
    "triton-grpc": triton_grpc,
}


def repeat(ask: Ask, array: Array, seconds: float) -> list[int]:
    """Returns the nanoseconds of each request."""
    took = []
    now = time.perf_counter_ns
    before = now()
    end = before + seconds * 1e9
    while before < end:
        ask(array)
        after = now()
        took.append(after - before)
        before = after
    return took


def main() -> None:
    """Runs one way of calling and prints one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("where", help="URL or address of a server, folder, or model file")
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True, help="NAME:2x3x4")
    parser.add_argument("--output-bytes", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--warmup", type=float, default=0.5)
    parser.add_argument("--cpu", type=int, help="stay on this processor")
    arguments = parser.parse_args()
    if arguments.cpu is not None:
        os.sched_setaffinity(0, {arguments.cpu})
    name, shape = arguments.input.split(":")
    extents = [int(extent) for extent in shape.split("x")]
    array = np.random.default_rng(1).uniform(-1, 1, extents).astype(np.float32)
    ask = WAYS[arguments.way](arguments.where, arguments.model, name)
    answer = ask(array)
    if answer.nbytes != arguments.output_bytes:
        raise SystemExit(f"{answer.nbytes} bytes came back, not {arguments.output_bytes}")
    repeat(ask, array, arguments.warmup)
    cpu_before = resource.getrusage(resource.RUSAGE_SELF)
    took = sorted(repeat(ask, array, arguments.seconds))
    cpu = resource.getrusage(resource.RUSAGE_SELF)
    cpu_seconds = cpu.ru_utime + cpu.ru_stime - cpu_before.ru_utime - cpu_before.ru_stime
    figures = {
        "what": arguments.way,
        "requests": len(took),
        "rate": len(took) / (sum(took) / 1e9),
        "latency_us": {
            "p50": took[len(took) // 2] / 1e3,
            "p99": took[len(took) * 99 // 100] / 1e3,
        },
        "client_cpu_us_per_request": cpu_seconds / len(took) * 1e6,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
