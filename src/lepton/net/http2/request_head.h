#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "lepton/net/grpc/grpc_fields.h"
#include "lepton/net/message.h"

namespace lepton::net {

// What the fields of an HTTP/2 request say about how to read it. Fills the message as they come in.
struct RequestHead {
    enum class Encoding : std::uint8_t { kIdentity, kGzip, kDeflate, kOther };

    // One field, pseudo or not; names are in lower case (nghttp2 sees to it). Blanks around a value
    // are none of it (RFC 9110 section 5.5).
    void add(std::string_view name, std::string_view value, Message& message);

    GrpcContent content = GrpcContent::kNone;
    Encoding encoding = Encoding::kIdentity;  // How a gRPC call compresses its messages.
    bool accepts_gzip = false;                // In the answers to a gRPC call.
    bool has_grpc_fields = false;
    bool has_authority = false;
    bool hosts_differ = false;  // The field "host" says another one than ":authority".
    bool expects_continue = false;
    bool connects = false;  // The method is CONNECT.
    bool post = false;
    std::optional<std::uint64_t> content_length;
    std::size_t bytes = 0;  // Counted as SETTINGS_MAX_HEADER_LIST_SIZE is, RFC 9113 section 6.5.2.
};

}  // namespace lepton::net
