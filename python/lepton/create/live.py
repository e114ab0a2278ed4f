"""Makes a service of a model that a program holds, by the file that its framework writes of it."""

from __future__ import annotations

import contextlib
import inspect
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from lepton import arguments
from lepton.create import service
from lepton.create.errors import CreateError, one_line
from lepton.create.options import Options
from lepton.create.service import Service
from lepton.datatypes import Array

# Writes a model into a folder; returns the file, and the example with the names of the inputs.
_Write = Callable[[Any, Any, Path], "tuple[Path, Any]"]


def create_service(
    model: Any,  # noqa: ANN401 - a path, or an object of a framework that need not be installed
    output_path: str | PathLike[str],
    name: str | None = None,
    *,
    example: Any = None,  # noqa: ANN401 - what numpy makes arrays of
    options: Options | None = None,
    measure: bool = True,
    progress: Callable[[str], None] = lambda step: None,
) -> Service:
    """Makes a service of a model, as `lepton create` does, without a command.

    The model is checked against its framework, measured, and written as the next version of the
    service; nothing is left behind if that fails.

    Args:
        model: The model's file or folder, or the model itself: a torch.nn.Module, a Keras model, or
            an estimator of scikit-learn, for which skl2onnx must be installed.
        output_path: The folder of services; it is created if it is missing.
        name: The model's name; that of its file, or of its class, when left out.
        example: Real inputs: an array if the model has one input, else a dict of arrays by the
            names of the inputs; a tuple has the order of forward's arguments. The first axis is the
            batch. PyTorch and scikit-learn need it, for they do not know their inputs' shapes.
        options: As those of the command.
        measure: Whether to measure its latency.
        progress: Called with each step as it begins.

    Returns:
        The service: its `repository` for `lepton serve` or LeptonAI(service=...), its `name` and
        `version`, the `report`, and the `facts` that it is based on.

    Raises:
        CreateError: The model cannot become a service; says why and what to do.
        OSError: The folder cannot be written.

    Example:
        >>> net = torch.nn.Sequential(torch.nn.Linear(64, 10), torch.nn.Softmax(dim=1))
        >>> made = lepton.create_service(net, "service/", "net", example=torch.rand(8, 64))
        >>> lepton.LeptonAI(service=made.repository).inference(np.zeros((2, 64), np.float32)).shape
        (2, 10)
    """
    output = Path(arguments.path("output_path", output_path))
    name = arguments.optional_text("name", name)
    options = arguments.instance("options", options, Options) or Options()
    if isinstance(model, (str, PathLike)):
        path = Path(arguments.path("model", model))
        with _example_file(example) as given:
            options = replace(options, example=given or options.example)
            return service.create_service(
                path, output, name, options=options, measure=measure, progress=progress
            )
    write, what = _writer(model)
    with tempfile.TemporaryDirectory(prefix="lepton-create-") as folder:
        progress("writing the model's file")
        path, example = write(model, example, Path(folder))
        with _example_file(example) as given:
            # Whatever code the model has, this program runs it already.
            options = replace(options, example=given or options.example, trust_pickle=True)
            try:
                return service.create_service(
                    path, output, name, options=options, measure=measure, progress=progress
                )
            except CreateError as error:
                raise CreateError(str(error).replace(str(path), what)) from None


def _writer(model: object) -> tuple[_Write, str]:
    """Returns what writes a model's file, and what the model is called in messages."""
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    what = f"the {type(model).__name__}"
    if torch is not None and isinstance(model, torch.nn.Module):
        return _write_torch, what
    if keras is not None and isinstance(model, keras.Model):
        return _write_keras, what
    is_class = isinstance(model, type)
    if hasattr(model, "get_params") and hasattr(model, "predict") and not is_class:
        return _write_sklearn, what
    hint = "; make an object of it first" if is_class else ""
    raise TypeError(
        "model must be a path, a torch.nn.Module, a Keras model or an estimator of scikit-learn, "
        f"not {arguments.shown(model)}{hint}"
    )


def _write_torch(model: Any, example: Any, folder: Path) -> tuple[Path, Any]:  # noqa: ANN401
    import torch

    named = _named(model, example)
    path = folder / type(model).__name__
    if isinstance(model, torch.jit.ScriptModule):
        path = folder / f"{model.original_name}.pt"
        model.save(str(path))
        return path, named
    # A batch of one row would be taken for an axis that is always 1.
    rows = {array.shape[:1] for array in named.values()}
    repeat = 2 if rows == {(1,)} else 1
    axes = {0: torch.export.Dim.AUTO} if len(rows) == 1 and rows != {()} else None
    with _ready_to_export(model) as module:
        tensors = {
            name: torch.from_numpy(np.concatenate([array] * repeat) if axes else array)
            for name, array in named.items()
        }
        try:
            program = torch.export.export(
                module, (), kwargs=tensors, dynamic_shapes=dict.fromkeys(tensors, axes)
            )
        except Exception as error:
            raise CreateError(
                f"the {type(model).__name__} cannot be exported: {one_line(error)}; save it by "
                "torch.jit.trace(model, x).save(path), and create the service from that file"
            ) from None
    path = path.with_suffix(".pt2")
    torch.export.save(program, path)
    return path, named


