"""The attacked models: small ones, and two whose answers are much larger than requests."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from shared import ROOT, identity, per_row, write_model

ROW_OF_WIDE = 1 << 20  # Bytes of an answer to one number.


def write_models(repository: Path) -> Path:
    """digits, for the healthy client; double, wide and slow, for the attackers."""
    digits = repository / "digits/1"
    digits.mkdir(parents=True)
    shutil.copy(ROOT / "examples/digits/model.onnx", digits)
    x = _input([-1, 4])
    _save(repository, "double", ops.multiply(x, np.float32(2)), x)
    x = _input([-1, 1])
    _save(repository, "wide", ops.tile(x, np.array([1, ROW_OF_WIDE // 4])), x)
    fifo = 'parameters { key: "policy" value { string_value: "fifo" } }'
    write_model(repository, "slow", per_row(), config=fifo + " max_batch_size: 8")
    write_model(repository, "texts", identity("BYTES", [-1, 1]))
    return repository


def _input(shape: list[int]) -> ov.Node:
    x = ops.parameter(shape, np.float32, name="x")
    x.output(0).set_names({"x"})
    return x


def _save(repository: Path, name: str, y: ov.Node, x: ov.Node) -> None:
    y.output(0).set_names({"y"})
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    ov.save_model(ov.Model([y], [x], name), folder / "model.xml", compress_to_fp16=False)
