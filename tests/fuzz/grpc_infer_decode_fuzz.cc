// Reads any bytes as a ModelInferRequest and compares with the generated class: what that refuses
// must be refused, what is accepted must say the same. Then answers it with its own inputs, which
// the generated class must be able to read.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <google/protobuf/stubs/logging.h>
#include <inference.pb.h>

#include "lepton/protocol/kserve/grpc_infer_decode.h"
#include "lepton/protocol/kserve/grpc_infer_encode.h"
#include "lepton/protocol/tensor_bytes.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void compare(const Request& request, const inference::ModelInferRequest& message) {
    require(request.model_name == message.model_name());
    require(request.model_version == message.model_version());
    require(request.id == message.id());
    require(request.inputs.size() == static_cast<std::size_t>(message.inputs_size()));
    require(request.outputs.size() == static_cast<std::size_t>(message.outputs_size()));
    for (std::size_t i = 0; i < request.inputs.size(); ++i) {
        const TensorView& tensor = request.inputs[i].tensor;
        const auto& input = message.inputs(static_cast<int>(i));
        require(request.inputs[i].name == input.name());
        require(to_string(tensor.dtype) == input.datatype());
        require(tensor.shape.rank() == static_cast<std::size_t>(input.shape_size()));
        const auto count = element_count(input.name(), tensor.dtype, tensor.shape);
        require(count &&
                check_tensor_bytes(input.name(), tensor.dtype, tensor.shape, *count, tensor.data));
        if (message.raw_input_contents_size() > 0) {
            require(text_of(tensor) == message.raw_input_contents(static_cast<int>(i)));
        }
    }
}

void run(std::string_view body) {
    static memory::BufferPool pool;
    FakeExchange exchange(pool);
    exchange.set_body(body);
    Request request;
    const Result<> decoded = decode_grpc_infer(exchange, request, pool);
    inference::ModelInferRequest message;
    const bool parses = message.ParseFromArray(body.data(), static_cast<int>(body.size()));
    if (!decoded) return require(!decoded.error().message.empty());
    require(parses);
    compare(request, message);

    Response response;
    response.model = FakeCatalog().model;
    for (const InputTensor& input : request.inputs) {
        response.outputs.push_back({input.name, input.tensor});
    }
    require(encode_grpc_infer(request, response, pool, exchange.reply.body).has_value());
    inference::ModelInferResponse answer;
    require(answer.ParseFromArray(exchange.reply.body.data(),
                                  static_cast<int>(exchange.reply.body.size())));
    require(answer.raw_output_contents_size() == message.inputs_size());
}

}  // namespace
}  // namespace lepton::protocol

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    google::protobuf::SetLogHandler(nullptr);
    lepton::protocol::run({reinterpret_cast<const char*>(data), size});
    return 0;
}
