"""PyTorch models: loads and runs them, and has OpenVINO convert them."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lepton.create import pytorch_file
from lepton.create.errors import CreateError
from lepton.create.framework import Job, Original, need, refuse_code, version_of
from lepton.create.options import InputSpec
from lepton.create.pytorch_code import code_in
from lepton.create.pytorch_file import FORMATS, detect
from lepton.create.pytorch_weights import guarded, load_module
from lepton.create.samples import named_alike, read_example, specs_of_example
from lepton.datatypes import Array

__all__ = ["FORMATS", "detect", "load"]

_EXAMPLE = "--input image:f32[batch,3,224,224]"


def load(job: Job) -> Original:
    """Loads what the file holds.

    Raises:
        CreateError: It cannot be loaded, or the user must say more about it.
    """
    name = job.format
    options = job.options
    holds_weights = name in (pytorch_file.STATE_DICT.name, pytorch_file.SAFETENSORS.name)
    if options.module and not holds_weights and name != pytorch_file.PICKLED.name:
        raise CreateError(f"{job.path} is a {name}, which is whole without --module: leave it out")
    if holds_weights and not options.module:
        raise CreateError(
            f"{job.path} holds weights without their model: add --module package.module:Class "
            "(and --module-args '{\"name\": value}'), or save torch.export or TorchScript instead"
        )
    scripted = name == pytorch_file.TORCHSCRIPT.name
    refuse_code(
        job,
        lambda: code_in(job.path, name),
        ("has a script that names {}" if scripted else "has a pickle that names {}")
        + ": loading it may run whatever its maker put into it",
    )
    pytorch_file.check_sums(job.path)
    torch = need("torch", "torch", f"read {job.path.name}, a {name},")
    warnings.simplefilter("ignore")  # About tracing and deprecations; the check finds what matters.
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    if name == pytorch_file.EXPORTED.name:
        return _Exported(job, torch)
    if scripted:
        return _Eager(
            job, torch, guarded(job, lambda: torch.jit.load(job.path, map_location="cpu"))
        )
    return _Eager(job, torch, load_module(job, torch))


class _Torch(Original):
    """The common part of both kinds: a callable on tensors, with flattened outputs."""

    def __init__(self, job: Job, torch: Any, inputs: list[InputSpec]) -> None:  # noqa: ANN401
        version = version_of("torch")
        super().__init__(f"torch {version}", {"torch": version}, inputs)
        self._job, self._torch = job, torch
        self._outputs: list[str] = []

    def _call(self, *tensors: Any) -> Any:  # noqa: ANN401
        raise NotImplementedError

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the module's outputs; nested ones are flattened in their order."""
        torch = self._torch
        with torch.no_grad():
            answer = self._call(*(self._tensor(inputs[spec.name], spec) for spec in self.inputs))
        named = _flatten(torch, answer)
        self._outputs = _names(named)
        return {
            name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
            for name, (_, tensor) in zip(self._outputs, named, strict=True)
        }

    def _tensor(self, array: Array, spec: InputSpec) -> Any:  # noqa: ANN401
        tensor = self._torch.from_numpy(np.array(array, order="C"))
        return tensor.bfloat16() if spec.datatype == "BF16" else tensor

    def _convert(self, module: Any, **arguments: Any) -> Any:  # noqa: ANN401
        from lepton.create.conversion import convert, name_tensors

        model = convert(module, self._job.path, **arguments)
        if len(model.inputs) != len(self.inputs):
            raise CreateError(
                f"{self._job.path} uses {len(model.inputs)} of {len(self.inputs)} inputs: name "
                "only those by --input"
            )
        name_tensors(model, self.inputs, self._outputs)
        return model


class _Eager(_Torch):
    """A module: TorchScript, or a Python module that is traced."""

    def __init__(self, job: Job, torch: Any, module: Any) -> None:  # noqa: ANN401
        self._module = module.eval()
        self._scripted = isinstance(module, torch.jit.ScriptModule)
        arguments, needed = _arguments(module, self._scripted)
        inputs, self._order = _ordered(job, arguments, needed)
        super().__init__(job, torch, inputs)

    def _call(self, *tensors: Any) -> Any:  # noqa: ANN401
        return self._module(**dict(zip(self._order, tensors, strict=True)))

    def convert(self, sample: Mapping[str, Array]) -> Any:  # noqa: ANN401
        """Traces the module with `sample`, whose values decide what depends on values."""
        import openvino as ov

        from lepton.create.conversion import ELEMENT_TYPES

        torch = self._torch
        tensors = tuple(self._tensor(sample[spec.name], spec) for spec in self.inputs)
        signature = [
            (ov.PartialShape(list(spec.shape)), ELEMENT_TYPES[spec.datatype])
            for spec in self.inputs
        ]
        call = self._call

        class Flat(torch.nn.Module):  # type: ignore[misc,name-defined]
            """Takes tensors by position and returns them as a tuple."""

            def __init__(self, module: Any) -> None:  # noqa: ANN401
                super().__init__()
                self.module = module

            def forward(self, *tensors: Any) -> Any:  # noqa: ANN401
                return tuple(tensor for _, tensor in _flatten(torch, call(*tensors)))

        if self._scripted and len(self._order) == len(self._module.forward.schema.arguments) - 1:
            with torch.no_grad():
                structure = self._call(*tensors)
            if isinstance(structure, torch.Tensor):
                return self._convert(self._module, input=signature)
        return self._convert(Flat(self._module), example_input=tensors, input=signature)


