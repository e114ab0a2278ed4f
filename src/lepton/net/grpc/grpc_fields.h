#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lepton::net {

// Whether a request is a gRPC call, going by its content-type.
enum class GrpcContent : std::uint8_t {
    kNone,   // Not gRPC; also grpc-web, which is a protocol of its own.
    kProto,  // "application/grpc", "application/grpc+proto", with or without parameters.
    kOther,  // gRPC with messages in another encoding.
};
[[nodiscard]] GrpcContent grpc_content_of(std::string_view content_type);

// Whether `list`, the value of grpc-accept-encoding, names `encoding`.
[[nodiscard]] bool accepts_encoding(std::string_view list, std::string_view encoding);

// Appends `message` as grpc-message wants it: printable ASCII but for '%', the rest as %XX. Cut to
// `max_bytes`, because a peer refuses a header list over its limit and would lose the status too.
void append_percent_encoded(std::string_view message, std::size_t max_bytes, std::string& out);

}  // namespace lepton::net
