"""One job, from the user's file to the facts: load, convert, check, measure.

Runs in the child process, lepton.create.worker.
"""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import openvino as ov

from lepton.create.check import compare, mismatch, unchecked
from lepton.create.errors import CreateError, one_line
from lepton.create.framework import Job, NoReferenceError, Original
from lepton.create.openvino_model import PRECISION, OpenVinoModel
from lepton.create.options import InputSpec
from lepton.create.samples import Feed, check_example, read_example

Say = Callable[[str], None]


class Work:
    """One job, step by step.

    Args:
        job: What the user gave.
        entry: The served file or folder: there already, or to be written by convert().
        module: Of lepton.create, which loads the format.
        step: Called with each step as it begins.
    """

    def __init__(self, job: Job, entry: Path, module: str, step: Say) -> None:
        self._job, self._entry, self._step = job, entry, step
        self._loader = import_module(f"lepton.create.{module}")
        self._original: Original | None = None
        self._why_none: str | None = None
        self._seconds: dict[str, float] = {}
        self._notes: list[str] = []

    def convert(self) -> None:
        """Loads the original and writes what OpenVINO makes of it."""
        with self._timed("loading", f"the {self._job.format}"):
            self._original = original = self._loader.load(self._job)
        self._feed = self._feed_of(original, original.inputs, self._example(original.inputs))
        sample = self._settle(self._feed, original)
        with self._timed("converting", "to OpenVINO"):
            model = original.convert(sample)
            self._save(model)

    def _save(self, model: Any) -> None:  # noqa: ANN401 - openvino's bindings have no types
        try:
            ov.save_model(model, self._entry, compress_to_fp16=False)
        except RuntimeError as error:  # What it says of a full disk names neither disk nor file.
            free = shutil.disk_usage(self._entry.parent).free
            raise CreateError(
                f"the model made of {self._job.path} cannot be written ({one_line(error)}): "
                f"{free / 1e6:.0f} MB are free there"
            ) from None

    def load(self) -> None:
        """Reads what will be served, and loads the original to compare with if that is possible."""
        served = OpenVinoModel(self._entry)
        specs = served.specs()
        example = self._example(specs)
        with self._timed("loading", f"the {self._job.format}"):
            try:
                self._original = original = self._loader.load(self._job)
                self._feed = self._feed_of(original, specs, example)
                self._settle(self._feed, original)
            except NoReferenceError as error:
                self._why_none = str(error)
            except CreateError as error:
                # The file is served as it is: that another runtime refuses it is no reason not to.
                self._why_none = str(error).removeprefix(f"{self._job.path} ")
        if self._why_none is not None:
            self._original = None
            self._feed = Feed(specs, example, table_size=1)

    def check(self, measure: bool) -> dict[str, Any]:
        """Compares what was written with the original, measures it, and returns the facts."""
        self._step("running once")
        served = OpenVinoModel(self._entry)
        served.compile()
        self._run_once(served)
        original, options = self._original, self._job.options
        if original is None:
            check = unchecked(self._why_none or "it was not loaded", options)
        else:
            with self._timed("comparing", f"with {original.against}"):
                check = compare(served, original, self._feed, options, self._notes)
            if not check["passed"] and not options.allow_mismatch:
                raise CreateError(f"{self._job.path} {mismatch(check)}")
        versions = {"openvino": str(ov.__version__).split("-")[0]}
        if original is not None:
            versions |= original.versions
            self._notes[:0] = original.notes
        config = "" if original is None else original.config()
        self._original = original = None
        gc.collect()  # What the framework holds would only disturb the measuring.
        latency = []
        if measure:
            latency = served.measure(self._feed, lambda rows: self._step(f"measuring {rows} rows"))
        return {
            "openvino": versions["openvino"],
            "precision": PRECISION,
            "versions": versions,
            "batches": served.batches,
            "signature": served.signature,
            "check": check,
            "latency": latency,
            "measured_shapes": {name: list(a.shape) for name, a in self._feed.rows(1).items()},
            "seconds": self._seconds,
            "notes": self._notes,
            **({"config": config} if config else {}),
        }

    def _feed_of(self, original: Original, specs: list[InputSpec], example: Any) -> Feed:  # noqa: ANN401
        if type(original).sample is Original.sample:
            return Feed(specs, example)  # It does not keep the original in memory.
        return Feed(specs, example, original.sample)

    def _run_once(self, served: OpenVinoModel) -> None:
        if self._original is not None:
            return  # It is run by the comparison.
        try:
            self._feed.settle(served.run)
        except CreateError as error:
            raise CreateError(f"{self._job.path} {error}") from None

    def _settle(self, feed: Feed, original: Original) -> Any:  # noqa: ANN401
        try:
            return feed.settle(original.run)
        except CreateError as error:
            said = str(error).replace("does not run", f"does not run in {original.against}", 1)
            raise CreateError(f"{self._job.path} {said}") from None

    def _example(self, specs: list[InputSpec]) -> Any:  # noqa: ANN401
        path = self._job.options.example
        return check_example(read_example(path), specs, path) if path else None

    @contextmanager
    def _timed(self, step: str, details: str = "") -> Iterator[None]:
        self._step(f"{step} {details}".rstrip())
        start = time.perf_counter()
        yield
        self._seconds[step] = round(time.perf_counter() - start, 3)