@contextlib.contextmanager
def _ready_to_export(model: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yields the module as it infers, on the CPU; the caller's own stays in its mode and place."""
    import copy

    if any(tensor.device.type != "cpu" for tensor in model.state_dict().values()):
        yield copy.deepcopy(model).cpu().eval()
        return
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield model.eval()
    finally:
        for module, training in modes:
            module.training = training


def _named(model: Any, example: Any) -> dict[str, Array]:  # noqa: ANN401
    """Returns the example by the names of forward's arguments."""
    what = f"the {type(model).__name__}"
    if example is None:
        raise CreateError(
            f"{what} does not say the shapes of its inputs: add example=, such as "
            "torch.rand(8, 3, 224, 224) for one input of images, or a dict of them by name"
        )
    if hasattr(model, "schema") or hasattr(model, "code"):  # TorchScript.
        names = [argument.name for argument in model.forward.schema.arguments[1:]]
    else:
        names = list(inspect.signature(model.forward).parameters)
    if isinstance(example, Mapping):
        unknown = [str(name) for name in example if name not in names]
        if unknown:
            raise CreateError(
                f'example has "{unknown[0]}", which {what} does not take: its forward takes '
                f"{', '.join(names)}"
            )
        return {name: _array(f'example["{name}"]', value) for name, value in example.items()}
    values = list(example) if isinstance(example, tuple) else [example]
    if len(values) > len(names):
        raise CreateError(
            f"example has {len(values)} arrays, but forward of {what} takes "
            f"{', '.join(names) or 'nothing'}"
        )
    return {name: _array("example", value) for name, value in zip(names, values, strict=False)}


def _write_keras(model: Any, example: Any, folder: Path) -> tuple[Path, Any]:  # noqa: ANN401
    path = folder / f"{model.name}.keras"
    try:
        model.save(path)
    except Exception as error:
        raise CreateError(
            f"the {type(model).__name__} cannot be saved by Keras: {one_line(error)}"
        ) from None
    return path, example


def _write_sklearn(model: Any, example: Any, folder: Path) -> tuple[Path, Any]:  # noqa: ANN401
    what = f"the {type(model).__name__}"
    if example is None:
        raise CreateError(f"{what} does not say the shape of its input: add example=, some rows")
    try:
        from skl2onnx import to_onnx  # type: ignore[import-not-found]
    except ImportError:
        raise CreateError(
            f"{what} is converted by skl2onnx, which is not installed: pip install skl2onnx"
        ) from None
    rows = _array("example", example).astype(np.float32)
    # Probabilities as one array, instead of a list of dicts that no tensor holds.
    plain = {id(model): {"zipmap": False}} if hasattr(model, "predict_proba") else None
    try:
        converted = to_onnx(model, rows[:1], options=plain)
    except Exception as error:
        raise CreateError(f"{what} cannot be converted by skl2onnx: {one_line(error)}") from None
    path = folder / f"{type(model).__name__}.onnx"
    path.write_bytes(converted.SerializeToString())
    return path, rows


@contextlib.contextmanager
def _example_file(example: Any) -> Iterator[Path | None]:  # noqa: ANN401
    """Yields an .npz file of an example; None without one."""
    if example is None:
        yield None
    elif isinstance(example, (str, PathLike)):
        yield Path(arguments.path("example", example))
    else:
        with tempfile.TemporaryDirectory(prefix="lepton-example-") as folder:
            path = Path(folder) / "example.npz"
            named = isinstance(example, Mapping)
            if not named:
                # The names that numpy gives to arrays without one.
                values = example if isinstance(example, tuple) else (example,)
                example = {f"arr_{i}": value for i, value in enumerate(values)}
            with zipfile.ZipFile(path, "w") as archive:
                for name, value in example.items():
                    array = _array(f'example["{name}"]' if named else "example", value)
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)
            try:
                yield path
            except CreateError as error:  # In the caller's words.
                raise CreateError(str(error).replace(str(path), "example")) from None


def _array(name: str, value: Any) -> Array:  # noqa: ANN401
    """Returns a value as an array; a tensor of torch is taken from where it is."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CreateError(f"{name} is not an array: {one_line(error)}") from None
    if array.dtype.kind == "O":
        raise CreateError(
            f"{name} is not an array of numbers or text, but {arguments.shown(value)}"
        )
    return array
