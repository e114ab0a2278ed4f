"""Several models, versions and folders in one server, and files that are not models."""

import shutil
import subprocess

import numpy as np
import pytest
from fake_models import identity, write_model
from lepton_server import BINARY, ROOT, LeptonServer
from raw_http import four

DIGITS = ROOT / "examples/digits/model.onnx"


def answer_of(server: LeptonServer, path: str) -> list[float]:
    answer = server.post(path, four(0, 0, 0, 0))
    assert answer.status == 200, answer.body
    return answer.json["outputs"][0]["data"]


class TestVersions:
    @staticmethod
    @pytest.fixture(scope="class")
    def repository(tmp_path_factory):
        repository = tmp_path_factory.mktemp("versions")
        for version in (1, 2, 10):
            write_model(repository, "all", identity(add=version), version)
            write_model(repository, "latest", identity(add=version), version)
            write_model(repository, "some", identity(add=version), version)
        (repository / "all/config.pbtxt").write_text("version_policy: { all: {} }")
        (repository / "some/config.pbtxt").write_text(
            "version_policy: { specific: { versions: [1, 2] } }"
        )
        return repository

    @pytest.fixture
    def versions_server(self, keep_server, repository):
        server = keep_server(repository)
        yield server
        server.is_well()

    def test_each_version_answers_for_itself(self, versions_server):
        for version in (1, 2, 10):
            path = f"/v2/models/all/versions/{version}/infer"
            assert answer_of(versions_server, path) == [version] * 4

    def test_without_a_version_the_highest_number_answers(self, versions_server):
        assert answer_of(versions_server, "/v2/models/all/infer") == [10] * 4
        assert answer_of(versions_server, "/v2/models/some/infer") == [2] * 4

    def test_metadata_lists_the_served_versions(self, versions_server):
        for model, versions in (
            ("all", ["1", "2", "10"]),
            ("latest", ["10"]),
            ("some", ["1", "2"]),
        ):
            assert versions_server.get(f"/v2/models/{model}").json["versions"] == versions

    def test_a_version_that_is_not_served_is_not_found(self, versions_server):
        refused = versions_server.post("/v2/models/latest/versions/1/infer", four())
        assert refused.status == 404
        assert '"latest"' in refused.error and "1" in refused.error