class _Exported(_Torch):
    """A program from torch.export, which knows its inputs."""

    def __init__(self, job: Job, torch: Any) -> None:  # noqa: ANN401
        self._program = guarded(job, lambda: torch.export.load(job.path))
        super().__init__(job, torch, _exported_inputs(self._program, torch, job.path))
        if job.options.inputs:
            raise CreateError(
                f"{job.path} says by itself what it takes "
                f"({', '.join(map(str, self.inputs))}): leave out --input"
            )
        self._call_program = self._program.module()

    def _call(self, *tensors: Any) -> Any:  # noqa: ANN401
        args, kwargs = self._program.call_spec.in_spec.unflatten(tensors)
        return self._call_program(*args, **kwargs)

    def convert(self, sample: Mapping[str, Array]) -> Any:  # noqa: ANN401
        """Converts the program's graph; nothing is traced."""
        del sample
        return self._convert(self._program)


def _arguments(module: Any, scripted: bool) -> tuple[list[str], int]:  # noqa: ANN401
    """Returns the names of forward's arguments and how many have no default."""
    if scripted:
        schema = module.forward.schema.arguments[1:]
        return [arg.name for arg in schema], sum(not arg.has_default_value() for arg in schema)
    parameters = [
        parameter
        for parameter in inspect.signature(module.forward).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    return [one.name for one in parameters], sum(one.default is one.empty for one in parameters)


def _ordered(job: Job, arguments: list[str], needed: int) -> tuple[list[InputSpec], list[str]]:
    """Returns the inputs that the user described, and forward's argument for each.

    Names of arguments are matched; inputs with other names follow the order of the arguments.
    """
    options = job.options
    specs: Sequence[InputSpec] = options.inputs
    if not specs and options.example:
        arrays = read_example(options.example)
        specs = specs_of_example(named_alike(arrays, arguments[: len(arrays)]))
    takes = f"its forward takes {', '.join(arguments)}"
    if not specs:
        shape = _EXAMPLE if needed < 2 else " ".join(
            f"--input {name}:f32[batch,8]" for name in arguments[:needed]
        )  # fmt: skip
        raise CreateError(
            f"{job.path} does not say the shapes of its inputs ({takes}): add each as "
            f"--input name:dtype[shape], e.g. {shape}, or --example inputs.npz"
        )
    names = [spec.name for spec in specs]
    known = [name for name in names if name in arguments]
    if known and len(known) < len(names):
        strange = next(name for name in names if name not in arguments)
        raise CreateError(f'input "{strange}" is unknown to {job.path}: {takes}')
    if len(names) < needed or len(names) > len(arguments):
        raise CreateError(f"{job.path} was given {len(names)} inputs ({', '.join(names)}): {takes}")
    order = names if known else arguments[: len(names)]
    # OpenVINO takes them in the order of the arguments.
    pairs = sorted(zip(specs, order, strict=True), key=lambda pair: arguments.index(pair[1]))
    return [spec for spec, _ in pairs], [argument for _, argument in pairs]


def _exported_inputs(program: Any, torch: Any, path: Path) -> list[InputSpec]:  # noqa: ANN401
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    specs = []
    for name in program.graph_signature.user_inputs:
        value = values.get(name) if isinstance(name, str) else None
        if not isinstance(value, torch.Tensor):
            raise CreateError(
                f'{path} takes "{name}", which is not a tensor: export the model without it'
            )
        shape = tuple(extent if isinstance(extent, int) else -1 for extent in value.shape)
        dims = tuple(
            "" if extent != -1 else "batch" if axis == 0 else str(value.shape[axis])
            for axis, extent in enumerate(shape)
        )
        specs.append(InputSpec(name, _datatype(value.dtype, torch), shape, dims))
    return specs


def _datatype(dtype: Any, torch: Any) -> str:  # noqa: ANN401
    from lepton.create.options import DATATYPE_OF_WORD

    word = str(dtype).removeprefix("torch.")
    if word not in DATATYPE_OF_WORD:
        raise CreateError(f"an input is {word}, a datatype that the protocol does not have")
    del torch
    return DATATYPE_OF_WORD[word]


def _flatten(torch: Any, answer: Any, name: str = "") -> list[tuple[str, Any]]:  # noqa: ANN401
    """Returns the tensors of nested tuples, lists and dicts, with the names from dicts."""
    if isinstance(answer, torch.Tensor):
        return [(name, answer)]
    if isinstance(answer, Mapping):
        parts = [(str(key), value) for key, value in answer.items()]
    elif isinstance(answer, tuple | list):
        parts = [(name, value) for value in answer]
    elif answer is None:
        parts = []
    else:
        raise TypeError(f"the model returns a {type(answer).__name__}, expected tensors")
    return [tensor for key, value in parts for tensor in _flatten(torch, value, key)]


def _names(named: Sequence[tuple[str, Any]]) -> list[str]:
    from lepton.create.conversion import output_names

    given = [name for name, _ in named]
    return given if all(given) and len(set(given)) == len(given) else output_names(len(given))
