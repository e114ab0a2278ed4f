"""Answers that would be larger than the server allows."""

import grpc
import numpy as np
import pytest
from fake_models import identity, write_model
from raw_http import four
from tritonclient.grpc import service_pb2 as pb

LIMIT = 1024
ROW_BYTES = 16
WORDS = ['"y"', "1040", "1024", "--max-answer-bytes"]


@pytest.fixture(scope="module")
def server(keep_server, tmp_path_factory):
    repository = tmp_path_factory.mktemp("answer_size")
    write_model(repository, "four", identity())
    write_model(repository, "open", identity(shape=[-1, -1]))
    return keep_server(repository, "--max-answer-bytes", LIMIT)


@pytest.mark.parametrize("model", ["four", "open"])
def test_an_answer_over_the_limit_is_refused_on_both_protocols(server, grpc_stub, model):
    def rows(count: int) -> pb.ModelInferRequest:
        data = np.zeros((count, 4), "f4")
        request = pb.ModelInferRequest(model_name=model, raw_input_contents=[data.tobytes()])
        request.inputs.add(name="x", datatype="FP32", shape=data.shape)
        return request

    most = LIMIT // ROW_BYTES
    assert server.infer(model, four(*[0] * (4 * most))).status == 200
    refused = server.infer(model, four(*[0] * (4 * (most + 1))))
    assert refused.status == 413
    assert all(word in refused.error for word in WORDS), refused.error

    assert len(grpc_stub.ModelInfer(rows(most)).raw_output_contents[0]) == LIMIT
    with pytest.raises(grpc.RpcError) as failed:
        grpc_stub.ModelInfer(rows(most + 1))
    assert failed.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert all(word in failed.value.details() for word in WORDS), failed.value.details()
