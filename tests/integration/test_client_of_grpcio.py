"""The client's gRPC against gRPC's own server (grpcio), which speaks HTTP/2 in its own way."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from lepton import Client, DeadlineExceeded, InvalidInput, RetryOptions, Unavailable


class Echo(service_pb2_grpc.GRPCInferenceServiceServicer):
    """One model, whose answer is its input; `id` says what else should happen."""

    def __init__(self) -> None:
        self.refusals_left = 0
        self.asked = 0

    def ServerLive(self, request, context):
        return service_pb2.ServerLiveResponse(live=True)

    def ServerReady(self, request, context):
        return service_pb2.ServerReadyResponse(ready=False)

    def ModelMetadata(self, request, context):
        tensor = service_pb2.ModelMetadataResponse.TensorMetadata(
            name="x", datatype="FP32", shape=[-1]
        )
        return service_pb2.ModelMetadataResponse(
            name=request.name, versions=["1"], platform="echo", inputs=[tensor], outputs=[tensor]
        )

    def ModelInfer(self, request, context):
        self.asked += 1
        if request.id == "slow":
            time.sleep(0.5)
        if request.id == "wrong":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, 'input "x" is 100% \u00fcbel\n')
        if request.id == "busy" and self.refusals_left > 0:
            self.refusals_left -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        [data] = request.raw_input_contents
        answer = service_pb2.ModelInferResponse(
            model_name=request.model_name, id=request.id, raw_output_contents=[data]
        )
        answer.outputs.add(name="y", datatype="FP32", shape=request.inputs[0].shape)
        return answer


@pytest.fixture(scope="module")
def echo() -> Iterator[tuple[Echo, str]]:
    service = Echo()
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(4), options=options)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield service, f"grpc://127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.parametrize("count", [0, 1, 1000, 1 << 22])
def test_tensors_of_every_size_come_back(echo: tuple[Echo, str], count: int) -> None:
    values = np.arange(count, dtype=np.float32)
    with Client(echo[1], "echo") as client:
        for _ in range(3):
            answer = client.infer({"x": values})
            np.testing.assert_array_equal(answer.outputs["y"], values)


def test_many_calls_go_over_one_connection(echo: tuple[Echo, str]) -> None:
    with Client(echo[1], "echo") as client:
        for i in range(500):
            answer = client.infer({"x": np.full(10, i, np.float32)})
            assert answer.outputs["y"][0] == i
        assert client.statistics()["connections_opened"] <= 2


def test_health_and_metadata_are_read(echo: tuple[Echo, str]) -> None:
    with Client(echo[1]) as client:
        assert client.live()
        assert not client.ready()
        model = client.model("echo")
        assert model.platform == "echo"
        assert [(t.name, t.datatype, t.shape) for t in model.inputs] == [("x", "FP32", (-1,))]


def test_error_is_told_in_the_servers_words(echo: tuple[Echo, str]) -> None:
    with Client(echo[1], "echo") as client:
        with pytest.raises(InvalidInput, match='input "x" is 100% \u00fcbel'):
            client.infer({"x": np.zeros(1, np.float32)}, id="wrong")
        assert client.infer({"x": np.zeros(1, np.float32)}).outputs["y"].shape == (1,)


def test_deadline_ends_the_call_and_not_the_client(echo: tuple[Echo, str]) -> None:
    with Client(echo[1], "echo") as client:
        client.infer({"x": np.zeros(1, np.float32)})
        before = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            client.infer({"x": np.zeros(1, np.float32)}, id="slow", timeout=0.05)
        assert time.monotonic() - before < 0.4
        assert client.infer({"x": np.ones(1, np.float32)}).outputs["y"][0] == 1


def test_refusal_is_retried_as_often_as_is_allowed(echo: tuple[Echo, str]) -> None:
    service, url = echo
    service.refusals_left = 2
    with Client(url, "echo") as client:
        assert client.infer({"x": np.ones(1, np.float32)}, id="busy").outputs["y"][0] == 1
        assert client.statistics()["retries"] == 2
    service.refusals_left = 1
    never = RetryOptions(max_attempts=1)
    with Client(url, "echo", retry=never) as client, pytest.raises(Unavailable, match="not now"):
        client.infer({"x": np.ones(1, np.float32)}, id="busy")
