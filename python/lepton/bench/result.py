"""The generator's result for one point: clients/bench/README.md explains each field."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

Times = dict[str, float]  # Count, mean, p50 ... p99.99, max; in microseconds.


class Section(TypedDict):
    """The outcomes of requests: of all, or of one class."""

    requests: int
    answered: int
    in_time: int
    late: int
    refused: int
    expired: int
    failed: int
    attainment: float
    attainment_of_admitted: float
    offered_per_second: float
    answered_per_second: float
    goodput: float
    errors: dict[str, dict[str, Any]]
    latency_us: Times | None
    latency_since_sent_us: Times | None
    refusal_us: Times | None
    refusal_since_sent_us: Times | None
    server_queue_us: Times | None
    server_compute_us: Times | None
    latency_buckets_ns: NotRequired[list[int]]


class ClassSection(Section):
    """The same for one class of requests."""

    name: str
    share: float
    priority: int
    deadline_us: float | None


class Result(TypedDict):
    """One point."""

    target: str
    in_process: bool
    model: dict[str, Any]
    load: dict[str, Any]
    seed: int
    rows: int
    warmup_s: float
    duration_s: float
    measured_s: float
    total: Section
    classes: list[ClassSection]
    generator: dict[str, Any]
    warnings: list[str]
