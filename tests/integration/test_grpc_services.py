"""What gRPC tools expect of any server: health, reflection, statuses and metadata."""

import threading

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tritonclient.grpc import service_pb2 as pb

SERVICE = "inference.GRPCInferenceService"


def rows_of(model, rows):
    request = pb.ModelInferRequest(model_name=model)
    request.inputs.add(name="x", datatype="FP32", shape=[rows, 4])
    request.raw_input_contents.append(b"\0" * 16 * rows)
    return request


def four(model="four"):
    return rows_of(model, 1)


class TestHealth:
    @pytest.mark.parametrize("service", ["", SERVICE, "four"])
    def test_check_says_serving(self, grpc_channel, service):
        stub = health_pb2_grpc.HealthStub(grpc_channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    def test_check_of_an_unknown_service_is_not_found(self, grpc_channel):
        stub = health_pb2_grpc.HealthStub(grpc_channel)
        with pytest.raises(grpc.RpcError) as failure:
            stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
        assert failure.value.code() == grpc.StatusCode.NOT_FOUND

    def test_watch_tells_the_state_at_once_and_stays_open(self, grpc_channel):
        stub = health_pb2_grpc.HealthStub(grpc_channel)
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=""))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        assert watch.is_active()
        watch.cancel()


class TestReflection:
    def test_services_are_listed(self, grpc_channel):
        names = ProtoReflectionDescriptorDatabase(grpc_channel).get_services()
        assert {SERVICE, "grpc.health.v1.Health"} <= set(names)

    def test_the_service_can_be_called_from_its_description_alone(self, grpc_channel):
        """Does what grpcurl does, with only the server's own .proto files."""
        from google.protobuf.message_factory import GetMessageClass

        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(grpc_channel))
        method = pool.FindServiceByName(SERVICE).FindMethodByName("ModelInfer")
        request = GetMessageClass(method.input_type)(model_name="four")
        request.inputs.add(name="x", datatype="FP32", shape=[1, 4])
        request.inputs[0].contents.fp32_contents.extend([1, 2, 3, 4])
        call = grpc_channel.unary_unary(
            f"/{SERVICE}/ModelInfer",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        answer = call(request)
        assert answer.outputs[0].name == "y"
        assert len(answer.raw_output_contents[0]) == 16

    def test_an_unknown_symbol_is_an_error_response(self, grpc_channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(grpc_channel)
        question = reflection_pb2.ServerReflectionRequest(file_containing_symbol="no.such.Thing")
        answer = next(stub.ServerReflectionInfo(iter([question])))
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]

    def test_one_stream_answers_several_questions(self, grpc_channel):
        stub = reflection_pb2_grpc.ServerReflectionStub(grpc_channel)
        questions = [
            reflection_pb2.ServerReflectionRequest(list_services=""),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE),
        ]
        answers = list(stub.ServerReflectionInfo(iter(questions)))
        assert answers[0].HasField("list_services_response")
        assert answers[1].file_descriptor_response.file_descriptor_proto


class TestStatuses:
    def refuse(self, call) -> grpc.RpcError:
        with pytest.raises(grpc.RpcError) as failure:
            call()
        return failure.value

    def test_unknown_model_is_not_found(self, grpc_stub):
        error = self.refuse(lambda: grpc_stub.ModelInfer(four("nobody")))
        assert error.code() == grpc.StatusCode.NOT_FOUND
        assert '"nobody"' in error.details()

    def test_failing_model_is_internal(self, grpc_stub):
        request = pb.ModelInferRequest(model_name="unlucky", raw_input_contents=[bytes([13] * 4)])
        request.inputs.add(name="x", datatype="UINT8", shape=[1, 4])
        error = self.refuse(lambda: grpc_stub.ModelInfer(request))
        assert error.code() == grpc.StatusCode.INTERNAL
        assert "out of luck" in error.details()

    def test_an_output_named_twice_is_an_invalid_argument(self, grpc_stub):
        request = four()
        for _ in range(2):
            request.outputs.add(name="y")
        error = self.refuse(lambda: grpc_stub.ModelInfer(request))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert '"y"' in error.details() and "twice" in error.details()

    def test_rows_without_data_are_bounded(self, grpc_stub):
        request = pb.ModelInferRequest(model_name="identity_fp32", raw_input_contents=[b""])
        request.inputs.add(name="x", datatype="FP32", shape=[2**62, 0])
        error = self.refuse(lambda: grpc_stub.ModelInfer(request))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert '"x"' in error.details() and str(2**62) in error.details()

    def test_expired_is_deadline_exceeded(self, grpc_stub):
        error = self.refuse(lambda: grpc_stub.ModelInfer(rows_of("slow", 100), timeout=0.05))
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED

    def test_a_method_that_is_not_offered_is_unimplemented(self, grpc_stub):
        error = self.refuse(
            lambda: grpc_stub.CudaSharedMemoryStatus(pb.CudaSharedMemoryStatusRequest())
        )
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        assert "CudaSharedMemoryStatus" in error.details()

    def test_an_unknown_service_is_unimplemented(self, grpc_channel):
        call = grpc_channel.unary_unary("/no.Such/Thing")
        error = self.refuse(lambda: call(b""))
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED

    def test_bytes_that_are_no_message_are_refused(self, grpc_channel):
        call = grpc_channel.unary_unary(f"/{SERVICE}/ModelInfer")
        error = self.refuse(lambda: call(b"\xff\xff\xff\xff"))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "protobuf" in error.details()

    def test_a_message_over_the_limit_is_refused(self, start_server, zoo):
        server = start_server(zoo, "--max-body-bytes", "100000")
        server.wait_until_ready()
        with grpc.insecure_channel(server.address) as channel:
            call = channel.unary_unary(f"/{SERVICE}/ModelInfer")
            error = self.refuse(lambda: call(b"\x0a" * 200_000))
            # From the table in the reference: too large a message is the client's mistake.
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert "100000" in error.details()
        server.is_well()


class TestMetadata:
    def test_the_breakdown_comes_as_trailing_metadata(self, grpc_stub):
        _, call = grpc_stub.ModelInfer.with_call(four())
        timing = dict(call.trailing_metadata())["server-timing"]
        assert [part.split(";")[0].strip() for part in timing.split(",")] == [
            "net", "queue", "input", "compute", "output",
        ]  # fmt: skip

    @pytest.mark.parametrize("value", ["trailing ", " leading", " both ", " "])
    def test_blanks_around_a_value_are_no_error(self, grpc_stub, value):
        grpc_stub.ModelInfer(four(), metadata=(("my_header", value),), timeout=10)

    def test_unicode_in_an_error_survives(self, grpc_stub):
        with pytest.raises(grpc.RpcError) as failure:
            grpc_stub.ModelInfer(four("größe"))
        assert "größe" in failure.value.details()


def test_many_calls_share_one_channel(server, grpc_stub):
    """Multiplexed streams: all are open at once, and none waits for the one before."""
    calls = [grpc_stub.ModelInfer.future(four()) for _ in range(200)]
    assert all(len(call.result().raw_output_contents[0]) == 16 for call in calls)


def test_a_slow_call_does_not_hold_up_others_on_its_connection(grpc_stub):
    slow = grpc_stub.ModelInfer.future(rows_of("slow", 100))
    done = threading.Event()
    slow.add_done_callback(lambda _: done.set())
    for _ in range(20):
        grpc_stub.ModelInfer(four())
    assert not done.is_set()
    assert slow.result()
