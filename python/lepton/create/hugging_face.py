"""Hugging Face text models: a folder becomes one graph that takes text.

The tokenizer, the transformer and the pooling are one OpenVINO model, so that a client sends
sentences and gets their embeddings, or the scores of their labels.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lepton.create.errors import CreateError, one_line
from lepton.create.framework import Format, Job, Original, need, version_of
from lepton.create.hugging_face_folder import TextFolder, read_folder
from lepton.create.options import InputSpec

if TYPE_CHECKING:
    from lepton.datatypes import Array

_FORMAT = Format("Hugging Face folder", "Transformers", "hugging_face", ("",))
FORMATS: tuple[Format, ...] = (_FORMAT,)

# Sentences, which are also used for measuring; then scripts and punctuation that tokenizers treat
# differently, an empty text, and one that is longer than most models take.
_SAMPLES = (
    "The quick brown fox jumps over the lazy dog.",
    "How much does it cost?",
    "La réponse du modèle arrive en moins de dix millisecondes.",
    "A cat sleeps on the warm stones in front of the old house.",
    "Ein Überblick über die Größe der Straße.",
    "Trains leave from platform two every ten minutes until midnight.",
    "She reads.",
    "The weather will be sunny tomorrow, with a light wind from the sea.",
)
_EXTREMES = (
    "",
    " \t\n",
    "a",
    "再生可能エネルギーは重要です。",
    "Тёплый вечер 🌇 и café",
    "Please don't e-mail me at 9:30 a.m. -- call +1 (555) 010-9999 instead!",
    "Latency is what a caller waits for; throughput is what the owner pays for. " * 60,
)
# Maximum rows of one run: beyond it a row gets no cheaper (a sentence of seven words in
# all-MiniLM-L6 takes 4.7 ms alone, 2.3 in a run of eight, 2.2 in one of sixteen), and a long text
# in a batch makes all others wait.
_MAX_BATCH = 16


def detect(path: Path) -> Format | None:
    """Recognizes a Hugging Face folder by its config.json or modules.json."""
    known = any((path / name).is_file() for name in ("config.json", "modules.json"))
    return _FORMAT if path.is_dir() and known else None


def _batch(texts: Sequence[str]) -> dict[str, Array]:
    array = np.empty(len(texts), dtype=np.object_)
    array[:] = [text.encode() for text in texts]
    return {"text": array}


def load(job: Job) -> Original:
    """Loads the folder's tokenizer and weights.

    Raises:
        CreateError: The folder, or what is installed, does not allow it.
    """
    folder = read_folder(job.path)
    for module in ("torch", "transformers", "safetensors"):
        need(module, "text", "convert a Hugging Face folder")
    need("openvino_tokenizers", "text", "convert a tokenizer")
    return _TextModel(folder)


class _TextModel(Original):
    """The tokenizer and the model as transformers runs them."""

    def __init__(self, folder: TextFolder) -> None:
        packages = ("torch", "transformers", "tokenizers", "openvino_tokenizers")
        super().__init__(
            against=f"transformers {version_of('transformers')}, torch {version_of('torch')}",
            versions={package: version_of(package) for package in packages},
            inputs=[InputSpec("text", "BYTES", (-1,), ("batch",))],
            notes=list(folder.notes),
        )
        from lepton.create import hugging_face_graph, hugging_face_torch

        self._folder = folder
        self._output = "logits" if folder.labels else "embedding"
        try:
            self._tokenizer = hugging_face_torch.load_tokenizer(folder)
        except Exception as error:  # A tokenizer's own class may raise anything.
            raise CreateError(
                f"{folder.encoder} has no usable tokenizer: {one_line(error)}"
            ) from None
        self._graph = hugging_face_graph.tokenizer_graph(self._tokenizer)
        self._check_lower_case()
        given = hugging_face_graph.token_names(self._graph)
        self._module = self._load_module(given)
        self._note_what_is_cut()

    def convert(self, sample: Mapping[str, Array]) -> Any:  # noqa: ANN401 - see Original
        """Returns the graph of tokenizer and model."""
        del sample  # Tracing takes tokens, and short ones are enough.
        import openvino as ov

        from lepton.create.hugging_face_graph import join

        tokens = self._tokens(["one", "and two or three"])
        try:
            with warnings.catch_warnings():
                # Tracing warns about each size that it takes as fixed; the check finds the wrong
                # ones, with several lengths.
                warnings.simplefilter("ignore")
                model = ov.convert_model(self._module, example_input=tokens)
        except Exception as error:  # Raised by torch and OpenVINO.
            raise CreateError(
                f"{self._folder.architecture} cannot be converted: {one_line(error)}"
            ) from None
        for port, name in zip(model.inputs, self._module.arguments, strict=True):
            port.set_names({name})
        return join(self._graph, model, self._output)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Returns the answers of transformers and torch."""
        import torch

        texts = [
            text.decode() if isinstance(text, bytes) else str(text) for text in inputs["text"].flat
        ]
        with torch.no_grad():
            return {self._output: self._module(*self._tokens(texts)).numpy()}

    def sample(self, batch: int) -> dict[str, Array]:
        """Returns sentences."""
        return _batch([_SAMPLES[i % len(_SAMPLES)] for i in range(batch)])

    def extremes(self) -> dict[str, Array]:
        """Returns texts that are hard for tokenizers, in one batch."""
        return _batch(_EXTREMES)

    def labels(self) -> Sequence[str]:
        """Returns those of the folder's config.json."""
        return self._folder.labels

    def config(self) -> str:
        """Lets requests share runs, which the server by itself does for small models only."""
        return f"# Texts of one run, of several requests as well.\nmax_batch_size: {_MAX_BATCH}\n"

    def _load_module(self, given: set[str]) -> Any:  # noqa: ANN401 - torch is an extra
        import transformers

        from lepton.create.hugging_face_torch import TextModule

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        known = getattr(transformers, self._folder.architecture, None)
        if known is None:
            raise CreateError(
                f"transformers {version_of('transformers')} has no {self._folder.architecture}; a "
                "model that brings its own code is not converted"
            )
        takes = inspect.signature(known.forward).parameters
        wanted = [
            name for name in self._tokenizer.model_input_names if name in takes and name in given
        ]
        if "attention_mask" not in wanted:
            raise CreateError(f"{self._folder.architecture} takes no attention_mask")
        try:
            return TextModule(self._folder, tuple(wanted))
        except CreateError:
            raise
        except Exception as error:  # Raised by safetensors, torch or the model's own class.
            raise CreateError(f"{self._folder.path} does not load: {one_line(error)}") from None

    def _tokens(self, texts: list[str]) -> tuple[Any, ...]:
        tokens = self._tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        return tuple(tokens[name] for name in self._module.arguments)

    def _check_lower_case(self) -> None:
        if self._folder.lower_case and self._tokenizer.tokenize("A") != self._tokenizer.tokenize(
            "a"
        ):
            raise CreateError(
                f"{self._folder.encoder} wants text in lower case, which its tokenizer does not "
                "see to: set do_lower_case in tokenizer_config.json"
            )

    def _note_what_is_cut(self) -> None:
        limit = self._tokenizer.model_max_length
        positions = getattr(self._module.transformer.config, "max_position_embeddings", limit)
        if limit > positions:
            raise CreateError(
                f"{self._folder.path} truncates text at {limit} tokens, but the model takes "
                f"{positions}: "
                "set model_max_length in tokenizer_config.json"
            )
        self.notes.append(f"Text is truncated at {limit} tokens.")
        if self._folder.labels:
            self.notes.append("Labels in their order: " + ", ".join(self._folder.labels) + ".")
