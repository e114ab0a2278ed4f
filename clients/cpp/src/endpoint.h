#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::client {

// One of the places where a client may send requests, as its options name it.
struct Endpoint {
    enum class Wire : std::uint8_t { kHttp, kGrpc };

    std::string url;  // As given, for messages.
    Wire wire = Wire::kHttp;
    bool tls = false;
    std::string host;  // Empty for a Unix domain socket.
    std::string port;
    std::string path;       // Path of a Unix domain socket.
    std::string authority;  // For the header Host and :authority.
};

// Accepts "http://host:port", "https://", "grpc://", "grpcs://", "unix:/path" and
// "grpc+unix:/path"; the port may be left out. Errors: kInvalidArgument, with the text and what is
// expected.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view url);

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

// Returns the addresses to connect to, in the order to try them. Blocks while a name is looked up.
// Errors: kUnavailable, with the endpoint's name.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve(const Endpoint& endpoint);

}  // namespace lepton::client
