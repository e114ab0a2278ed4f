"""Keras models: loaded by Keras, exported as a SavedModel, and then converted."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lepton.create.archives import DAMAGED
from lepton.create.errors import CreateError, one_line
from lepton.create.framework import Format, Job, Original, need, refuse_code, version_of
from lepton.create.keras_config import code_in
from lepton.create.options import DATATYPE_OF_WORD, InputSpec
from lepton.create.tensorflow import import_tensorflow, tensorflow_version
from lepton.datatypes import Array

KERAS = Format("Keras", "Keras", "keras", (".keras",))
HDF5 = Format("Keras HDF5", "Keras", "keras", (".h5", ".hdf5"))
FORMATS = (KERAS, HDF5)


def detect(path: Path) -> Format | None:
    """Returns which of Keras's two formats a file has."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        begin = file.read(8)
    if begin == b"\x89HDF\r\n\x1a\n":
        return HDF5
    if begin[:4] != b"PK\x03\x04":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except DAMAGED:
        return None  # Another reader of such archives will say that it is damaged.
    return KERAS if {"config.json", "model.weights.h5"} <= names else None


def load(job: Job) -> Original:
    """Loads it in Keras.

    Raises:
        CreateError: It holds code, or Keras is not installed, or cannot load it.
    """
    refuse_code(job, lambda: code_in(job.path), "holds Python code ({}), which loading it runs")
    # The exporter writes TensorFlow's functions, so TensorFlow must be the backend.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    why = f"read {job.path.name}, a Keras model,"
    tensorflow = import_tensorflow(why)
    keras = need("keras", "tensorflow", why)
    try:
        # A Lambda layer is Python code in the file, just as a pickle is.
        model = keras.saving.load_model(
            job.path, compile=False, safe_mode=not job.options.trust_pickle
        )
    except Exception as error:  # Raised by Keras and the layers' own classes.
        raise CreateError(_why_not(job.path, error)) from None
    if not model.built or not getattr(model, "inputs", None):
        raise CreateError(
            f"{job.path} does not say the shapes of its inputs: build it with keras.Input, or call "
            "it once, before saving it"
        )
    return _Keras(job, tensorflow, keras, model)


class _Keras(Original):
    def __init__(self, job: Job, tensorflow: Any, keras: Any, model: Any) -> None:  # noqa: ANN401
        versions = {"keras": version_of("keras"), "tensorflow": tensorflow_version()}
        against = f"keras {versions['keras']} on tensorflow {versions['tensorflow']}"
        self._job, self._keras, self._model = job, keras, model
        folder = job.work / "saved_model"
        try:
            served = _for_serving(model, keras)
            served.export(str(folder), format="tf_saved_model", verbose=False)
            exported = tensorflow.saved_model.load(str(folder))
        except Exception as error:
            raise CreateError(
                f"{job.path} cannot be exported by Keras: {one_line(error)}"
            ) from None
        self._folder = folder
        takes = exported.signatures["serving_default"].structured_input_signature[1]
        super().__init__(against, versions, [_spec(name, one) for name, one in takes.items()])

    def convert(self, sample: Mapping[str, Array]) -> Any:  # noqa: ANN401
        """Converts Keras's export."""
        from lepton.create.conversion import convert

        del sample
        return convert(self._folder, self._job.path)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the model's own answer, with the names of its export."""
        tree = self._keras.tree
        given = tree.map_structure(lambda one: inputs[one.name], _takes(self._model))
        answer = self._model(given, training=False)
        if isinstance(answer, Mapping):
            return {str(name): np.asarray(value) for name, value in answer.items()}
        return {f"output_{i}": np.asarray(one) for i, one in enumerate(tree.flatten(answer))}


def _takes(model: Any) -> Any:  # noqa: ANN401
    """Returns the form of a model's inputs: one, a list, a dict."""
    takes = getattr(model, "input", None)  # A loaded Sequential does not say; it takes one input.
    return model.inputs[0] if takes is None else takes


def _for_serving(model: Any, keras: Any) -> Any:  # noqa: ANN401
    """Returns a model that calls this one in inference mode.

    Export leaves the mode to each layer, and layers that augment data do so unless told not to.
    """
    fresh = keras.tree.map_structure(
        lambda one: keras.Input(batch_shape=one.shape, dtype=one.dtype, name=one.name),
        _takes(model),
    )
    return keras.Model(fresh, model(fresh, training=False))


def _spec(name: str, tensor: Any) -> InputSpec:  # noqa: ANN401
    shape = tuple(-1 if extent is None else int(extent) for extent in tensor.shape)
    dims = tuple("batch" if not axis and extent == -1 else "" for axis, extent in enumerate(shape))
    return InputSpec(name, DATATYPE_OF_WORD[tensor.dtype.name], shape, dims)


def _why_not(path: Path, error: Exception) -> str:
    text = str(error)
    if "safe_mode" in text or "unsafe" in text.lower():
        return (
            f"{path} holds Python code (a Lambda layer), which loading it runs; if you trust its "
            "maker, add --trust-pickle"
        )
    if "No model config found" in text or "No model found in config" in text:
        return f"{path} holds weights without their model: save it whole by model.save()"
    return f"{path} cannot be loaded by Keras: {one_line(error)}"
