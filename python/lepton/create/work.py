"""One job, from the user's file to the facts: load, convert, check, measure.

Runs in the child process, lepton.create.worker.
"""

from __future__ import annotations

import gc
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import openvino as ov

from lepton.create.check import compare, mismatch, unchecked
from lepton.create.conversion import convert
from lepton.create.errors import CreateError, one_line
from lepton.create.framework import CodeError, Job, NoReferenceError, Original
from lepton.create.narrow import inputs_of, is_as, make, narrowed
from lepton.create.openvino_model import PRECISION, OpenVinoModel, read_model
from lepton.create.options import InputSpec
from lepton.create.samples import (
    Feed,
    UnsuitedError,
    check_example,
    check_ranges,
    read_example,
    uniform_values,
)

Say = Callable[[str], None]


class Work:
    """One job, step by step.

    Args:
        job: What the user gave.
        entry: The served file or folder: there already, or to be written by convert().
        module: The module of lepton.create that loads the format.
        step: Called with each step as it begins.
    """

    def __init__(self, job: Job, entry: Path, module: str, step: Say) -> None:
        self._job, self._entry, self._step = job, entry, step
        self._loader = import_module(f"lepton.create.{module}")
        self._original: Original | None = None
        self._as_is = False  # Whether the user's file is served, not what was made of it.
        self._converted = False  # Whether something else is served although the file could be.
        self._why_none: str | None = None
        self._seconds: dict[str, float] = {}
        self._notes: list[str] = []

    def convert(self) -> None:
        """Loads the original and writes OpenVINO's conversion of it."""
        with self._timed("loading", f"the {self._job.format}"):
            self._original = original = self._loader.load(self._job)
        specs = narrowed(original.inputs, self._job.options.inputs, self._job.path)
        self._check_ranges(specs)
        self._feed = self._feed_of(original, specs, self._example(specs))
        sample = self._settle(original)
        with self._timed("converting", "to OpenVINO"):
            model = original.convert(sample)
            if specs != original.inputs:
                make(model, specs, self._job.path)
            self._save(model)

    def load(self) -> None:
        """Reads what will be served, and loads the original to compare with, if possible."""
        self._as_is = True
        specs = self._read()
        self._check_ranges(specs)
        example = self._example(specs)
        self._feed = Feed(specs, example, ranges=self._job.options.ranges)
        with self._timed("loading", f"the {self._job.format}"):
            try:
                self._original = self._loader.load(self._job)
            except NoReferenceError as error:
                self._why_none = str(error)
            except CodeError:
                raise
            except CreateError as error:
                # The file is served as it is, even if another runtime refuses it.
                self._why_none = str(error).removeprefix(f"{self._job.path} ")
        if self._original is None:
            self._be_careful(specs)

    def check(self, measure: bool) -> dict[str, Any]:
        """Compares what was written with the original, measures it, and returns the facts."""
        self._step("running once")
        served = OpenVinoModel(self._entry)
        served.compile()
        bounds = served.index_bounds()
        self._check_bounds(bounds)
        self._feed.know(bounds)
        self._feed.spare_zero(served.divisors())
        self._settle_both(served)
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
        if served.computes_in_fp64():
            self._notes.append(
                "The model computes in 64-bit floats; OpenVINO's CPU device does so in 32 bits."
            )
        config = "" if original is None else original.config()
        labels = [] if original is None else list(original.labels())
        self._original = original = None
        gc.collect()  # What the framework still holds would disturb the measurement.
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
            "measured_values": uniform_values(self._feed.rows(1)),
            "seconds": self._seconds,
            "notes": self._notes,
            **({"converted": True} if self._converted else {}),
            **({"config": config} if config else {}),
            **({"labels": labels} if labels else {}),
        }

    def _save(self, model: Any) -> None:  # noqa: ANN401 - openvino's bindings have no types
        try:
            ov.save_model(model, self._entry, compress_to_fp16=False)
        except RuntimeError as error:  # On a full disk it names neither disk nor file.
            free = shutil.disk_usage(self._entry.parent).free
            raise CreateError(
                f"the model made of {self._job.path} cannot be written ({one_line(error)}): "
                f"{free / 1e6:.0f} MB are free there"
            ) from None

    def _read(self) -> list[InputSpec]:
        """Returns the inputs of the file; writes a model with --input's inputs if they differ."""
        job = self._job
        model, as_read = self._model_of_file()
        specs = inputs_of(model, job.path, self._loader, job.options)
        if as_read and is_as(model, specs):
            return specs
        make(model, specs, job.path)
        # The new model is served instead, from the folder that the file was copied to.
        shutil.rmtree(self._entry.parent)
        self._entry.parent.mkdir()
        self._entry = self._entry.parent / "model.xml"
        self._save(model)
        self._converted = True
        return specs

    def _model_of_file(self) -> tuple[Any, bool]:
        """Returns OpenVINO's model of the file, and whether it was read without further options."""
        job = self._job
        try:
            return read_model(self._entry), True
        except CreateError as error:
            specs = getattr(self._loader, "file_inputs", lambda path: None)(job.path)
            if not specs or not re.search(r"\brank\b|\bshape|dynamic", str(error)):
                raise  # What OpenVINO does not know is not a shape.
            if not job.options.inputs:
                said = " ".join(f'--input "{spec}"' for spec in specs).replace(",batch", ",-1")
                raise CreateError(
                    f"{error}; fixed extents of its inputs may help: {said}"
                ) from None
        given = narrowed(specs, job.options.inputs, job.path)
        shapes = [(spec.name, ov.PartialShape([*spec.shape])) for spec in given]
        return convert(str(self._entry), job.path, input=shapes), False

    def _feed_of(self, original: Original, specs: list[InputSpec], example: Any) -> Feed:  # noqa: ANN401
        ranges = self._job.options.ranges
        if type(original).sample is Original.sample:
            return Feed(specs, example, ranges=ranges)  # It does not keep the original in memory.
        return Feed(specs, example, original.sample, ranges)

    def _be_careful(self, specs: list[InputSpec]) -> None:
        """Keeps made-up integers within tables of unknown size: OpenVINO does not check."""
        example = self._example(specs)
        self._feed = Feed(specs, example, ranges=self._job.options.ranges, table_size=1)

    def _settle(self, original: Original) -> Any:  # noqa: ANN401
        try:
            return self._feed.settle(original.run)
        except CreateError as error:
            raise CreateError(f"{self._job.path} {self._said_of(original, error)}") from None

    def _settle_both(self, served: OpenVinoModel) -> None:
        """Finds inputs that both the original and the served model take; or, without one, this."""
        original, path = self._original, self._job.path
        if original is not None:
            try:
                self._feed.settle(original.run, served.run)
            except UnsuitedError as error:
                options = self._job.options
                if not self._as_is or options.example or options.ranges:
                    raise CreateError(f"{path} {self._said_of(original, error)}") from None
                self._why_none = f"it {self._said_of(original, error)}"
                self._original = None
                self._be_careful(served.specs())
                self._feed.know(served.index_bounds())
                self._feed.spare_zero(served.divisors())
            except CreateError as error:
                raise CreateError(f"{path} {error}") from None
            else:
                self._note_refusals(served, original)
        if self._original is None:
            try:
                self._feed.settle(served.run)
            except CreateError as error:
                raise CreateError(f"{path} {error}") from None

    def _note_refusals(self, served: OpenVinoModel, original: Original) -> None:
        """Reports which sizes work, if the engine refuses some that the original takes."""
        refused = self._feed.refused
        if not refused:
            return
        sizes = [one.sizes for one in refused if one.sizes and one.sizes != self._feed.sizes()]
        if not sizes:
            self._notes.append(
                f"OpenVINO refuses {refused[0].shapes}, which {original.against} takes "
                f"({refused[0].reason}); so does the server."
            )
            return
        works, fails = self._feed.works(served.run)
        self._notes.append(
            f"Open extents of {' and '.join(works)} were tried and work; OpenVINO, and so the "
            f"server, refuses {', '.join(fails or sizes)}, of which {original.against} takes "
            f"{', '.join(dict.fromkeys(sizes))} ({refused[0].reason})."
        )

    @staticmethod
    def _said_of(original: Original, error: CreateError) -> str:
        return str(error).replace("does not run", f"does not run in {original.against}", 1)

    def _check_ranges(self, specs: list[InputSpec]) -> None:
        check_ranges(self._job.options.ranges, specs, self._job.path)

    def _check_bounds(self, bounds: dict[str, int]) -> None:
        for name, size in bounds.items():
            low, high = self._job.options.ranges.get(name, (0, 0))
            if high >= size or low < -size:
                raise CreateError(
                    f'--range of "{name}" is {low:g} to {high:g}, the table that it indexes in '
                    f"{self._job.path} has {size} rows"
                )

    def _example(self, specs: list[InputSpec]) -> Any:  # noqa: ANN401
        path = self._job.options.example
        return check_example(read_example(path), specs, path) if path else None

    @contextmanager
    def _timed(self, step: str, details: str = "") -> Iterator[None]:
        self._step(f"{step} {details}".rstrip())
        start = time.perf_counter()
        yield
        self._seconds[step] = round(time.perf_counter() - start, 3)
