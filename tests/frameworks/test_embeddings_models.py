"""Hugging Face folders become graphs that answer like transformers and sentence-transformers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest
import torch
import transformers as hf
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from lepton import LeptonAI
from lepton.create import CreateError, create_service

sentence_transformers = pytest.importorskip("sentence_transformers")
from sentence_transformers import SentenceTransformer  # noqa: E402
from sentence_transformers.sentence_transformer import modules  # noqa: E402

TEXTS = [
    "the quick brown fox",
    "",
    "How much is it? 12 euros, they say!",
    "Größe, naïve, ÉCOLE",
    "日本語のテキスト 🌇",
    "latency " * 200,
]
CLOSE = 2e-6
SIZES: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                         "intermediate_size": 32, "max_position_embeddings": 48}  # fmt: skip
CORPUS = [*TEXTS, "a quick answer is worth more than a slow one", "brown bread and butter"]


@pytest.fixture(autouse=True)
def _same_weights_each_time() -> None:
    torch.manual_seed(0)


def word_pieces() -> hf.PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=150, special_tokens=special)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_max_length=32, model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def byte_pairs() -> hf.PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=350,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return with_sentence_marks(tokenizer)


def unigrams() -> hf.PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(
        CORPUS * 5,
        trainers.UnigramTrainer(
            vocab_size=120, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>"
        ),
    )
    return with_sentence_marks(tokenizer)


def with_sentence_marks(tokenizer: Tokenizer) -> hf.PreTrainedTokenizerFast:
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", cls_token="<s>", pad_token="<pad>",
        eos_token="</s>", sep_token="</s>", unk_token="<unk>", model_max_length=32,
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def bert(folder: Path, padding_side: str = "right") -> None:
    tokenizer = word_pieces()
    tokenizer.padding_side = padding_side
    hf.BertModel(hf.BertConfig(vocab_size=len(tokenizer), **SIZES)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def roberta(folder: Path) -> None:
    tokenizer = byte_pairs()
    config = hf.RobertaConfig(vocab_size=len(tokenizer), pad_token_id=1, **SIZES)
    hf.RobertaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def xlm_roberta(folder: Path) -> None:
    tokenizer = unigrams()
    config = hf.XLMRobertaConfig(vocab_size=len(tokenizer), pad_token_id=1, **SIZES)
    hf.XLMRobertaModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def distilbert(folder: Path) -> None:
    tokenizer = word_pieces()
    config = hf.DistilBertConfig(
        vocab_size=len(tokenizer), dim=16, n_layers=2, n_heads=2, hidden_dim=32,
        max_position_embeddings=48,
    )  # fmt: skip
    hf.DistilBertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def bytes_of(texts: list[str]) -> np.ndarray:
    array = np.empty(len(texts), dtype=np.object_)
    array[:] = [text.encode() for text in texts]
    return array


def answers(service: Path, texts: list[str]) -> np.ndarray:
    with LeptonAI(service=service) as ai:
        return np.array(ai.inference(bytes_of(texts)))


@pytest.mark.parametrize("make", [bert, roberta, xlm_roberta, distilbert])
def test_mean_of_the_tokens_is_the_embedding_where_nothing_else_is_said(
    make: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "plain"
    make(folder)
    made = create_service(folder, tmp_path / "out", measure=False)
    assert any("no modules.json" in note for note in made.facts["notes"])
    model = hf.AutoModel.from_pretrained(folder).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(TEXTS, padding=True, truncation=True, max_length=32, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"].unsqueeze(-1)
    wanted = ((hidden * mask).sum(1) / mask.sum(1)).numpy()
    got = answers(made.repository, TEXTS)
    assert np.abs(got - wanted).max() < CLOSE


@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_pooling_is_that_of_sentence_transformers(padding_side: str, tmp_path: Path) -> None:
    modes = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    bert(tmp_path / "bert", padding_side)
    transformer = modules.Transformer(str(tmp_path / "bert"), max_seq_length=24)
    pooling = modules.Pooling(16, pooling_mode=modes)
    original = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    original.save(str(tmp_path / "saved"))
    made = create_service(tmp_path / "saved", tmp_path / "out", measure=False)
    got = answers(made.repository, TEXTS)
    assert got.shape == (len(TEXTS), 16 * len(modes))
    assert np.abs(got - original.encode(TEXTS)).max() < CLOSE
    assert "Text is truncated at 24 tokens." in made.facts["notes"]


def test_layers_behind_the_pooling_are_in_the_graph(tmp_path: Path) -> None:
    bert(tmp_path / "bert")
    parts = [
        modules.Transformer(str(tmp_path / "bert"), max_seq_length=24),
        modules.Pooling(16, pooling_mode="mean"),
        modules.LayerNorm(16),
        modules.Dense(16, 6, activation_function=torch.nn.Tanh()),
        modules.Normalize(),
    ]
    original = SentenceTransformer(modules=parts, device="cpu")
    original.save(str(tmp_path / "saved"))
    made = create_service(tmp_path / "saved", tmp_path / "out", measure=False)
    got = answers(made.repository, TEXTS)
    assert got.shape == (len(TEXTS), 6)
    assert np.abs(got - original.encode(TEXTS)).max() < CLOSE
    assert np.linalg.norm(got, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_classifier_gives_a_score_for_each_label(tmp_path: Path) -> None:
    folder = tmp_path / "sentiment"
    tokenizer = word_pieces()
    config = hf.BertConfig(
        vocab_size=len(tokenizer), id2label={0: "bad", 1: "so-so", 2: "good"}, **SIZES
    )
    model = hf.BertForSequenceClassification(config).eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    made = create_service(folder, tmp_path / "out", measure=False)
    assert "Labels in their order: bad, so-so, good." in made.facts["notes"]
    assert (tmp_path / "out/sentiment/labels.txt").read_text() == "bad\nso-so\ngood\n"
    assert [t["name"] for t in made.facts["signature"]["outputs"]] == ["logits"]
    tokens = tokenizer(TEXTS, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        wanted = model(**tokens).logits.numpy()
    assert np.abs(answers(made.repository, TEXTS) - wanted).max() < CLOSE


def test_service_says_what_it_is_made_of_and_lets_texts_share_runs(tmp_path: Path) -> None:
    bert(tmp_path / "net")
    made = create_service(tmp_path / "net", tmp_path / "out")
    facts = made.facts
    assert facts["format"] == "Hugging Face folder"
    assert facts["check"]["passed"]
    assert facts["check"]["against"].startswith("transformers ")
    assert {"torch", "transformers", "openvino", "openvino_tokenizers"} <= set(facts["versions"])
    assert "max_batch_size: 16" in (tmp_path / "out/net/config.pbtxt").read_text()
    assert "text  BYTES [rows]" in (tmp_path / "out/net/report.md").read_text()
    (tmp_path / "out/net/config.pbtxt").write_text("max_batch_size: 4\n")
    again = create_service(tmp_path / "net", tmp_path / "out", measure=False)
    assert again.version == "2"
    assert (tmp_path / "out/net/config.pbtxt").read_text() == "max_batch_size: 4\n"


def broken(what: str, folder: Path) -> None:
    """Makes a folder unusable."""
    if what == "no tokenizer":
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (folder / file).unlink()
    elif what == "pickle":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif what == "no json":
        (folder / "config.json").write_text("{")
    elif what == "own code":
        config = json.loads((folder / "config.json").read_text())
        config |= {"architectures": ["MyModel"], "auto_map": {"AutoModel": "code.MyModel"}}
        (folder / "config.json").write_text(json.dumps(config))
    elif what == "module":
        entries = [{"idx": 0, "name": "0", "path": "", "type": "x.Transformer"},
                   {"idx": 1, "name": "1", "path": "1_LSTM", "type": "x.LSTM"}]  # fmt: skip
        (folder / "modules.json").write_text(json.dumps(entries))
    elif what == "outside":
        entries = [{"idx": 0, "name": "0", "path": "../..", "type": "x.Transformer"}]
        (folder / "modules.json").write_text(json.dumps(entries))
    elif what == "cut weights":
        weights = folder / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    elif what == "too long":
        config = json.loads((folder / "tokenizer_config.json").read_text())
        config["model_max_length"] = 4096
        (folder / "tokenizer_config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no tokenizer", "has no tokenizer, expected one of tokenizer.json"),
        ("pickle", "pytorch_model.bin is a pickle, which runs code: save it as safetensors"),
        ("no json", "config.json is not JSON"),
        ("own code", "a model that brings its own code is not converted"),
        ("module", 'has a module "LSTM", expected Transformer, Pooling'),
        ("outside", 'names "../..", which is outside its folder'),
        ("cut weights", "does not load: "),
        ("too long", "truncates text at 4096 tokens, but the model takes 48"),
    ],
)
def test_folder_that_cannot_be_converted_is_one_line_and_leaves_nothing(
    what: str, said: str, tmp_path: Path
) -> None:
    bert(tmp_path / "net")
    broken(what, tmp_path / "net")
    with pytest.raises(CreateError) as error:
        create_service(tmp_path / "net", tmp_path / "out", measure=False)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
