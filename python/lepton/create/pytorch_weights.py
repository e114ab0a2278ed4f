"""A PyTorch module that Python code makes: a pickle, or a class with a file's weights."""

from __future__ import annotations

import importlib
import os
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lepton.create import pytorch_file
from lepton.create.errors import CreateError, one_line
from lepton.create.framework import Job, need

# The keys under which training scripts keep the weights; the first one present counts, unless
# another fits the module better.
_KEYS_OF_WEIGHTS = (
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights",
    "params", "ema_state_dict", "state_dict_ema", "model_ema", "params_ema", "ema",
)  # fmt: skip
_DEEPEST = 3  # Maximum depth of dicts in dicts.
_LONGEST_PREFIX = 4  # Maximum number of names before each weight's own.


def guarded(job: Job, load: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Returns load()'s result; whatever it raises becomes one line about the file."""
    try:
        return load()
    except Exception as error:  # torch raises what its readers and the file's classes raise.
        raise CreateError(
            f"{job.path} cannot be loaded as {job.format}: {one_line(error)}"
        ) from None


def load_module(job: Job, torch: Any) -> Any:  # noqa: ANN401
    """Returns the module of a pickle, or --module's with the file's weights.

    Raises:
        CreateError: The file's content, the class and its arguments do not fit each other.
    """
    # The user's own modules are in the current folder, as for `python -m`.
    sys.path.insert(0, os.getcwd())
    if job.format == pytorch_file.SAFETENSORS.name:
        need("safetensors", "torch", f"read {job.path.name}")
        from safetensors.torch import load_file

        held = guarded(job, lambda: load_file(job.path))
    else:
        whole = job.format == pytorch_file.PICKLED.name
        held = guarded(
            job, lambda: torch.load(job.path, map_location="cpu", weights_only=not whole)
        )
    if isinstance(held, torch.nn.Module):
        if job.options.module:
            raise CreateError(f"{job.path} holds a whole module: leave out --module")
        return held
    found = list(_weights(held, torch))
    if not found:
        raise CreateError(
            f"{job.path} holds a {type(held).__name__}, expected a module or a dict of tensors by "
            "name"
        )
    if not job.options.module:
        raise CreateError(f"{job.path} holds weights: add --module package.module:Class")
    module = _made(job.options.module, job.options.module_args, torch)
    own = set(module.state_dict())
    # Among those that fit alike, the file's own order decides.
    fitting = max((_named_as(weights, own) for weights in found), key=lambda w: len(own & set(w)))
    return _filled(module, fitting, job)


def _weights(held: Any, torch: Any, depth: int = 0) -> Iterator[OrderedDict[str, Any]]:  # noqa: ANN401
    """Yields each dict of tensors by name, wherever a training script has put it."""
    if not isinstance(held, Mapping) or depth > _DEEPEST:
        return
    if held and all(isinstance(value, torch.Tensor) for value in held.values()):
        weights = OrderedDict((str(name), tensor) for name, tensor in held.items())
        # The versions of the modules that wrote it, which change how some of them read it.
        versions = getattr(held, "_metadata", None)
        if isinstance(versions, Mapping):
            weights._metadata = dict(versions)  # type: ignore[attr-defined]
        yield weights
        return
    known = [key for key in _KEYS_OF_WEIGHTS if key in held]
    for key in (*known, *(key for key in held if key not in known)):
        yield from _weights(held[key], torch, depth + 1)


def _named_as(weights: OrderedDict[str, Any], own: set[str]) -> OrderedDict[str, Any]:
    """Returns weights without the prefix that the module's own names lack.

    DistributedDataParallel, torch.compile and Lightning add such a prefix.
    """
    for _ in range(_LONGEST_PREFIX):
        first = {name.partition(".")[0] for name in weights}
        if own & set(weights) or len(first) > 1 or not all("." in name for name in weights):
            break
        bare = OrderedDict((name.partition(".")[2], value) for name, value in weights.items())
        versions = getattr(weights, "_metadata", None)
        if versions is not None:
            inner = {k.partition(".")[2]: v for k, v in versions.items() if k}
            bare._metadata = inner  # type: ignore[attr-defined]
        weights = bare
    return weights


def _made(place: str, arguments: dict[str, Any], torch: Any) -> Any:  # noqa: ANN401
    """Returns the module that --module makes."""
    name, _, attribute = place.partition(":")
    if not name or not attribute:
        raise CreateError(f'--module "{place}" is not of the form package.module:Class')
    try:
        made: Any = importlib.import_module(name)
    except Exception as error:  # The module's own code may raise anything.
        raise CreateError(
            f'--module "{place}" does not import ({one_line(error)}): run lepton where '
            f"`import {name}` works, or set PYTHONPATH"
        ) from None
    for part in attribute.split("."):
        if not hasattr(made, part):
            raise CreateError(f'--module "{place}" names nothing: {name} has no "{part}"')
        made = getattr(made, part)
    try:
        module = made(**arguments)
    except Exception as error:
        raise CreateError(
            f'--module "{place}" cannot be made with {arguments or "no arguments"} '
            f"({one_line(error)}): correct --module-args"
        ) from None
    if not isinstance(module, torch.nn.Module):
        raise CreateError(f'--module "{place}" makes a {type(module).__name__}, not a torch module')
    return module


def _filled(module: Any, weights: OrderedDict[str, Any], job: Job) -> Any:  # noqa: ANN401
    own = module.state_dict(keep_vars=True)
    try:
        # The module decides: some accept weights under names that others have written.
        missing, unknown = module.load_state_dict(weights, strict=False)
        other: list[str] = []
    except Exception as error:  # Raised for shapes, or by a module's own code.
        missing = [name for name in own if name not in weights]
        unknown = [name for name in weights if name not in own]
        other = _other_shapes(own, weights) or [one_line(error)]
    # A tensor with two names may be in the file once.
    filled = {own[name].data_ptr() for name in own if name in weights}
    missing = [name for name in missing if own[name].data_ptr() not in filled]
    problems = [f"it lacks {missing[0]} ({len(missing)} in all)"] if missing else []
    if unknown:
        problems.append(f"{unknown[0]} is unknown there ({len(unknown)} in all)")
    problems += other
    if problems:
        raise CreateError(
            f"{job.path} does not fit {job.options.module}: {'; '.join(problems)}; correct "
            "--module or --module-args"
        )
    return module


def _other_shapes(own: Mapping[str, Any], weights: Mapping[str, Any]) -> list[str]:
    for name in own:
        if name in weights and own[name].shape != weights[name].shape:
            return [f"{name} is {list(weights[name].shape)}, expected {list(own[name].shape)}"]
    return []
