"""A model with its tokenizer inside: text.xml of tests/data, against torch's results."""

import random
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from lepton_server import ROOT, LeptonServer

from lepton import InvalidInput, LeptonAI
from lepton.create import create_service

pytestmark = pytest.mark.openvino
DATA = ROOT / "tests" / "data"
CLOSE = 2e-6


@pytest.fixture(scope="module")
def texts() -> list[bytes]:
    with np.load(DATA / "text.npz") as saved:
        ends = saved["lengths"].cumsum()
        together = saved["texts"].tobytes()
    starts = [0, *ends[:-1]]
    return [together[start:end] for start, end in zip(starts, ends, strict=True)]


@pytest.fixture(scope="module")
def wanted() -> np.ndarray:
    with np.load(DATA / "text.npz") as saved:
        return np.array(saved["embeddings"])


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model twice: as it is, and with batches of several requests on two instances."""
    folder = tmp_path_factory.mktemp("texts")
    create_service(DATA / "text.xml", folder, "text", measure=False)
    shutil.copytree(folder / "text", folder / "batched")
    config = "max_batch_size: 16\ninstance_group [ { count: 2 } ]\n"
    (folder / "batched" / "config.pbtxt").write_text(config)
    return folder


@pytest.fixture
def text_server(keep_server, repository: Path):
    server = keep_server(repository)
    yield server
    assert server.process.poll() is None, server.log


def ask(server: LeptonServer, model: str, texts: list[bytes]) -> np.ndarray:
    with LeptonAI(f"http://{server.address}", model=model) as client:
        return np.array(client.inference(texts))


@pytest.mark.parametrize("model", ["text", "batched"])
def test_answers_are_those_of_the_original(text_server, model, texts, wanted):
    assert np.abs(ask(text_server, model, texts) - wanted).max() < CLOSE
    for text, embedding in zip(texts, wanted, strict=True):
        assert np.abs(ask(text_server, model, [text]) - embedding).max() < CLOSE


def test_official_clients_send_text(text_server, texts, wanted):
    array = np.array(texts, dtype=np.object_)
    for client_of in (http_client, grpc_client):
        address = text_server.address
        with client_of.InferenceServerClient(address) as client:
            tensor = client_of.InferInput("text", [len(texts)], "BYTES")
            tensor.set_data_from_numpy(array)
            answer = client.infer("text", [tensor]).as_numpy("embedding")
        assert np.abs(answer - wanted).max() < CLOSE


def test_text_comes_as_json(text_server, texts, wanted):
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(texts)]}
    tensor["data"] = [text.decode() for text in texts]
    answer = text_server.infer("text", {"inputs": [tensor]})
    assert answer.status == 200
    (output,) = answer.json["outputs"]
    assert np.abs(np.reshape(output["data"], wanted.shape) - wanted).max() < CLOSE


@pytest.mark.parametrize(
    "bad", [b"\xff", b"ab\xc3", b"ab\xed\xa0\x80", b"ab\xf4\x90\x80\x80", b"ab\xc0\x80"]
)
def test_bytes_that_are_no_text_are_refused_with_their_place(text_server, bad):
    place = 0 if bad == b"\xff" else 2
    said = f'element 1 of input "text" is not UTF-8 at its byte {place}'
    with pytest.raises(InvalidInput, match=said):
        ask(text_server, "batched", [b"fine", bad])
    assert ask(text_server, "batched", [b"fine"]).shape == (1, 16)


def test_texts_of_many_requests_share_runs_and_keep_their_answers(text_server, texts, wanted):
    noise = random.Random(7)
    broken = [b"\xff" + noise.randbytes(40) for _ in range(8)]
    wrong: list[object] = []
    refused = []

    def work(seed: int) -> None:
        rng = random.Random(seed)
        with LeptonAI(f"http://{text_server.address}", model="batched") as client:
            for _ in range(60):
                if rng.random() < 0.1:
                    try:
                        client.inference([rng.choice(broken)])
                        wrong.append("taken")
                    except InvalidInput:
                        refused.append(seed)
                    continue
                chosen = rng.choices(range(len(texts)), k=rng.randint(1, 4))
                got = np.array(client.inference([texts[index] for index in chosen]))
                if np.abs(got - wanted[chosen]).max() > CLOSE:
                    wrong.append(chosen)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert refused


def test_a_long_text_is_cut_and_not_refused(text_server):
    long = b"fox " * 200_000
    got = ask(text_server, "text", [long, b"fox " * 30])
    assert np.abs(got[0] - got[1]).max() < CLOSE


@pytest.mark.slow
def test_memory_does_not_grow_with_the_texts(start_server, repository):
    server = start_server(repository).wait_until_ready()
    rng = random.Random(3)

    def resident_kb() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def ask_many(count: int) -> None:
        with LeptonAI(f"http://{server.address}", model="text") as client:
            for _ in range(count):
                size = rng.randint(1, 8)
                client.inference([b"quick fox " * rng.randint(0, 200) for _ in range(size)])

    ask_many(800)  # Fills the allocator's arenas, and runs each shape once.
    before = resident_kb()
    ask_many(2500)
    assert resident_kb() - before < 8 * 1024


def test_model_from_the_cache_answers_alike(start_server, repository, tmp_path, texts, wanted):
    for _ in range(2):
        server = start_server(repository, "--cache-dir", tmp_path / "cache").wait_until_ready()
        assert np.abs(ask(server, "batched", texts) - wanted).max() < CLOSE
        assert server.stop() == 0
    assert any((tmp_path / "cache").iterdir())
