"""A Hugging Face folder: config.json, weights, a tokenizer, and sentence-transformers' files.

Reads what the files say, without torch or transformers: which task the model has, and how the
vectors of its tokens become one vector for the text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lepton.create.errors import CreateError

_TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
)
# In the order in which sentence-transformers concatenates them when there are several.
_POOLING_MODES = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


@dataclass(frozen=True)
class Layer:
    """One step that processes the tokens' vectors, or the vector of the text.

    Attributes:
        kind: Pooling makes one vector per text; the others change it.
        modes: For pooling, e.g. ("mean",); the results of several are concatenated.
        folder: For a dense layer: the folder of its config.json and weights.
    """

    kind: Literal["pooling", "dense", "normalize", "layer_norm"]
    modes: tuple[str, ...] = ()
    folder: Path | None = None


@dataclass(frozen=True)
class TextFolder:
    """What a folder says about its text model.

    Attributes:
        path: The folder.
        encoder: The folder of the transformer itself: `path`, or one below it.
        architecture: The class that config.json names, e.g. "BertModel".
        task: The model's output: a vector per text, or a score per label.
        layers: What follows the transformer, for embeddings.
        max_length: Longest text in tokens; None if only the tokenizer knows it.
        lower_case: Whether text must be lower-cased before the tokenizer.
        labels: The names of the classes, for classification.
        notes: Assumptions, and what a caller must know.
    """

    path: Path
    encoder: Path
    architecture: str
    task: Literal["embedding", "classification"]
    layers: tuple[Layer, ...]
    max_length: int | None
    lower_case: bool
    labels: tuple[str, ...]
    notes: tuple[str, ...]


def read_folder(path: Path) -> TextFolder:
    """Reads what a folder's files say.

    Raises:
        CreateError: A file is missing or not what its name says, or this kind of model cannot be
            made into one graph.
    """
    modules = _modules(path)
    encoder = path / (modules[0][1] if modules else "")
    config = _read(encoder / "config.json", "it is needed to know the architecture")
    architecture = str((config.get("architectures") or [config.get("model_type", "unknown")])[0])
    _check_files(encoder)
    limits = encoder / "sentence_bert_config.json"
    sentence: dict[str, Any] = _read(limits) if limits.is_file() else {}
    notes: list[str] = []
    labels: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    classifies = architecture.endswith("ForSequenceClassification")
    if classifies:
        names = config.get("id2label") or {}
        labels = tuple(str(names[key]) for key in sorted(names, key=int))
    elif modules:
        layers = tuple(_layer(path, kind, place) for kind, place in modules[1:])
        if not any(layer.kind == "pooling" for layer in layers):
            raise CreateError(f"{path / 'modules.json'} has no Pooling, so there is no vector")
        notes += _prompt_notes(path)
    else:
        layers = (Layer("pooling", ("mean",)),)
        notes.append(
            "The folder has no modules.json: the vector of a text is the mean of its tokens' "
            "vectors, not normalized."
        )
    return TextFolder(
        path=path,
        encoder=encoder,
        architecture=architecture,
        task="classification" if classifies else "embedding",
        layers=layers,
        max_length=sentence.get("max_seq_length"),
        lower_case=bool(sentence.get("do_lower_case")),
        labels=labels,
        notes=tuple(notes),
    )


def _modules(path: Path) -> list[tuple[str, str]]:
    """Returns (class, folder) of each module of sentence-transformers, the transformer first."""
    file = path / "modules.json"
    if not file.is_file():
        return []
    try:
        entries = sorted(_read(file), key=lambda entry: int(entry["idx"]))
        modules = [(str(entry["type"]).rpartition(".")[2], str(entry["path"])) for entry in entries]
    except (KeyError, TypeError, ValueError):
        raise CreateError(f"{file} is not a list of modules with idx, type and path") from None
    if not modules or modules[0][0] != "Transformer":
        raise CreateError(f"{file} does not begin with a Transformer")
    for _, place in modules:
        if not (path / place).resolve().is_relative_to(path.resolve()):
            raise CreateError(f'{file} names "{place}", which is outside its folder')
    return modules


def _layer(path: Path, kind: str, place: str) -> Layer:
    if kind == "Pooling":
        return Layer("pooling", _pooling_modes(path / place / "config.json"))
    if kind == "Dense":
        return Layer("dense", folder=path / place)
    if kind == "LayerNorm":
        return Layer("layer_norm", folder=path / place)
    if kind == "Normalize":
        return Layer("normalize")
    raise CreateError(
        f'{path / "modules.json"} has a module "{kind}", expected Transformer, Pooling, Dense, '
        "LayerNorm, Normalize"
    )


def _pooling_modes(file: Path) -> tuple[str, ...]:
    config = _read(file, "it says how the vectors of the tokens become one")
    named = config.get("pooling_mode")
    modes = [named] if isinstance(named, str) else named
    if modes is None:
        modes = [mode for mode, key in _POOLING_MODES.items() if config.get(key)]
    unknown = [mode for mode in modes if mode not in _POOLING_MODES]
    if unknown or not modes:
        found = f'"{unknown[0]}"' if unknown else "none"
        raise CreateError(f"{file} names pooling {found}, expected {', '.join(_POOLING_MODES)}")
    return tuple(modes)


def _prompt_notes(path: Path) -> list[str]:
    file = path / "config_sentence_transformers.json"
    config: dict[str, Any] = _read(file) if file.is_file() else {}
    prompts = config.get("prompts") or {}
    texts = {name: text for name, text in prompts.items() if text}
    if not texts:
        return []
    listed = ", ".join(f'"{text}" ({name})' for name, text in texts.items())
    return [f"The model was trained with prompts before the text: {listed}. Send them with it."]


def _check_files(folder: Path) -> None:
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise CreateError(
            f"{folder} has no tokenizer, expected one of {', '.join(_TOKENIZER_FILES)}"
        )
    weights = ("model.safetensors", "model.safetensors.index.json")
    if not any((folder / name).is_file() for name in weights):
        pickled = (folder / "pytorch_model.bin").is_file()
        why = "; pytorch_model.bin is a pickle, which runs code: save it as safetensors"
        raise CreateError(f"{folder} has no model.safetensors" + (why if pickled else ""))


def _read(file: Path, why: str = "") -> Any:  # noqa: ANN401 - the content of a JSON file
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CreateError(f"{file} does not exist" + (f", {why}" if why else "")) from None
    except (ValueError, UnicodeDecodeError):
        raise CreateError(f"{file} is not JSON") from None
