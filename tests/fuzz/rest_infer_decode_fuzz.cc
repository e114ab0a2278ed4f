// Reads any bytes as the body of an inference over HTTP, and answers it with its own inputs. The
// first two bytes are the length of the JSON part; 0xFFFF leaves the header out.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "lepton/protocol/kserve/rest_infer_decode.h"
#include "lepton/protocol/kserve/rest_infer_encode.h"
#include "lepton/protocol/tensor_bytes.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

// Checks what the decoder promises to the receiver of the request.
void check(const net::Exchange& exchange, const Request& request) {
    const auto inside = [](std::span<const std::byte> part, std::span<const std::byte> whole) {
        return part.empty() || (part.data() >= whole.data() &&
                                part.data() + part.size() <= whole.data() + whole.size());
    };
    for (const InputTensor& input : request.inputs) {
        const TensorView& tensor = input.tensor;
        const auto count = element_count(input.name, tensor.dtype, tensor.shape);
        require(count.has_value());
        require(check_tensor_bytes(input.name, tensor.dtype, tensor.shape, *count, tensor.data)
                    .has_value());
        require(inside(tensor.data, exchange.message.body.bytes()) ||
                inside(tensor.data, exchange.scratch.bytes()));
    }
}

void run(std::string_view body, std::size_t json_size, bool has_length) {
    static memory::BufferPool pool;
    static const FakeCatalog catalog;
    FakeExchange exchange(pool);
    Request request;
    request.model_name = "digits";
    exchange.set_body(body);
    const std::string length = std::to_string(json_size);
    InferFields fields;
    if (has_length) fields.header_length = length;
    const Result<> decoded = decode_rest_infer(exchange, request, fields, pool, catalog);
    if (!decoded) return require(!decoded.error().message.empty());
    check(exchange, request);

    Response response;
    response.model = catalog.model;
    for (const InputTensor& input : request.inputs) {
        response.outputs.push_back({input.name, input.tensor});
    }
    (void)encode_rest_infer(request, response, ContentEncoding::kIdentity, pool, exchange.reply);
}

}  // namespace
}  // namespace lepton::protocol

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t json_size = data[0] | static_cast<std::size_t>(data[1]) << 8;
    const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
    lepton::protocol::run(body, json_size, json_size != 0xFFFF);
    return 0;
}
