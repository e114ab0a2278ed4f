"""A module of PyTorch that Python code makes: a pickle, or a class with a file's weights."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from lepton.create import pytorch_file
from lepton.create.errors import CreateError, one_line
from lepton.create.framework import Job, need

# Where training scripts keep the weights among other things.
_KEYS_OF_WEIGHTS = ("state_dict", "model_state_dict", "model")


def guarded(job: Job, load: Callable[[], Any]) -> Any:  # noqa: ANN401
    """Returns what load() gives; whatever it raises becomes one line about the file."""
    try:
        return load()
    except Exception as error:  # torch raises what its readers and the file's classes raise.
        raise CreateError(
            f"{job.path} cannot be loaded as {job.format}: {one_line(error)}"
        ) from None


def load_module(job: Job, torch: Any) -> Any:  # noqa: ANN401
    """Returns the module of a pickle, or of --module with the file's weights.

    Raises:
        CreateError: What the file holds, the class, or its arguments do not fit each other.
    """
    # The user's own modules are where the command runs, as for `python -m`.
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
    weights = _weights(held, torch)
    if weights is None:
        raise CreateError(
            f"{job.path} holds a {type(held).__name__}, expected a module or a dict of tensors by "
            "name"
        )
    if not job.options.module:
        raise CreateError(f"{job.path} holds weights: add --module package.module:Class")
    module = _made(job.options.module, job.options.module_args, torch)
    return _filled(module, weights, job)


def _weights(held: Any, torch: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """Returns the tensors by name, wherever a training script has put them."""
    for _ in range(2):
        if not isinstance(held, Mapping):
            return None
        if held and all(isinstance(value, torch.Tensor) for value in held.values()):
            weights = {str(name): tensor for name, tensor in held.items()}
            # DistributedDataParallel and torch.compile put theirs before each name.
            for prefix in ("module.", "_orig_mod."):
                if all(name.startswith(prefix) for name in weights):
                    weights = {name.removeprefix(prefix): t for name, t in weights.items()}
            return weights
        held = next((held[key] for key in _KEYS_OF_WEIGHTS if key in held), None)
    return None


def _made(place: str, arguments: dict[str, Any], torch: Any) -> Any:  # noqa: ANN401
    """Returns what --module makes."""
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
        raise CreateError(f'--module "{place}" makes a {type(module).__name__}, no torch module')
    return module


def _filled(module: Any, weights: dict[str, Any], job: Job) -> Any:  # noqa: ANN401
    own = module.state_dict()
    problems = []
    missing = [name for name in own if name not in weights]
    unknown = [name for name in weights if name not in own]
    if missing:
        problems.append(f"it lacks {missing[0]} ({len(missing)} in all)")
    if unknown:
        problems.append(f"{unknown[0]} is unknown there ({len(unknown)} in all)")
    for name in own:
        if name in weights and own[name].shape != weights[name].shape:
            problems.append(
                f"{name} is {list(weights[name].shape)}, expected {list(own[name].shape)}"
            )
            break
    if problems:
        raise CreateError(
            f"{job.path} does not fit {job.options.module}: {'; '.join(problems)}; correct "
            "--module or --module-args"
        )
    guarded(job, lambda: module.load_state_dict(weights))
    return module
