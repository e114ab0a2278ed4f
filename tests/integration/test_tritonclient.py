"""The official client, unmodified, over HTTP and gRPC: everything that it can request."""

import threading
import time

import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from raw_http import RawConnection, infer_request, slow
from tritonclient.utils import InferenceServerException

MODULES = pytest.mark.parametrize("module", [http_client, grpc_client], ids=["http", "grpc"])


@pytest.fixture
def client(server, module):
    with module.InferenceServerClient(server.address) as client:
        yield client


def pair_inputs(module, rows=1):
    a = np.arange(2 * rows, dtype=np.int32).reshape(rows, 2)
    b = np.linspace(0, 1, 3 * rows, dtype=np.float32).reshape(rows, 3)
    tensors = [
        module.InferInput("a", list(a.shape), "INT32"),
        module.InferInput("b", list(b.shape), "FP32"),
    ]
    tensors[0].set_data_from_numpy(a)
    tensors[1].set_data_from_numpy(b)
    return a, b, tensors


def as_dict(module, metadata):
    """Metadata as the same dictionary for both protocols; gRPC gives shapes as strings."""
    if module is http_client:
        return metadata
    from google.protobuf.json_format import MessageToDict

    fields = MessageToDict(metadata, preserving_proto_field_name=True)
    for tensor in fields.get("inputs", []) + fields.get("outputs", []):
        tensor["shape"] = [int(extent) for extent in tensor["shape"]]
    return fields


@MODULES
class TestHealthAndMetadata:
    def test_server_is_live_and_ready(self, client):
        assert client.is_server_live()
        assert client.is_server_ready()

    def test_model_ready_tells_known_from_unknown(self, client):
        assert client.is_model_ready("four")
        assert client.is_model_ready("four", "1")
        assert not client.is_model_ready("four", "2")
        assert not client.is_model_ready("nobody")

    def test_server_metadata_names_server_version_and_extensions(self, client, module):
        metadata = as_dict(module, client.get_server_metadata())
        assert metadata["name"] == "lepton"
        assert metadata["version"]
        assert {"parameters", "schedule_policy"} <= set(metadata["extensions"])

    def test_model_metadata_describes_both_sides(self, client, module):
        metadata = as_dict(module, client.get_model_metadata("pair"))
        assert metadata["name"] == "pair"
        assert metadata["versions"] == ["1"]
        assert metadata["platform"] == "fake_json"
        assert [(t["name"], t["datatype"], t["shape"]) for t in metadata["inputs"]] == [
            ("a", "INT32", [-1, 2]),
            ("b", "FP32", [-1, 3]),
        ]
        assert [(t["name"], t["datatype"], t["shape"]) for t in metadata["outputs"]] == [
            ("c", "INT32", [-1, 2]),
            ("d", "FP32", [-1, 3]),
        ]

    def test_metadata_of_an_unknown_model_is_an_error_that_names_it(self, client):
        with pytest.raises(InferenceServerException, match="nobody"):
            client.get_model_metadata("nobody")


