#include "grpc_request.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <variant>

#include "grpc_protobuf.h"
#include "request_check.h"

namespace lepton::client {
namespace {

// The head of each gRPC message: a flag, and the length in four bytes.
constexpr std::size_t kPrefixBytes = 5;
// The limit of one protobuf message in any language: most implementations use a 32-bit int.
constexpr std::size_t kMaxMessageBytes = std::numeric_limits<std::int32_t>::max();

// A protobuf message is written from the outside in, with the length before each part: the size of
// each part below must agree, field by field, with what is appended.

std::size_t value_size(const Parameter& parameter) {
    return std::visit(
        [](auto value) -> std::size_t {
            using Value = decltype(value);
            if constexpr (std::is_same_v<Value, bool>)
                return 2;
            else if constexpr (std::is_same_v<Value, double>)
                return 1 + sizeof(double);
            else if constexpr (std::is_same_v<Value, std::string_view>) {
                return bytes_field_size(value.size());
            } else
                return 1 + varint_size(static_cast<std::uint64_t>(value));
        },
        parameter.value);
}

// Appends a message InferParameter.
void append_value(std::string& out, const Parameter& parameter) {
    std::visit(
        [&out](auto value) {
            using Value = decltype(value);
            if constexpr (std::is_same_v<Value, bool>) {
                append_varint(out, varint_tag(1));
                append_varint(out, value ? 1 : 0);
            } else if constexpr (std::is_same_v<Value, std::int64_t>) {
                append_varint(out, varint_tag(2));
                append_varint(out, static_cast<std::uint64_t>(value));
            } else if constexpr (std::is_same_v<Value, std::string_view>) {
                append_text(out, 3, value);
            } else if constexpr (std::is_same_v<Value, double>) {
                append_varint(out, fixed64_tag(4));
                const auto bits = std::bit_cast<std::uint64_t>(value);
                out.append(reinterpret_cast<const char*>(&bits), sizeof bits);
            } else {
                append_varint(out, varint_tag(5));
                append_varint(out, value);
            }
        },
        parameter.value);
}

// Appends one entry of the request's map of parameters.
void append_parameter(std::string& out, const Parameter& parameter) {
    const std::size_t value = value_size(parameter);
    append_bytes_head(out, 4, bytes_field_size(parameter.name.size()) + bytes_field_size(value));
    append_text(out, 1, parameter.name);
    append_bytes_head(out, 2, value);
    append_value(out, parameter);
}

void append_input(std::string& out, const Input& input) {
    const std::string_view datatype = to_string(input.dtype);
    std::size_t shape = 0;
    for (const std::int64_t dim : input.shape.dims()) {
        shape += varint_size(static_cast<std::uint64_t>(dim));
    }
    append_bytes_head(out,
                      5,
                      bytes_field_size(input.name.size()) + bytes_field_size(datatype.size()) +
                          bytes_field_size(shape));
    append_text(out, 1, input.name);
    append_text(out, 2, datatype);
    append_bytes_head(out, 3, shape);
    for (const std::int64_t dim : input.shape.dims()) {
        append_varint(out, static_cast<std::uint64_t>(dim));
    }
}

std::string_view path_of(Operation::Kind kind) {
    switch (kind) {
        case Operation::Kind::kInfer:
            return "/inference.GRPCInferenceService/ModelInfer";
        case Operation::Kind::kServerLive:
            return "/inference.GRPCInferenceService/ServerLive";
        case Operation::Kind::kServerReady:
            return "/inference.GRPCInferenceService/ServerReady";
        case Operation::Kind::kModelReady:
            return "/inference.GRPCInferenceService/ModelReady";
        case Operation::Kind::kModelMetadata:
            return "/inference.GRPCInferenceService/ModelMetadata";
        case Operation::Kind::kListModels:
            break;
    }
    return {};
}

}  // namespace

Result<> GrpcRequest::write(const Operation& operation) {
    clear();
    path_ = path_of(operation.kind);
    if (path_.empty()) {
        return fail(ErrorCode::kUnsupported,
                    "KServe v2 has no gRPC method that lists models; ask over http://");
    }
    text_.resize(kPrefixBytes);
    if (operation.kind == Operation::Kind::kInfer) {
        LEPTON_RETURN_IF_ERROR(write_infer(*operation.request));
    } else if (!operation.model.empty()) {
        append_text(text_, 1, operation.model);
        if (!operation.version.empty()) append_text(text_, 2, operation.version);
    }
    end_text();
    for (const Piece& piece : pieces_) left_ += piece.size;

    const std::size_t size = left_ - kPrefixBytes;
    if (size > kMaxMessageBytes) {
        clear();
        return fail(ErrorCode::kPayloadTooLarge,
                    "the request is a message of " + std::to_string(size) +
                        " bytes, gRPC takes at most " + std::to_string(kMaxMessageBytes) +
                        "; ask over http://");
    }
    for (std::size_t i = 1; i < kPrefixBytes; ++i) {
        text_[i] = static_cast<char>(size >> (8 * (kPrefixBytes - 1 - i)));
    }
    return {};
}

Result<> GrpcRequest::write_infer(const InferRequest& request) {
    LEPTON_RETURN_IF_ERROR(check_inputs(request));
    append_text(text_, 1, request.model);
    if (!request.version.empty()) append_text(text_, 2, request.version);
    if (!request.id.empty()) append_text(text_, 3, request.id);
    if (request.priority != 0) {
        append_parameter(text_, {"priority", std::uint64_t{request.priority}});
    }
    for (const Parameter& parameter : request.parameters) append_parameter(text_, parameter);
    for (const Input& input : request.inputs) append_input(text_, input);
    for (const std::string_view output : request.outputs) {
        append_bytes_head(text_, 6, bytes_field_size(output.size()));
        append_text(text_, 1, output);
    }
    for (const Input& input : request.inputs) {
        append_bytes_head(text_, 7, input.data.size());
        if (input.data.empty()) continue;
        end_text();
        pieces_.push_back({input.data.data(), 0, input.data.size()});
    }
    return {};
}

void GrpcRequest::end_text() {
    if (text_.size() == covered_) return;
    pieces_.push_back({nullptr, covered_, text_.size() - covered_});
    covered_ = text_.size();
}

std::span<const std::byte> GrpcRequest::take(std::size_t most) {
    const Piece& piece = pieces_[next_];
    const std::byte* const data =
        piece.data != nullptr ? piece.data
                              : reinterpret_cast<const std::byte*>(text_.data()) + piece.offset;
    const std::size_t size = std::min(most, piece.size - taken_);
    const std::span<const std::byte> taken(data + taken_, size);
    left_ -= size;
    taken_ += size;
    if (taken_ == piece.size) {
        ++next_;
        taken_ = 0;
    }
    return taken;
}

void GrpcRequest::clear() {
    text_.clear();
    pieces_.clear();
    covered_ = next_ = taken_ = left_ = 0;
}

}  // namespace lepton::client
