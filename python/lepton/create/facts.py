"""The facts in lepton.json about each version: how it was made, and what was found.

`lepton.json` is `{"format": 1, "name": ..., "versions": {"1": Facts, ...}}`. The report is made
from a version's `Facts` alone. Keys are only ever added; a reader takes a missing one as unknown,
because files of older releases lack it.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict


class SourceFacts(TypedDict):
    """The file or folder that the user named."""

    path: str
    # In the form of `sha256sum`; for a folder, the hash of its lines of `sha256sum`.
    sha256: str
    size_bytes: int
    files: list[str]


class TensorFacts(TypedDict):
    """An input or output: KServe's datatype; -1 is an extent that a request chooses."""

    name: str
    datatype: str
    shape: list[int]


class SignatureFacts(TypedDict):
    """The inputs and outputs of the served model, as the server's metadata reports them."""

    inputs: list[TensorFacts]
    outputs: list[TensorFacts]


class LatencyFacts(TypedDict):
    """The time that one run of `batch` rows takes in OpenVINO in-process."""

    batch: int
    runs: int
    p50_us: float
    p99_us: float


class OutputCheck(TypedDict):
    """The difference of one output from the original's, over all runs of the check."""

    name: str
    # Maximum |served - original|; null where only one of them is a number.
    max_abs: float | None
    # The same, divided by the maximum |original| of that output in the run.
    max_rel: float | None
    # Share of rows whose largest element is in the same place; null where there are no classes:
    # fewer than two axes, fewer than two elements in the last, or not floating point.
    top1: float | None
    # Share of elements that are equal, for integers, booleans and strings; null for floats.
    equal: float | None
    passed: bool
    # Minimum cosine between the output and the original's; null for what is not a float.
    cosine: NotRequired[float | None]
    # How far the original is from itself, absolute, if that was measured: computed in another way,
    # or on inputs that differ in the last digits.
    scatter: NotRequired[float | None]
    # The served shape and the original's, if they differ.
    shapes: NotRequired[list[list[int]]]


class CheckFacts(TypedDict):
    """The comparison with the original framework."""

    # What computed the reference, e.g. "torch 2.15.0"; null if nothing did.
    against: str | None
    # Why nothing did, in words for a person; null if something did.
    skipped: str | None
    inputs: Literal["random", "example"]
    # The file of --example.
    example: str | None
    # Batch sizes that were compared; [] when the model has no batch axis (one run then).
    batches: list[int]
    runs: int
    # The bound on each output's max_rel (on 1 - equal for what is not a float).
    tolerance: float
    # How the model computes: "plain", in "half" precision, or "quantized".
    arithmetic: NotRequired[str]
    outputs: list[OutputCheck]
    # False only with --allow-mismatch: otherwise there is no version to write facts about.
    passed: bool


class Facts(TypedDict):
    """Everything about one version."""

    created: str  # UTC, e.g. 2026-11-23T22:00:00Z
    lepton: str  # The version of Lepton that made it.
    repository: str
    machine: str
    source: SourceFacts
    # What the source is, e.g. "TorchScript", "ONNX", "Keras".
    format: str
    # Whose format it is, e.g. "PyTorch", "TensorFlow"; "OpenVINO" for its own.
    framework: NotRequired[str]
    # Versions of the packages involved: openvino, and e.g. torch, keras, tensorflow.
    versions: NotRequired[dict[str, str]]
    # True when the version holds OpenVINO IR made from the source; False: the source itself.
    converted: NotRequired[bool]
    # The user's --input, --module and --module-args, as given.
    options: NotRequired[dict[str, object]]
    # Seconds for loading, converting and checking, by step.
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
    # The value of all elements, for inputs where it is the same, such as masks and sampling rates;
    # the largest one for lengths.
    measured_values: NotRequired[dict[str, int]]
    # The best way for the server to run it on this machine (proto/tuning.proto).
    tuning: NotRequired[dict[str, object]]
    # The config.pbtxt that was written if the model had none before.
    config: NotRequired[str]
    # The names of the classes, in their order; in labels.txt if the model had none before.
    labels: NotRequired[list[str]]
    # Remarks for a person, one sentence each, e.g. about assumptions.
    notes: NotRequired[list[str]]
