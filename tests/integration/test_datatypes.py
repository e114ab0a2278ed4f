"""Every datatype of the protocol, through the official client, comes back as it went in."""

import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from fake_models import DATATYPES

NUMPY_TYPES = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32,
    "UINT64": np.uint64, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
}  # fmt: skip
# KServe v2: FP16 and BF16 have no JSON form and no field in InferTensorContents.
BINARY_ONLY = ("FP16", "BF16")


def sample(datatype: str) -> np.ndarray:
    """A tensor of shape [2, 3] with the extremes of the type."""
    if datatype == "BYTES":
        rows = [[b"", b"a", "größer".encode()], [b'"quoted"\\', b"line\nbreak", b"x" * 300]]
        return np.array(rows, dtype=np.object_)
    if datatype == "BF16":
        return np.array([[0, 1.5, -2], [3.0e38, -1e-30, 0.15625]], ml_dtypes.bfloat16)
    dtype = np.dtype(NUMPY_TYPES[datatype])
    if dtype.kind == "b":
        return np.array([[True, False, True], [False, False, True]])
    if dtype.kind == "f":
        info = np.finfo(dtype)
        values = [[0, -0.0, 1 / 3], [info.max, info.tiny, -info.eps]]
    else:
        info = np.iinfo(dtype)
        values = [[info.min, 0, 1], [info.max, 7, info.max - 1]]
    return np.array(values, dtype=dtype)


def assert_same(got: np.ndarray | None, sent: np.ndarray, datatype: str) -> None:
    assert got is not None
    assert got.shape == sent.shape
    if datatype == "BYTES":
        assert got.tolist() == sent.tolist()
    else:
        np.testing.assert_array_equal(got, sent)


@pytest.mark.parametrize("datatype", DATATYPES)
@pytest.mark.parametrize("binary_in", [True, False], ids=["binary-in", "json-in"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["binary-out", "json-out"])
def test_http(server, datatype, binary_in, binary_out):
    if datatype in BINARY_ONLY and not (binary_in and binary_out):
        pytest.skip("has no JSON form; see test_http_says_that_it_has_no_json_form")
    sent = sample(datatype)
    with http_client.InferenceServerClient(server.address) as client:
        tensor = http_client.InferInput("x", list(sent.shape), datatype)
        tensor.set_data_from_numpy(sent, binary_data=binary_in)
        wanted = http_client.InferRequestedOutput("y", binary_data=binary_out)
        answer = client.infer(f"identity_{datatype.lower()}", [tensor], outputs=[wanted])
    output = answer.get_output("y")
    assert output["datatype"] == datatype
    assert ("data" in output) == (not binary_out)
    got = answer.as_numpy("y")
    if datatype == "BYTES" and not binary_out:
        got = np.vectorize(lambda s: s.encode(), otypes=[object])(got)
    assert_same(got, sent, datatype)


@pytest.mark.parametrize("datatype", BINARY_ONLY)
def test_http_says_that_it_has_no_json_form(server, datatype):
    model = f"identity_{datatype.lower()}"
    text = {"name": "x", "shape": [1, 1], "datatype": datatype, "data": [1.0]}
    refused = server.infer(model, {"inputs": [text]})
    assert refused.status == 400
    assert '"x"' in refused.error and datatype in refused.error and "binary" in refused.error


@pytest.mark.parametrize("datatype", DATATYPES)
def test_grpc_raw_contents(server, datatype):
    sent = sample(datatype)
    with grpc_client.InferenceServerClient(server.address) as client:
        tensor = grpc_client.InferInput("x", list(sent.shape), datatype)
        tensor.set_data_from_numpy(sent)
        answer = client.infer(f"identity_{datatype.lower()}", [tensor])
    assert answer.get_output("y").datatype == datatype
    assert_same(answer.as_numpy("y"), sent, datatype)


CONTENTS_FIELDS = {
    "BOOL": "bool_contents", "UINT8": "uint_contents", "UINT16": "uint_contents",
    "UINT32": "uint_contents", "UINT64": "uint64_contents", "INT8": "int_contents",
    "INT16": "int_contents", "INT32": "int_contents", "INT64": "int64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


@pytest.mark.parametrize("datatype", CONTENTS_FIELDS)
def test_grpc_typed_contents(server, grpc_stub, datatype):
    sent = sample(datatype)
    request = grpc_client.service_pb2.ModelInferRequest(model_name=f"identity_{datatype.lower()}")
    tensor = request.inputs.add(name="x", datatype=datatype, shape=sent.shape)
    getattr(tensor.contents, CONTENTS_FIELDS[datatype]).extend(sent.flatten().tolist())
    answer = grpc_stub.ModelInfer(request)
    assert_same(grpc_client.InferResult(answer).as_numpy("y"), sent, datatype)


@pytest.mark.parametrize("shape", [(1, 1), (1, 100_000), (300, 1000)])
def test_sizes_from_one_element_to_a_megabyte(server, shape):
    sent = np.random.default_rng(1).standard_normal(shape, np.float32)
    for module in (http_client, grpc_client):
        with module.InferenceServerClient(server.address) as client:
            tensor = module.InferInput("x", list(shape), "FP32")
            tensor.set_data_from_numpy(sent)
            got = client.infer("identity_fp32", [tensor]).as_numpy("y")
        np.testing.assert_array_equal(got, sent)
