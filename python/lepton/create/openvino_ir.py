"""Formats that only OpenVINO reads here: its own, and PaddlePaddle's."""

from __future__ import annotations

from pathlib import Path

from lepton.create.framework import Format, Job, NoReferenceError, Original

IR = Format("OpenVINO IR", "OpenVINO", "openvino_ir", (".xml",), ".xml", converted=False)
PADDLE = Format(
    "PaddlePaddle", "PaddlePaddle", "openvino_ir", (".pdmodel",), ".pdmodel", converted=False
)
FORMATS = (IR, PADDLE)


def detect(path: Path) -> Format | None:
    """Returns the format by the file's name."""
    if not path.is_file():
        return None
    return next((one for one in FORMATS if path.suffix.lower() in one.suffixes), None)


def load(job: Job) -> Original:
    """Raises NoReferenceError: there is nothing else to compare with."""
    if job.format == IR.name:
        raise NoReferenceError("OpenVINO's own format has no other framework to compare with")
    raise NoReferenceError("PaddlePaddle is not among the frameworks that it is compared with")
