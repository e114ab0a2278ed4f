"""Several calls at a time, with answers in order."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sized
from typing import Any

from lepton import _native
from lepton._native import Completions
from lepton.answers import Answer, Model
from lepton.calls import Inputs, explained
from lepton.errors import LeptonError


class _Slot:
    """A call in flight, and its outcome."""

    __slots__ = ("call", "inputs", "outcome")

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.call: _native.Call | None = None
        self.outcome: Answer | Exception | None = None


def infer_many(
    native: _native.Client | _native.Server,
    model: Model,
    inputs: Iterable[Any],
    concurrency: int,
    progress: bool,
    timeout: float,
) -> Iterator[Answer]:
    """Returns the answers in the order of `inputs`; see Caller.infer_many()."""
    answers = _stream(native, model, iter(inputs), concurrency, timeout)
    if not progress:
        return answers
    return _shown(answers, len(inputs) if isinstance(inputs, Sized) else None)


def _stream(
    native: _native.Client | _native.Server,
    model: Model,
    inputs: Iterator[Any],
    concurrency: int,
    timeout: float,
) -> Iterator[Answer]:
    completions = Completions()
    window: deque[_Slot] = deque()

    def start(values: Any) -> None:  # noqa: ANN401 - what lepton takes
        slot = _Slot(values)
        try:
            slot.call = native.start(model, values, timeout, 0, None, "", None, completions, slot)
        except LeptonError as error:
            raise explained(error, model, values) from None
        window.append(slot)

    def take() -> None:
        for slot, outcome in completions.take():
            slot.outcome = outcome

    try:
        for values in itertools.islice(inputs, concurrency):
            start(values)
        while window:
            while window[0].outcome is None:
                completions.wait()
                take()
            slot = window.popleft()
            outcome = slot.outcome
            if isinstance(outcome, LeptonError):
                raise explained(outcome, model, slot.inputs)
            if isinstance(outcome, Exception):
                raise outcome
            assert outcome is not None
            for values in itertools.islice(inputs, 1):
                start(values)
            yield outcome
    finally:
        # A caller that stops half-way wants no more of them.
        for slot in window:
            if slot.outcome is None and slot.call is not None:
                slot.call.cancel()
        while any(slot.outcome is None for slot in window):
            completions.wait()
            take()


def _shown(answers: Iterator[Answer], total: int | None) -> Iterator[Answer]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("inference"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("inference", total=total)
        for answer in answers:
            bar.advance(task)
            yield answer
