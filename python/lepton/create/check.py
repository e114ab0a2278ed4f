"""Compares what will be served with the original, on several batch sizes."""

from __future__ import annotations

from lepton.create.compare import Difference, describe
from lepton.create.conversion import reason_of
from lepton.create.errors import CreateError, one_line
from lepton.create.facts import CheckFacts
from lepton.create.framework import Original
from lepton.create.openvino_model import OpenVinoModel
from lepton.create.options import Options
from lepton.create.samples import Feed


def compare(
    served: OpenVinoModel, original: Original, feed: Feed, options: Options, notes: list[str]
) -> CheckFacts:
    """Runs both on the same inputs.

    Args:
        served: Compiled.
        original: In its framework.
        feed: Inputs that the original takes.
        options: Of the user.
        notes: What is remarkable is added here.

    Raises:
        CreateError: The served model does not run, or its outputs are others.
    """
    differences = [Difference(t["name"], t["datatype"]) for t in served.outputs]
    batches: list[int] = []
    runs = 0
    refused: Exception | None = None
    given = [(rows, feed.rows(rows)) for rows in feed.batches() or [1]]
    extremes = None if options.example else original.extremes()
    if extremes is not None:
        given.append((len(next(iter(extremes.values()))), extremes))
    for rows, inputs in given:
        try:
            wanted = served.own_names(original.run(inputs))
        except CreateError:
            raise
        except Exception as error:  # The framework's. Programs may be exported for two rows up.
            notes.append(f"The original does not run with a batch of {rows} ({one_line(error)}).")
            refused = refused or error
            continue
        try:
            got = served.run(inputs)
        except RuntimeError as error:
            raise CreateError(
                f"{served.path} does not run in OpenVINO with {rows} rows as the original does "
                f"({reason_of(error)}): fix the batch, e.g. --input name:f32[1,...]"
            ) from None
        for difference in differences:
            ours, theirs = got[difference.name], wanted[difference.name]
            if ours.shape != theirs.shape:
                raise CreateError(
                    f'{served.path} gives "{difference.name}" in shape {list(ours.shape)}, the '
                    f"original in {list(theirs.shape)}, for {rows} rows"
                )
            difference.add(ours, theirs)
        runs += 1
        if feed.batched:
            batches.append(rows)
    if not runs:
        assert refused is not None
        raise CreateError(f"{served.path} runs in its framework no more: {one_line(refused)}")
    outputs = [difference.result(options.tolerance) for difference in differences]
    tolerance = options.tolerance
    if tolerance is None:
        tolerance = max(difference.default_tolerance for difference in differences)
    return {
        "against": original.against,
        "skipped": None,
        "inputs": "example" if options.example else "random",
        "example": str(options.example) if options.example else None,
        "batches": batches,
        "runs": runs,
        "tolerance": tolerance,
        "outputs": outputs,
        "passed": all(output["passed"] for output in outputs),
    }


def unchecked(why: str, options: Options) -> CheckFacts:
    """Returns the facts of a model that nothing could be compared with."""
    return {
        "against": None,
        "skipped": why,
        "inputs": "example" if options.example else "random",
        "example": str(options.example) if options.example else None,
        "batches": [],
        "runs": 0,
        "tolerance": options.tolerance or 0.0,
        "outputs": [],
        "passed": True,
    }


def mismatch(check: CheckFacts) -> str:
    """Returns why a check did not pass, and what may be done, as the end of one line."""
    return (
        f"answers otherwise in OpenVINO than in {check['against']}: "
        f"{describe(check['outputs'], check['tolerance'])}; raise --tolerance, or take it as it is "
        "with --allow-mismatch"
    )
