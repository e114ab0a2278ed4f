"""What a Hugging Face folder says about itself, read without torch or transformers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lepton.create.errors import CreateError
from lepton.create.hugging_face import detect, load
from lepton.create.hugging_face_folder import Layer, read_folder

MODULES = "sentence_transformers.models."


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with only the required files."""
    folder = tmp_path / "net"
    write(folder / "config.json", {"architectures": ["BertModel"]})
    write(folder / "tokenizer.json", {})
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def modules(folder: Path, *kinds: str) -> None:
    entries = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": MODULES + kind}
        for i, kind in enumerate(kinds)
    ]
    write(folder / "modules.json", entries[::-1])


def test_folder_is_told_by_its_configuration(folder: Path, tmp_path: Path) -> None:
    assert detect(folder) is not None
    assert detect(tmp_path) is None
    assert detect(folder / "config.json") is None


def test_mean_is_assumed_and_noted_where_no_modules_are_named(folder: Path) -> None:
    said = read_folder(folder)
    assert (said.task, said.layers) == ("embedding", (Layer("pooling", ("mean",)),))
    assert "not normalized" in said.notes[0]


def test_modules_are_taken_in_their_order(folder: Path) -> None:
    modules(folder, "Transformer", "Pooling", "Dense", "Normalize")
    write(folder / "1_Pooling/config.json", {"pooling_mode_cls_token": True})
    write(folder / "sentence_bert_config.json", {"max_seq_length": 77, "do_lower_case": True})
    said = read_folder(folder)
    assert [layer.kind for layer in said.layers] == ["pooling", "dense", "normalize"]
    assert said.layers[0].modes == ("cls",)
    assert said.layers[1].folder == folder / "2_Dense"
    assert (said.max_length, said.lower_case, said.notes) == (77, True, ())


@pytest.mark.parametrize(
    ("config", "modes"),
    [
        ({"pooling_mode": "lasttoken"}, ("lasttoken",)),
        ({"pooling_mode": ["max", "mean"]}, ("max", "mean")),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, ("max", "mean")),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, ("mean_sqrt_len_tokens",)),
    ],
)
def test_pooling_is_said_in_new_and_old_words(
    folder: Path, config: dict[str, Any], modes: tuple[str, ...]
) -> None:
    modules(folder, "Transformer", "Pooling")
    write(folder / "1_Pooling/config.json", config)
    assert read_folder(folder).layers == (Layer("pooling", modes),)


def test_labels_are_in_the_order_of_their_numbers(folder: Path) -> None:
    names = {str(i): f"label {i}" for i in (10, 9, *range(9))}
    config = {"architectures": ["BertForSequenceClassification"], "id2label": names}
    write(folder / "config.json", config)
    said = read_folder(folder)
    assert said.task == "classification"
    assert said.labels == tuple(f"label {i}" for i in range(11))


def test_prompts_are_told_to_the_caller(folder: Path) -> None:
    modules(folder, "Transformer", "Pooling")
    write(folder / "1_Pooling/config.json", {"pooling_mode": "mean"})
    prompts = {"prompts": {"query": "query: ", "document": ""}}
    write(folder / "config_sentence_transformers.json", prompts)
    assert read_folder(folder).notes == (
        'The model was trained with prompts before the text: "query: " (query). Send them with it.',
    )


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("modules.json", "{", "modules.json is not JSON"),
        ("modules.json", '[{"idx": 0}]', "is not a list of modules with idx, type and path"),
        ("modules.json", '[{"idx": 0, "type": "x.Pooling", "path": ""}]', "begin with a Transf"),
        ("modules.json", '[{"idx": 0, "type": "x.Transformer", "path": "/etc"}]', "outside its"),
        ("modules.json", '[{"idx": 0, "type": "x.Transformer", "path": ""}]', "has no Pooling"),
        ("config.json", b"\xff\xfe", "config.json is not JSON"),
    ],
)
def test_what_cannot_be_read_is_named(
    folder: Path, file: str, content: str | bytes, said: str
) -> None:
    (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CreateError, match=said):
        read_folder(folder)


@pytest.mark.parametrize("config", [{}, {"pooling_mode": "median"}, {"pooling_mode": []}])
def test_unknown_pooling_is_named_with_what_is_known(folder: Path, config: dict[str, Any]) -> None:
    modules(folder, "Transformer", "Pooling")
    write(folder / "1_Pooling/config.json", config)
    with pytest.raises(CreateError, match=r"names pooling .*, expected cls, max, mean"):
        read_folder(folder)


def test_pickled_weights_are_refused_with_the_reason(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CreateError, match="is a pickle, which runs code: save it as safetensors"):
        read_folder(folder)


def test_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # An entry of None makes the import fail as if the package were not installed.
    for name in ("torch", "transformers", "safetensors"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(CreateError, match=r"pip install 'lepton-serving\[text\]'"):
        load(type("Job", (), {"path": folder})())


def test_nothing_of_torch_is_loaded_to_look_at_a_folder(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lepton.create import hugging_face;"
        f"hugging_face.detect(Path({str(folder)!r}));"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'openvino')))"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
