"""Numbers arrive as they were sent, or are refused: real models, over every protocol."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpc_client
import tritonclient.http as http_client
from onnx import TensorProto, helper, numpy_helper

from lepton import Client, InvalidInput, LeptonAI, LeptonError

pytestmark = pytest.mark.openvino

Weights = dict[str, np.ndarray]
NUMPY = {"FP32": np.float32, "FP64": np.float64}


def write(
    repository: Path,
    name: str,
    nodes: list[onnx.NodeProto],
    dtype: int,
    weights: Weights | None = None,
    out: int | None = None,
) -> None:
    """A model from x [N, 2] to y."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", dtype, ["N", 2])],
        [helper.make_tensor_value_info("y", out or dtype, ["N", 2])],
        [numpy_helper.from_array(value, key) for key, value in (weights or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")


def binary(operation: str, *inputs: str, **attributes: object) -> list[onnx.NodeProto]:
    return [helper.make_node(operation, list(inputs), ["y"], **attributes)]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    one = {"one": np.array(1, np.int64)}
    write(folder, "add_int64", binary("Add", "x", "one"), TensorProto.INT64, one)
    one_u = {"one": np.array(1, np.uint64)}
    write(folder, "add_uint64", binary("Add", "x", "one"), TensorProto.UINT64, one_u)
    write(folder, "max_uint32", binary("Max", "x", "zero"), TensorProto.UINT32,
          {"zero": np.array(0, np.uint32)})  # fmt: skip
    write(folder, "sqrt_fp64", binary("Sqrt", "x"), TensorProto.DOUBLE)
    write(folder, "log", binary("Log", "x"), TensorProto.FLOAT)
    shift = {"shift": np.array(2**40, np.int64)}
    write(folder, "shifted", binary("Add", "x", "shift"), TensorProto.INT64, shift)
    seconds = binary("Cast", "x", to=TensorProto.FLOAT)
    write(folder, "seconds", seconds, TensorProto.INT64, out=TensorProto.FLOAT)
    return folder


@pytest.fixture
def numbers(keep_server, repository: Path):
    server = keep_server(repository)
    yield server
    server.is_well()


def ask_json(server, model: str, datatype: str, data: list[object]):
    tensor = {"name": "x", "datatype": datatype, "shape": [1, 2], "data": data}
    return server.infer(model, {"inputs": [tensor]})


@pytest.mark.parametrize(
    ("model", "datatype", "data", "place"),
    [
        ("add_int64", "INT64", [7, 2**40], 1),
        ("add_int64", "INT64", [2**31, 7], 0),
        ("add_int64", "INT64", [1, -(2**31) - 1], 1),
        ("add_int64", "INT64", [-(2**63), 7], 0),
        ("add_uint64", "UINT64", [2**64 - 1, 7], 0),
        ("max_uint32", "UINT32", [7, 2**31], 1),
    ],
)
def test_integer_that_the_engine_cannot_hold_is_refused(
    numbers, model: str, datatype: str, data: list[int], place: int
) -> None:
    refused = ask_json(numbers, model, datatype, data)
    assert refused.status == 400
    for word in ('"x"', f"{data[place]} as element {place}", datatype, "INT32", "2147483647"):
        assert word in refused.error
    array = np.array([data], datatype.lower())
    for module in (http_client, grpc_client):
        with module.InferenceServerClient(numbers.address) as client:
            tensor = module.InferInput("x", [1, 2], datatype)
            tensor.set_data_from_numpy(array)
            with pytest.raises(Exception, match=str(data[place])):
                client.infer(model, [tensor])


def test_integers_that_fit_are_computed_exactly(numbers) -> None:
    data = [2**31 - 2, -(2**31)]
    assert ask_json(numbers, "add_int64", "INT64", data).json["outputs"][0]["data"] == [
        2**31 - 1,
        -(2**31) + 1,
    ]


def test_integers_that_become_floats_at_once_keep_all_their_bits(numbers) -> None:
    times = [1732724938123456, -(2**62)]
    answer = ask_json(numbers, "seconds", "INT64", times)
    got = np.array(answer.json["outputs"][0]["data"], np.float32)
    assert got.tolist() == np.array(times).astype(np.float32).tolist()


def test_value_is_refused_in_the_own_process_too(repository: Path) -> None:
    with LeptonAI(service=str(repository), model="add_int64") as local:
        assert local.inference([[1, 2]]).tolist() == [[2, 3]]
        with pytest.raises(InvalidInput, match="1099511627776 as element 1"):
            local.inference([[1, 2**40]])


def test_fp64_beyond_the_largest_float_is_refused_and_the_metadata_say_why(numbers) -> None:
    refused = ask_json(numbers, "sqrt_fp64", "FP64", [1, 1e300])
    assert refused.status == 400
    assert "element 1" in refused.error and "FP32" in refused.error
    assert ask_json(numbers, "sqrt_fp64", "FP64", [4, 9]).json["outputs"][0]["data"] == [2, 3]
    metadata = numbers.get("/v2/models/sqrt_fp64").json
    assert metadata["parameters"]["computed_as"] == "x FP64 as FP32, y FP64 as FP32"
    assert "computed_as" not in numbers.get("/v2/models/log").json["parameters"]


def test_model_that_computes_with_a_constant_that_is_cut_refuses_every_request(numbers) -> None:
    refused = ask_json(numbers, "shifted", "INT64", [0, 1])
    assert refused.status == 501
    for word in ("shifted", "Add", "1099511627776", "INT32"):
        assert word in refused.error
    assert "1099511627776" in numbers.get("/v2/models/shifted").json["parameters"]["defect"]
    assert "model_refuses model=shifted" in numbers.log


FLOATS = [
    [np.nan, 1.0],
    [np.inf, 0.0],
    [-1.0, np.nan],
    [1e-45, np.inf],
]


@pytest.mark.parametrize("values", FLOATS)
@pytest.mark.parametrize("binary_in", [True, False], ids=["binary-in", "json-in"])
@pytest.mark.parametrize("binary_out", [True, False], ids=["binary-out", "json-out"])
def test_tritonclient_sends_and_gets_floats_that_are_not_finite(
    numbers, values: list[float], binary_in: bool, binary_out: bool
) -> None:
    array = np.array([values], np.float32)
    with np.errstate(all="ignore"):
        expected = np.log(array)
    with http_client.InferenceServerClient(numbers.address) as client:
        tensor = http_client.InferInput("x", [1, 2], "FP32")
        tensor.set_data_from_numpy(array, binary_data=binary_in)
        wanted = http_client.InferRequestedOutput("y", binary_data=binary_out)
        got = client.infer("log", [tensor], outputs=[wanted]).as_numpy("y")
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@pytest.mark.parametrize("datatype", ["FP32", "FP64"])
def test_pythons_json_and_the_server_understand_each_other(server, datatype: str) -> None:
    sent = [math.nan, math.inf, -math.inf, -0.0, 5e-324 if datatype == "FP64" else 1e-45, 0.1]
    tensor = {"name": "x", "datatype": datatype, "shape": [1, 6], "data": sent}
    body = json.dumps({"inputs": [tensor]})
    assert "NaN, Infinity, -Infinity, -0.0" in body
    answer = server.infer(f"identity_{datatype.lower()}", body.encode())
    got = json.loads(answer.body)["outputs"][0]["data"]
    dtype = np.dtype(NUMPY[datatype])
    assert np.array(got, dtype).tobytes() == np.array(sent, dtype).tobytes()


def test_null_is_nan_and_a_number_beyond_double_infinity(server) -> None:
    body = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[null,1e999,-1e400]}]}'
    got = json.loads(server.infer("identity_fp32", body).body)["outputs"][0]["data"]
    assert math.isnan(got[0]) and got[1:] == [math.inf, -math.inf]
    for value in (b"1e39", b"nan", b"Infinite", b'"NaN"'):
        refused = server.infer("identity_fp32", body.replace(b"null", value))
        assert refused.status == 400, value
        assert value.decode() in refused.error


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)])
def test_integers_in_json_are_exact_both_ways(server, value: int) -> None:
    tensor = {"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [value]}
    answer = server.infer("identity_int64", {"inputs": [tensor]})
    assert answer.json["outputs"][0]["data"] == [value]


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_parameters_reach_the_limits_of_64_bits(server, scheme: str) -> None:
    array = np.zeros((1, 4), np.float32)
    with Client(f"{scheme}://{server.address}", "four") as client:
        for value in (2**63, 2**64 - 1, -(2**63), math.inf, 2.0):
            client.infer(array, parameters={"p": value})
        for value in (2**64, -(2**63) - 1, 10**5000):
            with pytest.raises(InvalidInput, match=r'parameter "p" is -?0x'):
                client.infer(array, parameters={"p": value})


def test_parameters_come_back_as_they_were_sent(server) -> None:
    tensor = {"name": "x", "datatype": "INT64", "shape": [1, 1], "data": [1]}
    sent = {"large": 2**64 - 1, "whole": 2.0, "none": -math.inf, "least": -(2**63)}
    answer = server.infer("identity_int64", {"inputs": [tensor], "parameters": sent})
    assert answer.json["parameters"] == sent
    assert isinstance(answer.json["parameters"]["whole"], float)


@pytest.mark.parametrize(
    ("datatype", "array"),
    [
        ("INT32", np.array([[2**40, 1]])),
        ("UINT8", np.array([[300, 1]], np.uint16)),
        ("INT64", np.array([[2**63, 1]], np.uint64)),
        ("INT8", np.array([[200, 1]], np.int16)),
        ("UINT64", np.array([[1, -1]])),
        ("FP32", np.array([[1e300, 1]])),
        ("FP16", np.array([[70000, 1]])),
    ],
)
def test_sdk_refuses_what_does_not_fit_and_sends_what_does(
    server, datatype: str, array: np.ndarray
) -> None:
    model = f"identity_{datatype.lower()}"
    with Client(server.url, model) as client:
        with pytest.raises(InvalidInput, match=f'input "x" takes {datatype}'):
            client.infer(array)
        fits = np.minimum(np.maximum(array, 0), 100).astype(array.dtype)
        assert client.infer(fits).outputs["y"].tolist() == fits.tolist()
    assert issubclass(InvalidInput, LeptonError)
