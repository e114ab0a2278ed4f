"""What lepton.json says of each version: the record of how it was made, and what was found.

`lepton.json` is `{"format": 1, "name": ..., "versions": {"1": Facts, ...}}`. The report is made
from a version's `Facts` alone. Keys are only ever added; a reader takes a missing one as unknown,
because files of older releases lack it.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class SourceFacts(TypedDict):
    """The file or folder that the user named."""

    path: str
    # In the form of `sha256sum`; of a folder, the hash of its lines of `sha256sum`.
    sha256: str
    size_bytes: int
    files: list[str]


class TensorFacts(TypedDict):
    """An input or output: KServe's datatype; -1 is an extent that a request chooses."""

    name: str
    datatype: str
    shape: list[int]


class SignatureFacts(TypedDict):
    """What the served model takes and gives, as the server's metadata says it."""

    inputs: list[TensorFacts]
    outputs: list[TensorFacts]


class LatencyFacts(TypedDict):
    """How long one run of `batch` rows takes in OpenVINO in-process."""

    batch: int
    runs: int
    p50_us: float
    p99_us: float


class OutputCheck(TypedDict):
    """How far one output is from the original's, over all runs of the check."""

    name: str
    # Largest |served - original|; null where one of them is no number and the other is.
    max_abs: float | None
    # The same, divided by the largest |original| of that output in the run.
    max_rel: float | None
    # Share of rows whose largest element is in the same place; null where there are no classes:
    # fewer than two axes, fewer than two elements in the last, or no floating point.
    top1: float | None
    # Share of elements that are equal, for integers, booleans and strings; null for floats.
    equal: float | None
    passed: bool
    # The least cosine between the output and the original's; null for what is no float.
    cosine: NotRequired[float | None]
    # How far the original is from itself, absolute, where that was looked at: computed in another
    # way, or on inputs that differ in the last digits.
    scatter: NotRequired[float | None]
    # The shape served and the original's, where they differ.
    shapes: NotRequired[list[list[int]]]


class CheckFacts(TypedDict):
    """The comparison with the original framework."""

    # What computed the reference, e.g. "torch 2.15.0"; null when nothing did.
    against: str | None
    # Why nothing did, in words for a person; null when something did.
    skipped: str | None
    inputs: Literal["random", "example"]
    # The file of --example.
    example: str | None
    # Batch sizes that were compared; [] when the model has no batch axis (one run then).
    batches: list[int]
    runs: int
    # The bound on each output's max_rel (for what is no float: on 1 - equal).
    tolerance: float
    # How the model computes: "plain", in "half" precision, or "quantized".
    arithmetic: NotRequired[str]
    outputs: list[OutputCheck]
    # False only with --allow-mismatch: otherwise there is no version to write facts about.
    passed: bool


class Facts(TypedDict):
    """All about one version."""

    created: str  # UTC, e.g. 2026-11-23T22:00:00Z
    lepton: str  # The version of Lepton that made it.
    repository: str
    machine: str
    source: SourceFacts
    # What the source is, e.g. "TorchScript", "ONNX", "Keras".
    format: str
    # Whose format it is, e.g. "PyTorch", "TensorFlow"; "OpenVINO" for its own.
    framework: NotRequired[str]
    # Versions of what took part, by package: openvino, and e.g. torch, keras, tensorflow.
    versions: NotRequired[dict[str, str]]
    # True when the version holds OpenVINO IR made from the source; False: the source itself.
    converted: NotRequired[bool]
    # What the user said about it: --input, --module, --module-args, as given.
    options: NotRequired[dict[str, object]]
    # How long loading, converting, checking took, by step.
    seconds: NotRequired[dict[str, float]]
    openvino: str
    precision: str
    # True when axis 0 of every tensor is open.
    batches: bool
    # Whether requests share runs, and if not why not, in the server's words: "yes", "no, ...".
    batching: NotRequired[str]
    signature: SignatureFacts
    check: NotRequired[CheckFacts]
    latency: list[LatencyFacts]
    # The shapes of one row of the inputs that latency was measured with: open extents have a value.
    measured_shapes: NotRequired[dict[str, list[int]]]
    # The value of all elements of those that have one, such as masks and sampling rates; of lengths
    # the largest.
    measured_values: NotRequired[dict[str, int]]
    # How the server runs it best on this machine, for the server (proto/tuning.proto).
    tuning: NotRequired[dict[str, object]]
    # What config.pbtxt says where the model had none before.
    config: NotRequired[str]
    # Remarks for a person, one sentence each, e.g. of what was assumed.
    notes: NotRequired[list[str]]
