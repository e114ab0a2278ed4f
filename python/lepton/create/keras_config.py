"""Finds the code that a Keras model's configuration names, without Keras.

The configuration is JSON that names the class and module of each layer, and Keras imports them.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from lepton.create.archives import opened
from lepton.create.pytorch_pickle import UNREADABLE, named_in_archive

# The modules that are allowed: those of layers and what layers are made of. Others also have
# functions that open files, load what they are told to, or switch such checks off.
_MODULES = re.compile(
    r"(keras|keras\.src|tf_keras|tf_keras\.src|tensorflow\.keras|keras_hub|keras_nlp|keras_cv)"
    r"(\.(layers|models|engine|initializers|regularizers|constraints|activations|losses|metrics"
    r"|ops|optimizers|dtype_policies|random|mixed_precision)(\.\w+)*)?"
)
# Allowed where a layer names a function, as Keras's own configurations do.
_MODULES_OF_FUNCTIONS = re.compile(
    r"builtins|keras(\.src)?\.(activations|losses|metrics|initializers)(\.\w+)*"
)
_FUNCTIONS = {
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu",
    "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign",
    "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink",
    "threshold",
}  # fmt: skip
_CONFIGURATION = re.compile(r"model_config|training_config|layer_config")


def code_in(path: Path) -> list[str]:
    """Returns what a .keras or HDF5 file names outside Keras, and its pickles."""
    if zipfile.is_zipfile(path):
        pickles = named_in_archive(path, unpickled=False)
        with opened(path) as archive:
            configs = [archive.read(name) for name in archive.namelist() if name.endswith(".json")]
        return [*dict.fromkeys([*_named(configs), *pickles])]
    return [*dict.fromkeys(_named(_attributes(path)))]


def _attributes(path: Path) -> list[bytes]:
    """Returns the configurations in an HDF5 file, using Keras's reader."""
    try:
        h5py: Any = import_module("h5py")
    except ModuleNotFoundError:  # Keras is then missing too, which is reported when it is needed.
        return []
    try:
        with h5py.File(path, "r") as file:
            return [
                text.encode() if isinstance(text, str) else bytes(text)
                for name, text in file.attrs.items()
                if _CONFIGURATION.fullmatch(name)
            ]
    except (OSError, ValueError, TypeError, RuntimeError):
        return []  # Keras does not read it either, and says what is wrong.


def _named(configs: list[bytes]) -> list[str]:
    found: list[str] = []
    for config in configs:
        try:
            found += _of(json.loads(config))
        except (ValueError, RecursionError):
            found.append(UNREADABLE)
    return found


def _of(held: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(held, list):
        for one in held:
            yield from _of(one)
    if not isinstance(held, dict):
        return
    kind, module = held.get("class_name"), held.get("module")
    if kind in ("function", "__function__"):
        name = held.get("config")
        known = isinstance(name, str) and name in _FUNCTIONS
        if not known or not (module is None or _MODULES_OF_FUNCTIONS.fullmatch(str(module))):
            yield f"{module or 'function'}.{name if isinstance(name, str) else kind}"
    elif isinstance(kind, str):
        # Lambda, TFOpLambda and SlicingOpLambda call what they are told to; __lambda__ is the first
        # one's function.
        if "lambda" in kind.lower():
            yield f"a {'Lambda' if kind == '__lambda__' else kind} layer"
        elif module is not None and not _MODULES.fullmatch(str(module)):
            yield f"{module}.{kind}"
    for one in held.values():
        yield from _of(one)
