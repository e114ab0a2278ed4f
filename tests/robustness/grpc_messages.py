"""Protobuf messages; separate from wire, because importing this takes a while."""

from tritonclient.grpc import service_pb2


def infer_message(model: str, name: str, shape: list[int], data: bytes) -> bytes:
    request = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=[data])
    request.inputs.add(name=name, datatype="FP32", shape=shape)
    return request.SerializeToString()
