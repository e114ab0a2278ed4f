"""A text model in torch: the transformer, and the layers that make a vector or scores of it.

Imports torch and transformers, so lepton.create.hugging_face imports it only when needed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedTokenizerBase,
)

from lepton.create.errors import CreateError
from lepton.create.hugging_face_folder import Layer, TextFolder

# No download, no code from the folder; weights without pickles, computed in f32.
_SAFE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
_ACTIVATIONS = {
    "Tanh": nn.Tanh,
    "Identity": nn.Identity,
    "ReLU": nn.ReLU,
    "GELU": nn.GELU,
    "SiLU": nn.SiLU,
    "Sigmoid": nn.Sigmoid,
}


class TextModule(nn.Module):  # type: ignore[misc]  # torch is no dependency of the type checker
    """Tokens in, the task's answer out: [batch, features] or [batch, labels] of f32.

    Args:
        folder: The model.
        arguments: The tokenizer's tensors that forward() gets, in this order; attention_mask is one
            of them.
    """

    def __init__(self, folder: TextFolder, arguments: tuple[str, ...]) -> None:
        super().__init__()
        classes = AutoModelForSequenceClassification if folder.labels else AutoModel
        self.transformer = classes.from_pretrained(
            folder.encoder, dtype=torch.float32, use_safetensors=True, **_SAFE
        )
        self.layers = nn.ModuleList(_module_of(layer) for layer in folder.layers)
        self.arguments = arguments
        self.eval()

    def forward(self, *tokens: Tensor) -> Tensor:
        """Returns the answer to tokens, each of [batch, length] int64."""
        named = dict(zip(self.arguments, tokens, strict=True))
        output = self.transformer(**named)
        if not self.layers:
            return output.logits
        answer, mask = output.last_hidden_state, named["attention_mask"]
        for layer in self.layers:
            answer = layer(answer, mask) if isinstance(layer, Pooling) else layer(answer)
        return answer


class Pooling(nn.Module):  # type: ignore[misc]
    """Pools the vectors of a text's tokens into one, as sentence-transformers computes it."""

    def __init__(self, modes: tuple[str, ...]) -> None:
        super().__init__()
        self.modes = modes

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Returns [batch, modes * hidden] of `tokens` [batch, length, hidden]."""
        return torch.cat([self._pooled(mode, tokens, mask) for mode in self.modes], dim=1)

    def _pooled(self, mode: str, tokens: Tensor, mask: Tensor) -> Tensor:
        kept = mask.unsqueeze(-1).to(tokens.dtype)
        if mode == "max":
            return tokens.masked_fill(kept == 0, torch.finfo(tokens.dtype).min).amax(dim=1)
        if mode in ("cls", "lasttoken"):
            # The first or the last real token, wherever the padding is.
            order = torch.cumsum(mask, dim=1)
            wanted = torch.ones_like(order[:, :1]) if mode == "cls" else order[:, -1:]
            chosen = ((order == wanted) & (mask > 0)).unsqueeze(-1).to(tokens.dtype)
            return (tokens * chosen).sum(dim=1)
        if mode == "weightedmean":
            kept = kept * torch.cumsum(mask, dim=1).unsqueeze(-1).to(tokens.dtype)
        count = kept.sum(dim=1).clamp(min=1e-9)
        return (tokens * kept).sum(dim=1) / (
            torch.sqrt(count) if mode == "mean_sqrt_len_tokens" else count
        )


class Normalize(nn.Module):  # type: ignore[misc]
    """Scales vectors to length 1."""

    def forward(self, vectors: Tensor) -> Tensor:
        """Returns `vectors`, each divided by its length."""
        return nn.functional.normalize(vectors, p=2.0, dim=1)


def load_tokenizer(folder: TextFolder) -> PreTrainedTokenizerBase:
    """Returns the folder's tokenizer, which truncates texts at the folder's maximum length."""
    tokenizer = AutoTokenizer.from_pretrained(folder.encoder, **_SAFE)
    if folder.max_length is not None:
        tokenizer.model_max_length = folder.max_length
    return tokenizer


def _module_of(layer: Layer) -> nn.Module:
    if layer.kind == "pooling":
        return Pooling(layer.modes)
    if layer.kind == "normalize":
        return Normalize()
    assert layer.folder is not None
    config = json.loads((layer.folder / "config.json").read_text())
    weights = load_file(layer.folder / "model.safetensors")
    if layer.kind == "layer_norm":
        norm = nn.LayerNorm(int(config["dimension"]))
        norm.load_state_dict({key.removeprefix("norm."): weights[key] for key in weights})
        return norm
    return _dense(config, weights, layer.folder)


def _dense(config: dict[str, Any], weights: dict[str, Tensor], folder: Path) -> nn.Module:
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if activation not in _ACTIVATIONS or config.get("use_residual"):
        what = "use_residual" if config.get("use_residual") else f'activation "{activation}"'
        raise CreateError(f"{folder} has {what}, expected one of {', '.join(_ACTIVATIONS)}")
    linear = nn.Linear(
        int(config["in_features"]), int(config["out_features"]), bias=config.get("bias", True)
    )
    linear.load_state_dict({key.removeprefix("linear."): weights[key] for key in weights})
    return nn.Sequential(linear, _ACTIVATIONS[activation]())
