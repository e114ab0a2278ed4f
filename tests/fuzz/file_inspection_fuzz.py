"""Inspects mutated model files as `lepton create` does before it loads them.

Takes the options of libFuzzer that run.sh passes, and heeds -max_total_time and -artifact_prefix.
It checks that only CreateError is raised, and that no pickle asks Python for something that the
inspection has not named.
"""

from __future__ import annotations

import collections
import contextlib
import io
import pickle
import random
import re
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path

from lepton.create import keras, onnx_file, pytorch_code, pytorch_file, pytorch_pickle
from lepton.create import tensorflow_graph as tensorflow
from lepton.create.errors import CreateError

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 20_000  # Larger seeds are slow, and hold the same kinds of bytes.
MOST_MEMORY = 2 << 30
INTERESTING = [
    *(b"\x80\x02", b"cos\nsystem\n", b"\x93", b"R", b".", b"\x8c\x02os", b"\xff" * 4, b"\0" * 8),
    *(b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"[" * 50, b'{"config":'),
]


class Evil:
    def __reduce__(self) -> tuple:
        return eval, ("1",)


class Anything:
    """Stands for a harmless name; never the real thing."""

    def __new__(cls, *_: object) -> Anything:
        return object.__new__(cls)

    def __setstate__(self, _: object) -> None: ...


class Asking(pickle._Unpickler):  # The C version may allocate for an index of 32 bits.
    def __init__(self, data: bytes, asked: list[str]) -> None:
        super().__init__(io.BytesIO(data))
        self._asked = asked

    def find_class(self, module: str, name: str) -> type:
        if not pytorch_pickle._HARMLESS.fullmatch(f"{module}.{name}"):
            self._asked.append(f"{module}.{name}")
            raise pickle.UnpicklingError
        return Anything

    def persistent_load(self, _: object) -> object:
        return Anything()

    def get_extension(self, code: int) -> None:
        self._asked.append(f"extension {code}")
        raise pickle.UnpicklingError


def check_pickle(data: bytes) -> None:
    _, named = pytorch_pickle._globals(io.BytesIO(data), strict=True)
    asked: list[str] = []
    with contextlib.suppress(Exception):  # What it does with nonsense is Python's business.
        Asking(data, asked).load()
    assert named or not asked, f"{asked} was asked for, nothing was named"


def of_file(look: Callable[[Path], object]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        FILE.write_bytes(data)
        look(FILE)

    return check


def zipped(members: dict[str, bytes], packed: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packed) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def pickles() -> list[bytes]:
    held = [
        collections.OrderedDict(a=1),
        {"a": [1.5, b"x", "y" * 300]},
        Evil(),
        [Evil()] * 2,
        1 << 99,
    ]
    return [pickle.dumps(one, protocol) for one in held for protocol in range(6)]


def archives() -> list[bytes]:
    plain, evil = pickle.dumps({"a": 1}, 2), pickle.dumps(Evil(), 2)
    inner = zipped({"m/data.pkl": evil})
    return [
        zipped({"m/data.pkl": plain, "m/data/0": bytes(16), "m/version": b"3\n"}),
        zipped({"m/data.pkl": evil}, zipfile.ZIP_DEFLATED),
        zipped({"m/sample_inputs/model.pt": inner, "models/model.json": b"{}"}),
        zipped(
            {"m/constants.pkl": plain, "m/code/__torch__.py": b"def forward(self):\n  return 1\n"}
        ),
        zipped(
            {
                "a_config.json": b'{"config":{"a":{"path_name":"weight_0","use_pickle":true}}}',
                "data/weights/weight_0": evil,
            }
        ),
        zipped({"config.json": b'{"class_name":"Functional","config":{}}', "metadata.json": b"{}"}),
    ]


def graphs() -> list[bytes]:
    files = sorted((ROOT / "tests/data").rglob("*"))
    return [
        file.read_bytes()
        for file in files
        if file.suffix in (".onnx", ".pb", ".h5", ".pdmodel") and file.stat().st_size < MOST_BYTES
    ]


def targets() -> list[tuple[Callable[[bytes], None], list[bytes]]]:
    return [
        (check_pickle, pickles()),
        (of_file(pytorch_pickle.named_in_archive), archives()),
        (of_file(pytorch_file.detect), [*archives(), *pickles()]),
        (
            of_file(lambda file: pytorch_code.code_in(file, pytorch_file.TORCHSCRIPT.name)),
            archives(),
        ),
        (of_file(lambda file: pytorch_code.code_in(file, pytorch_file.EXPORTED.name)), archives()),
        (of_file(keras.detect), archives()),
        (of_file(onnx_file.external_files), graphs()),
        (of_file(onnx_file.graph_inputs), graphs()),
        (of_file(tensorflow.operations_beyond), graphs()),
    ]


def mutated(chosen: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(chosen.choice(seeds))
    for _ in range(chosen.choice((1, 1, 2, 4, 16))):
        at = chosen.randrange(len(data) + 1)
        match chosen.randrange(5):
            case 0:
                data[at : at + 1] = chosen.randbytes(1)
            case 1:
                del data[at : at + chosen.randint(1, 16)]
            case 2:
                data[at:at] = chosen.choice(INTERESTING)
            case 3:
                other = chosen.choice(seeds)
                begin = chosen.randrange(len(other))
                data[at:at] = other[begin : begin + chosen.randint(1, 64)]
            case _:
                if at < len(data):
                    data[at] ^= 1 << chosen.randrange(8)
    return bytes(data)


def main() -> int:
    options = " ".join(sys.argv[1:])
    seconds = re.search(r"-max_total_time=(\d+)", options)
    prefix = re.search(r"-artifact_prefix=(\S+)", options)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    chosen = random.Random(seed)
    until = time.monotonic() + (int(seconds[1]) if seconds else 60)
    looks = targets()
    inputs = 0
    while time.monotonic() < until:
        check, seeds = looks[inputs % len(looks)]
        data = mutated(chosen, seeds)
        inputs += 1
        try:
            check(data)
        except CreateError:
            continue
        except Exception as error:
            traceback.print_exc()
            file = Path(f"{prefix[1] if prefix else ''}crash-{inputs}")
            file.write_bytes(data)
            print(f"SUMMARY: {type(error).__name__}: {error}; {file}")
            return 1
    print(f"stat::number_of_executed_units: {inputs}")
    return 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        FILE = Path(folder) / "model"
        sys.exit(main())
