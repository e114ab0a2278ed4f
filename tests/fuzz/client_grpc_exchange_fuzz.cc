// Drives the client's gRPC with anything that a server, the kernel and the caller may do, in any
// order. The input is a list of steps: one byte that chooses the step, two arguments, one length,
// and that many bytes for it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grpc_exchange.h"

namespace lepton::client {
namespace {

enum class Step : std::uint8_t {
    kRaw,       // The bytes as they are.
    kFrame,     // The bytes after a head: type, flags and stream from the arguments.
    kHead,      // The headers of a gRPC answer.
    kMessage,   // A DATA frame with a message.
    kTrailers,  // Trailers that end the stream.
    kSend,      // The kernel takes some of what is to be sent.
    kAsk,
    kAbandon,
    kEnd,  // The end of the connection.
    kCount,
};

std::string big_endian(std::size_t value, int count) {
    std::string bytes;
    for (int i = count - 1; i >= 0; --i) bytes.push_back(static_cast<char>(value >> (8 * i)));
    return bytes;
}

std::string frame(unsigned type, unsigned flags, std::uint32_t stream, const std::string& payload) {
    return big_endian(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) +
           big_endian(stream, 4) + payload;
}

// Encodes a literal field that leaves the dynamic table alone.
std::string field(std::string_view name, std::string_view value) {
    return std::string(1, '\0') + static_cast<char>(name.size()) + std::string(name) +
           static_cast<char>(value.size()) + std::string(value);
}

class Caller {
public:
    Caller() {
        request_.model = "m";
        request_.inputs = {make_input("x", values_, {static_cast<std::int64_t>(values_.size())})};
        hear(frame(4, 0, 0, ""));
    }

    // Returns false when the connection can no longer be used.
    bool take(Step step, unsigned first, unsigned second, const std::string& bytes) {
        switch (step) {
            case Step::kRaw:
                hear(bytes);
                break;
            case Step::kFrame:
                hear(frame(first % 11, second, first / 11 % 8, bytes));
                break;
            case Step::kHead:
                hear(frame(1, 4, stream_, "\x88" + field("content-type", "application/grpc")));
                break;
            case Step::kMessage:
                hear(frame(0, first & 1, stream_, '\0' + big_endian(bytes.size(), 4) + bytes));
                break;
            case Step::kTrailers:
                hear(frame(1,
                           5,
                           stream_,
                           field("grpc-status", std::to_string(first % 18)) +
                               field("grpc-message", bytes.substr(0, 100))));
                break;
            case Step::kSend:
                send(first * 256 + second);
                break;
            case Step::kAsk:
                ask(first);
                break;
            case Step::kAbandon:
                exchange_->abandon();
                break;
            case Step::kEnd:
                exchange_->received_end();
                require(exchange_->done());
                break;
            case Step::kCount:
                break;
        }
        if (exchange_->done()) check();
        return exchange_->reusable() || !exchange_->done();
    }

private:
    static void require(bool condition) {
        if (!condition) std::abort();
    }

    void ask(unsigned kind) {
        if (!exchange_->done() || !exchange_->reusable()) return;
        Operation operation;
        operation.kind = static_cast<Operation::Kind>(kind % 5);
        operation.model = "m";
        operation.request = &request_;
        operation.deadline = kNoDeadline;
        require(exchange_->begin(operation, answer_).has_value());
        stream_ = stream_ == 0 ? 1 : stream_ + 2;
    }

    void hear(std::string_view bytes) {
        while (!bytes.empty()) {
            const std::span<std::byte> space = exchange_->space();
            require(!space.empty());
            const std::size_t count = std::min(bytes.size(), space.size());
            std::memcpy(space.data(), bytes.data(), count);
            exchange_->received(count);
            bytes.remove_prefix(count);
        }
    }

    void send(std::size_t most) {
        std::size_t size = 0;
        unsigned sum = 0;
        for (const iovec& span : exchange_->to_send()) {
            // All of it must be readable.
            for (std::size_t i = 0; i < span.iov_len; ++i) {
                sum += static_cast<const unsigned char*>(span.iov_base)[i];
            }
            size += span.iov_len;
        }
        read_ = sum;
        exchange_->sent(std::min(size, most));
    }

    void check() {
        if (stream_ == 0) return;
        if (const Failure* const failure = exchange_->failure()) {
            require(!failure->error.message.empty());
            return;
        }
        const InferResult::Contents& contents = answer_.result.contents();
        for (const Output& output : contents.outputs) {
            if (output.data.empty()) continue;
            require(output.data.data() >= contents.bytes.data() &&
                    output.data.data() + output.data.size() <=
                        contents.bytes.data() + contents.bytes.capacity());
        }
    }

    const std::vector<float> values_ = std::vector<float>(40'000, 1);
    InferRequest request_;
    Answer answer_;
    std::unique_ptr<Exchange> exchange_ =
        make_grpc_exchange({.authority = "host", .tls = false, .max_answer_bytes = 1 << 20});
    std::uint32_t stream_ = 0;
    volatile unsigned read_ = 0;
};

}  // namespace
}  // namespace lepton::client

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kHeadBytes = 4;
    lepton::client::Caller caller;
    while (size >= kHeadBytes) {
        using lepton::client::Step;
        const auto step = static_cast<Step>(data[0] % static_cast<unsigned>(Step::kCount));
        const std::size_t count = std::min<std::size_t>(data[3], size - kHeadBytes);
        const std::string bytes(reinterpret_cast<const char*>(data) + kHeadBytes, count);
        if (!caller.take(step, data[1], data[2], bytes)) break;
        data += kHeadBytes + count;
        size -= kHeadBytes + count;
    }
    return 0;
}
