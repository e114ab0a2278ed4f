// Feeds the client's HTTP/1.1 anything that a server may answer, cut in pieces. The first byte of
// the input chooses the question, the second the size of the pieces; the rest is the answers.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>

#include "http_exchange.h"

namespace lepton::client {
namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

// Checks what the users of a result rely on.
void check(const InferResult& result) {
    std::size_t sum = 0;
    for (const Output& output : result.outputs()) {
        const auto elements = output.shape.element_count();
        require(elements.has_value());
        if (output.dtype != DataType::kBytes) {
            const std::size_t size = element_bytes(output.dtype);
            require(output.data.size() == static_cast<std::size_t>(*elements) * size);
            require(reinterpret_cast<std::uintptr_t>(output.data.data()) % size == 0);
        }
        // Reads each byte, so that the sanitizer sees one out of bounds.
        for (const std::byte byte : output.data) sum += static_cast<std::size_t>(byte);
        for (const char c : output.name) sum += static_cast<std::size_t>(c);
    }
    for (const char c : result.model_name()) sum += static_cast<std::size_t>(c);
    for (const char c : result.id()) sum += static_cast<std::size_t>(c);
    volatile std::size_t sink = sum;
    (void)sink;
}

void answer(std::span<const std::uint8_t> input) {
    constexpr std::size_t kMaxAnswer = std::size_t{1} << 20;
    HttpExchange exchange("host:1", kMaxAnswer);
    static const std::array<float, 2> kValues = {1, 2};
    InferRequest request;
    request.model = "m";
    request.inputs = {make_input("x", std::span<const float>(kValues), {1, 2})};
    Operation operation;
    operation.kind = static_cast<Operation::Kind>(input[0] % 6);
    operation.model = "m";
    operation.deadline = Clock::now() + std::chrono::seconds(1);
    if (operation.kind == Operation::Kind::kInfer) operation.request = &request;
    const std::size_t piece = 1 + std::size_t{input[1]} * 8;
    input = input.subspan(2);

    Answer told;
    while (exchange.reusable()) {
        require(exchange.begin(operation, told).has_value());
        std::size_t to_send = 0;
        for (const iovec& span : exchange.to_send()) to_send += span.iov_len;
        exchange.sent(to_send);
        while (!exchange.done() && !input.empty()) {
            const std::span<std::byte> space = exchange.space();
            require(!space.empty());
            const std::size_t count = std::min({space.size(), piece, input.size()});
            std::memcpy(space.data(), input.data(), count);
            exchange.received(count);
            input = input.subspan(count);
        }
        if (!exchange.done()) exchange.received_end();
        require(exchange.done());
        if (const Failure* const failure = exchange.failure()) {
            require(!failure->error.message.empty());
            require(told.result.outputs().empty());
        } else {
            check(told.result);
        }
    }
}

}  // namespace
}  // namespace lepton::client

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 2) lepton::client::answer({data, size});
    return 0;
}
