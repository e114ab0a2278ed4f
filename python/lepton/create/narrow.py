"""The inputs that a service takes, if they differ from those that OpenVINO reads in the file.

The user may narrow them with --input, or supply what the file leaves out; and a name may get lost
on the way into OpenVINO.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import openvino as ov

from lepton.create.conversion import name_tensors, reason_of
from lepton.create.errors import CreateError
from lepton.create.openvino_model import DATATYPES, input_name, output_facts
from lepton.create.options import InputSpec, Options
from lepton.create.samples import named_alike, read_example, specs_of_example


def inputs_of(model: Any, path: Path, loader: ModuleType, options: Options) -> list[InputSpec]:  # noqa: ANN401
    """Returns the inputs of a file as OpenVINO, the file itself and the user describe them.

    Args:
        model: The model as OpenVINO has read it.
        path: The file.
        loader: The module of its framework.
        options: What the user says about it.

    Raises:
        CreateError: They contradict each other, or leave a shape open that must be known.
    """
    said = {spec.name: spec for spec in options.inputs}
    if not said and options.example:
        names = [input_name(port) for port in model.inputs]
        arrays = named_alike(read_example(options.example), names)
        said = {spec.name: spec for spec in specs_of_example(arrays)}
    file = getattr(loader, "file_inputs", lambda path: None)(path) or []
    known = {spec.name: spec for spec in file}
    specs = []
    for index, port in enumerate(model.inputs):
        name = input_name(port)
        if name not in known and len(file) == len(model.inputs):
            name = file[index].name
        element, shape = port.get_element_type().get_type_name(), port.get_partial_shape()
        if element not in DATATYPES:
            raise CreateError(
                f'{path} has input "{name}" of element type {element}, for which the protocol has '
                "none"
            )
        if shape.rank.is_dynamic:
            if name not in said:
                word = _word(DATATYPES[element])
                raise CreateError(
                    f'{path} does not say the shape of input "{name}": add --input '
                    f"{name}:{word}[batch,...], or --example inputs.npz"
                )
            specs.append(said[name])
            continue
        extents = tuple(-1 if dim.is_dynamic else dim.get_length() for dim in shape)
        dims = known[name].dims if name in known else ()
        if len(dims) != len(extents):
            dims = ("",) * len(extents)
        dims = tuple(d if e == -1 else "" for d, e in zip(dims, extents, strict=True))
        specs.append(InputSpec(name, DATATYPES[element], extents, dims))
    return narrowed(specs, options.inputs, path)


def narrowed(
    specs: Sequence[InputSpec], wanted: Sequence[InputSpec], path: Path
) -> list[InputSpec]:
    """Returns the inputs of a model as --input changes them.

    Raises:
        CreateError: It asks for what they cannot be.
    """
    names = [spec.name for spec in specs]
    for want in wanted:
        if want.name not in names:
            raise CreateError(f'--input names "{want.name}", {path} takes {", ".join(names)}')
    by_name = {want.name: want for want in wanted}
    for spec in specs:
        want = by_name.get(spec.name, spec)
        fits = want.datatype == spec.datatype and len(want.shape) == len(spec.shape) and all(
            have in (-1, extent) for have, extent in zip(spec.shape, want.shape, strict=True)
        )  # fmt: skip
        if not fits:
            raise CreateError(f"--input says {want}, {path} takes {spec}: only -1 may be another")
    return [by_name.get(spec.name, spec) for spec in specs]


def is_as(model: Any, specs: Sequence[InputSpec]) -> bool:  # noqa: ANN401
    """Whether a model's inputs already have these names and shapes."""
    return all(
        input_name(port) == spec.name and port.get_partial_shape() == ov.PartialShape([*spec.shape])
        for port, spec in zip(model.inputs, specs, strict=True)
    )


def make(model: Any, specs: Sequence[InputSpec], path: Path) -> None:  # noqa: ANN401
    """Gives a model's inputs these names and shapes; its outputs keep their names.

    Raises:
        CreateError: OpenVINO cannot apply them.
    """
    try:
        name_tensors(model, specs, [tensor["name"] for tensor in output_facts(model, ranked=False)])
    except RuntimeError as error:
        said = ", ".join(map(str, specs))
        raise CreateError(f"{path} cannot take {said} in OpenVINO: {reason_of(error)}") from None


def _word(datatype: str) -> str:
    return str(InputSpec("", datatype, ())).partition(":")[2].partition("[")[0]