class TestFolders:
    def test_one_model_folder_several_and_a_repository(self, start_server, tmp_path):
        write_model(tmp_path / "repository", "a", identity(add=1))
        write_model(tmp_path / "repository", "b", identity(add=2))
        single = write_model(tmp_path, "c", identity(add=3))
        server = start_server(tmp_path / "repository", single).wait_until_ready()
        for name, added in (("a", 1), ("b", 2), ("c", 3)):
            assert answer_of(server, f"/v2/models/{name}/infer") == [added] * 4

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda folder: folder / "nowhere", ["nowhere"]),
            (lambda folder: folder, ["no model"]),
        ],
        ids=["missing folder", "empty folder"],
    )
    def test_a_folder_without_models_is_an_error_that_names_it(self, tmp_path, make, words):
        folder = make(tmp_path)
        done = subprocess.run(
            [BINARY, "serve", folder, "--host", "127.0.0.1", "--port", "0"],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert done.returncode != 0
        assert str(folder) in done.stderr
        assert all(word in done.stderr for word in words), done.stderr


def truncated(folder):
    data = DIGITS.read_bytes()
    (folder / "model.onnx").write_bytes(data[: len(data) // 2])


def not_a_model(folder):
    (folder / "model.onnx").write_text("this is not a model")


def empty(folder):
    (folder / "model.onnx").touch()


def unknown_kind(folder):
    (folder / "model.xyz").write_text("?")


def refused_by_engine(folder):
    (folder / "model.fake").write_text('{"inputs": [], "outputs": [], "fail_load": "no such op"}')


@pytest.mark.parametrize("spoil", [truncated, not_a_model, empty, unknown_kind, refused_by_engine])
def test_a_broken_model_does_not_keep_the_others_from_serving(start_server, tmp_path, spoil):
    write_model(tmp_path, "good", identity())
    (tmp_path / "bad/1").mkdir(parents=True)
    spoil(tmp_path / "bad/1")
    server = start_server(tmp_path)
    server.wait_for_port()
    server.wait_for_model("good")
    assert answer_of(server, "/v2/models/good/infer") == [0] * 4
    refused = server.post("/v2/models/bad/infer", four())
    assert refused.status == 503
    assert '"bad"' in refused.error
    # The reason is in the answer and in the log.
    assert "model_failed" in server.log
    assert "bad" in server.log
    # The server as a whole is not ready: something that should be served is not.
    assert server.get("/v2/health/live").status == 200
    assert server.get("/v2/health/ready").status != 200
    assert not server.ready_file.exists()


@pytest.mark.openvino
class TestOpenVino:
    @staticmethod
    @pytest.fixture(scope="class")
    def repository(tmp_path_factory):
        folder = tmp_path_factory.mktemp("openvino")
        (folder / "digits/1").mkdir(parents=True)
        shutil.copy(DIGITS, folder / "digits/1/model.onnx")
        write_model(folder, "four", identity())
        return folder

    @pytest.fixture
    def digits(self, keep_server, repository):
        server = keep_server(repository)
        yield server
        server.is_well()

    def test_metadata_tells_engine_and_precision(self, digits):
        metadata = digits.get("/v2/models/digits").json
        assert metadata["platform"] == "openvino_onnx"
        assert metadata["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [-1, 1, 8, 8]}]
        assert "f32" in str(metadata)

    def test_two_engines_serve_side_by_side(self, digits):
        assert answer_of(digits, "/v2/models/four/infer") == [0] * 4

    @pytest.mark.parametrize("rows", [1, 2, 3, 7, 16, 17, 100])
    @pytest.mark.parametrize("protocol", ["http", "grpc"])
    def test_answers_equal_the_engine_in_process(self, digits, rows, protocol):
        """Whatever the number of rows, the answer is the model's, up to float rounding."""
        held_out = np.load(DIGITS.parent / "heldout.npz")["images"][:rows]
        images = held_out.reshape(-1, 1, 8, 8).astype(np.float32) / 16
        got = infer(digits, protocol, images)
        np.testing.assert_allclose(got, in_process(images), rtol=0, atol=1e-6)

    def test_accuracy_is_the_one_that_training_measured(self, digits):
        data = np.load(DIGITS.parent / "heldout.npz")
        images = data["images"].reshape(-1, 1, 8, 8).astype(np.float32) / 16
        got = infer(digits, "http", images).argmax(axis=1)
        assert (got == in_process(images).argmax(axis=1)).all()
        assert (got == data["labels"]).sum() == 492

    def test_a_wrong_shape_names_both_shapes(self, digits):
        body = {
            "inputs": [{"name": "image", "shape": [1, 64], "datatype": "FP32", "data": [0] * 64}]
        }
        refused = digits.post("/v2/models/digits/infer", body)
        assert refused.status == 400
        assert "[1,64]" in refused.error and "[-1,1,8,8]" in refused.error


def infer(server: LeptonServer, protocol: str, images: np.ndarray) -> np.ndarray:
    import tritonclient.grpc
    import tritonclient.http

    module = {"http": tritonclient.http, "grpc": tritonclient.grpc}[protocol]
    tensor = module.InferInput("image", list(images.shape), "FP32")
    tensor.set_data_from_numpy(images)
    with module.InferenceServerClient(server.address) as client:
        return client.infer("digits", [tensor]).as_numpy("probabilities")


def in_process(images: np.ndarray) -> np.ndarray:
    import openvino

    core = openvino.Core()
    model = core.compile_model(DIGITS, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return model(images)[0]
