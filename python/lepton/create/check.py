"""Compares the model that will be served with the original, on several batch sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lepton.create.compare import Difference, describe, scale_of
from lepton.create.conversion import reason_of
from lepton.create.errors import CreateError, one_line
from lepton.create.facts import CheckFacts
from lepton.create.framework import Original
from lepton.create.openvino_model import OpenVinoModel
from lepton.create.options import Options
from lepton.create.samples import Feed
from lepton.datatypes import Array

Answers = tuple[Mapping[str, Array], Mapping[str, Array]]

# How far inputs are moved to see how the original scatters: two steps of f32.
_NUDGE = 2.0**-22


def compare(
    served: OpenVinoModel, original: Original, feed: Feed, options: Options, notes: list[str]
) -> CheckFacts:
    """Runs both models on the same inputs.

    Args:
        served: The compiled model.
        original: The model in its framework.
        feed: Inputs that both take.
        options: The user's.
        notes: Remarkable findings are added here.

    Raises:
        CreateError: The served model does not run, or its outputs differ.
    """
    arithmetic = served.arithmetic()
    differences = [Difference(t["name"], t["datatype"], arithmetic) for t in served.outputs]
    given = [(rows, feed.rows(rows)) for rows in feed.batches() or [1]]
    extremes = None if options.example else original.extremes()
    if extremes is not None:
        given.append((len(next(iter(extremes.values()))), extremes))
    compared: list[tuple[int, Mapping[str, Array]]] = []
    why_none: list[str] = []
    for rows, inputs in given:
        answers = _both(served, original, rows, inputs, why_none, notes)
        if answers is None:
            continue
        compared.append((rows, inputs))
        scale = scale_of(inputs)
        for difference in differences:
            ours, theirs = (answer[difference.name] for answer in answers)
            difference.add(ours, theirs, scale)
    if not compared:
        raise CreateError(f"{served.path} no longer runs: {'; '.join(why_none)}")
    if options.tolerance is None:
        _see_scatter(served, original, [inputs for _, inputs in compared], differences)
    outputs = [difference.result(options.tolerance) for difference in differences]
    _note_what_is_no_number(differences, notes)
    tolerance = options.tolerance
    if tolerance is None:
        tolerance = max(difference.default_tolerance for difference in differences)
    return {
        "against": original.against,
        "skipped": None,
        "inputs": "example" if options.example else "random",
        "example": str(options.example) if options.example else None,
        "batches": [rows for rows, _ in compared] if feed.rowed and feed.batches() else [],
        "runs": len(compared),
        "tolerance": tolerance,
        "arithmetic": arithmetic,
        "outputs": outputs,
        "passed": all(output["passed"] for output in outputs),
    }


def unchecked(why: str, options: Options) -> CheckFacts:
    """Returns the facts of a model that could not be compared with anything."""
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
    """Returns why a check did not pass and what to do, as the end of one line."""
    remedy = "raise --tolerance, or take it as it is with --allow-mismatch"
    if any(output.get("shapes") for output in check["outputs"]):
        remedy = "take it as it is with --allow-mismatch"
    elif check["inputs"] == "random":
        remedy = f"compare with real inputs by --example, {remedy}"
    return (
        f"answers differently in OpenVINO than in {check['against']}: "
        f"{describe(check['outputs'], check['tolerance'])}; {remedy}"
    )


def _both(
    served: OpenVinoModel,
    original: Original,
    rows: int,
    inputs: Mapping[str, Array],
    why_none: list[str],
    notes: list[str],
) -> Answers | None:
    """Returns the answers of both, or None if one rejects its inputs."""
    try:
        wanted = served.own_names(original.run(inputs))
    except CreateError:
        raise
    except Exception as error:  # The framework's; a program may demand two rows.
        why_none.append(one_line(error))
        notes.append(f"The original does not run with a batch of {rows} ({one_line(error)}).")
        return None
    try:
        return served.run(inputs), wanted
    except RuntimeError as error:
        why_none.append(reason_of(error))
        notes.append(
            f"OpenVINO refuses a batch of {rows}, which {original.against} takes "
            f"({reason_of(error)}); so does the server."
        )
        return None


def _see_scatter(
    served: OpenVinoModel,
    original: Original,
    compared: Sequence[Mapping[str, Array]],
    differences: Sequence[Difference],
) -> None:
    """Runs the original on nearly the same inputs, where outputs are beyond the tolerance."""
    beyond = [one for one in differences if not one.shapes and not one.result(None)["passed"]]
    if not beyond:
        return
    for inputs in compared:
        wanted = served.own_names(original.run(inputs))
        for other in _others(original, inputs):
            named = served.own_names(other)
            for difference in beyond:
                difference.add_scatter(named[difference.name], wanted[difference.name])


def _others(original: Original, inputs: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    try:
        otherwise = original.run_otherwise(inputs)
        if otherwise is not None:
            yield otherwise
        if any(array.dtype.kind == "f" and array.size for array in inputs.values()):
            for seed in (1, 2):
                yield original.run(_nudged(inputs, seed))
    except CreateError:
        raise
    except Exception:  # Raised by the framework: there is then less to judge by.
        return


def _nudged(inputs: Mapping[str, Array], seed: int) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {
        name: (array * (1 + _NUDGE * rng.choice((-1.0, 1.0), array.shape))).astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for name, array in inputs.items()
    }


def _note_what_is_no_number(differences: Sequence[Difference], notes: list[str]) -> None:
    names = [f'"{one.name}"' for one in differences if not one.shapes and not one.numbers]
    if names:
        notes.append(
            f"The original answers NaN or infinity for {', '.join(names)} with these "
            "inputs, so that little was compared: give real ones by --example."
        )
