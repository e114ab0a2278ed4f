#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exchange.h"
#include "lepton/core/result.h"

namespace lepton::client {

// One gRPC message of a request, with its prefix of five bytes: text that is written here, with
// views of the caller's tensors in between. Keeps its storage from one request to the next. Not
// thread-safe; its exchange owns it.
//
//   pieces:  prefix, names, shapes, head of raw 0 | tensor 0 | head of raw 1 | tensor 1 | ...
class GrpcRequest {
public:
    // Errors: kInvalidArgument, as check_inputs() says; kPayloadTooLarge; kUnsupported, for what
    // KServe v2 has no gRPC method for.
    Result<> write(const Operation& operation);

    // Returns a static path such as "/inference.GRPCInferenceService/ModelInfer".
    [[nodiscard]] std::string_view path() const { return path_; }

    [[nodiscard]] std::size_t left() const { return left_; }
    // Returns the next piece, no longer than `most` and never empty. Precondition: 0 < most <=
    // left().
    [[nodiscard]] std::span<const std::byte> take(std::size_t most);

    void clear();

private:
    struct Piece {
        const std::byte* data;  // Null: in text_, from `offset`.
        std::size_t offset;
        std::size_t size;
    };

    Result<> write_infer(const InferRequest& request);
    void end_text();  // Makes a piece of the text that no piece covers yet.

    std::string_view path_;
    std::string text_;
    std::size_t covered_ = 0;  // Bytes of text_ that pieces cover.
    std::vector<Piece> pieces_;
    std::size_t next_ = 0;   // The piece to take from,
    std::size_t taken_ = 0;  // of which this much is taken.
    std::size_t left_ = 0;
};

}  // namespace lepton::client