@MODULES
class TestInfer:
    def test_several_inputs_and_outputs(self, client, module):
        a, b, inputs = pair_inputs(module, rows=3)
        answer = client.infer("pair", inputs)
        np.testing.assert_array_equal(answer.as_numpy("c"), a)
        np.testing.assert_array_equal(answer.as_numpy("d"), b)

    def test_inputs_may_come_in_any_order(self, client, module):
        a, b, inputs = pair_inputs(module)
        answer = client.infer("pair", inputs[::-1])
        np.testing.assert_array_equal(answer.as_numpy("c"), a)
        np.testing.assert_array_equal(answer.as_numpy("d"), b)

    def test_only_requested_outputs_come(self, client, module):
        _, b, inputs = pair_inputs(module)
        answer = client.infer("pair", inputs, outputs=[module.InferRequestedOutput("d")])
        np.testing.assert_array_equal(answer.as_numpy("d"), b)
        assert answer.get_output("c") is None

    def test_outputs_come_in_the_order_of_the_request(self, client, module):
        inputs = pair_inputs(module)[2]
        wanted = [module.InferRequestedOutput(name) for name in ("d", "c")]
        response = as_dict(module, client.infer("pair", inputs, outputs=wanted).get_response())
        assert [output["name"] for output in response["outputs"]] == ["d", "c"]

    def test_id_model_and_version_are_told(self, client, module):
        inputs = pair_inputs(module)[2]
        answer = client.infer("pair", inputs, request_id="request 7")
        response = as_dict(module, answer.get_response())
        assert response["id"] == "request 7"
        assert response["model_name"] == "pair"
        assert response["model_version"] == "1"

    def test_version_may_be_named(self, client, module):
        a, _, inputs = pair_inputs(module)
        answer = client.infer("pair", inputs, model_version="1")
        np.testing.assert_array_equal(answer.as_numpy("c"), a)

    def test_parameters_are_echoed(self, client, module):
        inputs = pair_inputs(module)[2]
        sent = {"text": "hello", "count": 7, "flag": True}
        answer = client.infer("pair", inputs, parameters=sent)
        parameters = answer.get_response().parameters if module is grpc_client else None
        if parameters is None:
            assert answer.get_response()["parameters"] == sent
        else:
            assert parameters["text"].string_param == "hello"
            assert parameters["count"].int64_param == 7
            assert parameters["flag"].bool_param is True

    def test_a_timeout_that_a_busy_model_would_miss_is_refused(self, server, client, module):
        tensor = module.InferInput("x", [1, 4], "FP32")
        tensor.set_data_from_numpy(np.zeros((1, 4), np.float32))
        before = server.requests_of("slow", "overloaded")
        with RawConnection(server.port) as busy:
            busy.send(infer_request("slow", slow()))
            time.sleep(0.02)
            with pytest.raises(InferenceServerException, match="cannot finish within"):
                client.infer("slow", [tensor], timeout=50_000)
            assert busy.read_answer().status == 200
        server.wait_for_outcome("slow", "overloaded", before + 1)

    def test_a_failing_model_is_an_error_with_its_reason(self, client, module):
        tensor = module.InferInput("x", [1, 4], "UINT8")
        tensor.set_data_from_numpy(np.full((1, 4), 13, np.uint8))
        with pytest.raises(InferenceServerException, match="out of luck"):
            client.infer("unlucky", [tensor])

    def test_async_infer_answers_each_request_with_its_own_data(self, server, module):
        """Requests that share a run do not share answers."""
        tensors = []
        for i in range(50):
            tensors.append(module.InferInput("x", [1, 4], "FP32"))
            tensors[-1].set_data_from_numpy(np.full((1, 4), i, np.float32))
        if module is http_client:
            with http_client.InferenceServerClient(server.address, concurrency=8) as client:
                requests = [client.async_infer("plus_one", [tensor]) for tensor in tensors]
                answers = [request.get_result().as_numpy("y") for request in requests]
        else:
            answers = [None] * len(tensors)
            done = threading.Semaphore(0)
            with grpc_client.InferenceServerClient(server.address) as client:
                for i, tensor in enumerate(tensors):

                    def keep(result, error, index=i):
                        answers[index] = error or result.as_numpy("y")
                        done.release()

                    client.async_infer("plus_one", [tensor], keep)
                for _ in tensors:
                    assert done.acquire(timeout=10)
        for i, answer in enumerate(answers):
            np.testing.assert_array_equal(answer, np.full((1, 4), i + 1, np.float32))


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("direction", ["request", "response"])
def test_http_compression(server, algorithm, direction):
    values = np.zeros((100, 4), np.float32)
    values[7] = 7
    tensor = http_client.InferInput("x", [100, 4], "FP32")
    tensor.set_data_from_numpy(values)
    with http_client.InferenceServerClient(server.address) as client:
        answer = client.infer("four", [tensor], **{f"{direction}_compression_algorithm": algorithm})
    np.testing.assert_array_equal(answer.as_numpy("y"), values)


def test_grpc_compression(server):
    values = np.arange(400, dtype=np.float32).reshape(100, 4)
    tensor = grpc_client.InferInput("x", [100, 4], "FP32")
    tensor.set_data_from_numpy(values)
    with grpc_client.InferenceServerClient(server.address) as client:
        answer = client.infer("four", [tensor], compression_algorithm="gzip")
    np.testing.assert_array_equal(answer.as_numpy("y"), values)


def test_grpc_client_timeout_becomes_deadline_exceeded(server):
    tensor = grpc_client.InferInput("x", [100, 4], "FP32")
    tensor.set_data_from_numpy(np.zeros((100, 4), np.float32))
    with (
        grpc_client.InferenceServerClient(server.address) as client,
        pytest.raises(InferenceServerException) as failure,
    ):
        client.infer("slow", [tensor], client_timeout=0.05)
    assert "DEADLINE_EXCEEDED" in failure.value.status()


def test_large_tensors_pass_grpc_flow_control(server):
    """16 MB each way: many times HTTP/2's first window of 64 KiB."""
    values = np.arange(4_000_000, dtype=np.float32).reshape(1, -1)
    tensor = grpc_client.InferInput("x", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    with grpc_client.InferenceServerClient(server.address) as client:
        answer = client.infer("identity_fp32", [tensor])
    np.testing.assert_array_equal(answer.as_numpy("y"), values)
