"""Writes text.xml, text.bin and text.npz beside this file: a text model with its tokenizer inside.

    .venv-frameworks/bin/python tests/data/make_text_model.py

A transformer with random weights and a vocabulary of letters and a few words. text.npz has texts,
and their embeddings as torch and transformers compute them.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import openvino as ov
import torch
from transformers import BertConfig, BertModel, BertTokenizer

from lepton.create import hugging_face
from lepton.create.framework import Job
from lepton.create.options import Options

HERE = Path(__file__).parent
WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] the quick brown fox of and is in to how much , . ? ! ##s ##ing"
)
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
LONGEST = 32
TEXTS = ["the quick brown fox", "", "How much is in?", "Größe, naïve", "日本語 🌇", "fox " * 100]


def save_folder(folder: Path) -> None:
    """Writes a Hugging Face folder."""
    words = WORDS.split()
    letters = [letter for letter in LETTERS if letter not in words]
    vocabulary = words + letters + ["##" + letter for letter in LETTERS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=LONGEST,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=LONGEST).save_pretrained(folder)


def main() -> None:
    """Writes the three files."""
    with tempfile.TemporaryDirectory() as work:
        save_folder(Path(work))
        original = hugging_face.load(Job(Path(work), "", Options(), Path(work)))
        ov.save_model(original.convert({}), HERE / "text.xml", compress_to_fp16=False)
        texts = np.array([text.encode() for text in TEXTS], dtype=np.object_)
        answers = original.run({"text": texts})["embedding"]
    lengths = np.array([len(text) for text in texts])
    np.savez(
        HERE / "text.npz",
        texts=np.frombuffer(b"".join(texts), np.uint8),
        lengths=lengths,
        embeddings=answers,
    )


if __name__ == "__main__":
    main()
