"""Messages as protobuf; apart from wire, because this takes a while to import."""

from tritonclient.grpc import service_pb2


def infer_message(model: str, name: str, shape: list[int], data: bytes) -> bytes:
    request = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=[data])
    request.inputs.add(name=name, datatype="FP32", shape=shape)
    return request.SerializeToString()
