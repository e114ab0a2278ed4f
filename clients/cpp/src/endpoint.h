#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::client {

// One of the places that a client may ask, as its options name it.
struct Endpoint {
    enum class Wire : std::uint8_t { kHttp, kGrpc };

    std::string url;  // As given, for messages.
    Wire wire = Wire::kHttp;
    bool tls = false;
    std::string host;  // Empty for a Unix domain socket.
    std::string port;
    std::string path;       // Of a Unix domain socket.
    std::string authority;  // For the header Host and :authority.
};

// "http://host:port", "https://", "grpc://", "grpcs://", "unix:/path", "grpc+unix:/path"; the port
// may be left out. Errors: kInvalidArgument, naming the text and what is expected.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view url);

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

// Where to connect to, in the order to be tried. Blocks while a name is looked up. Errors:
// kUnavailable, naming the endpoint.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve(const Endpoint& endpoint);

}  // namespace lepton::client
