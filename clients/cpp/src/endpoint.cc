#include "endpoint.h"

#include <netdb.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <memory>

namespace lepton::client {
namespace {

struct Scheme {
    std::string_view prefix;
    Endpoint::Wire wire;
    bool tls;
    bool local;
    std::string_view port;
};

constexpr std::array<Scheme, 6> kSchemes = {{
    {"http://", Endpoint::Wire::kHttp, false, false, "8000"},
    {"https://", Endpoint::Wire::kHttp, true, false, "443"},
    {"grpc://", Endpoint::Wire::kGrpc, false, false, "8000"},
    {"grpcs://", Endpoint::Wire::kGrpc, true, false, "443"},
    {"unix:", Endpoint::Wire::kHttp, false, true, ""},
    {"grpc+unix:", Endpoint::Wire::kGrpc, false, true, ""},
}};

tl::unexpected<Error> bad(std::string_view url, std::string_view why) {
    std::string message = "endpoint \"";
    message.append(url).append("\" ").append(why);
    return fail(ErrorCode::kInvalidArgument, std::move(message));
}

bool is_port(std::string_view text) {
    constexpr std::size_t kLongest = 5;
    int value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9' || text.size() > kLongest) return false;
        value = 10 * value + (c - '0');
    }
    return value > 0 && value <= 65535;
}

Result<> read_authority(std::string_view text, std::string_view url, Endpoint& endpoint) {
    if (text.ends_with('/')) text.remove_suffix(1);
    if (text.find_first_of("/?#@ \r\n") != std::string_view::npos) {
        return bad(url, "has more than a host and a port; expected e.g. http://127.0.0.1:8000");
    }
    std::string_view host = text;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return bad(url, "lacks the ] of an IPv6 address");
        host = text.substr(1, close - 1);
        text.remove_prefix(close + 1);
    } else {
        host = text.substr(0, text.find(':'));
        text.remove_prefix(host.size());
    }
    if (host.empty()) return bad(url, "names no host; expected e.g. http://127.0.0.1:8000");
    endpoint.host = host;
    if (!text.empty()) {
        const std::string_view port = text.substr(1);
        if (text.front() != ':' || !is_port(port)) {
            return bad(url, "has no port from 1 to 65535 behind its host");
        }
        endpoint.port = port;
    }
    const bool numeric_v6 = endpoint.host.find(':') != std::string::npos;
    endpoint.authority = numeric_v6 ? "[" + endpoint.host + "]" : endpoint.host;
    endpoint.authority += ':';
    endpoint.authority += endpoint.port;
    return {};
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
    for (const Scheme& scheme : kSchemes) {
        if (!url.starts_with(scheme.prefix)) continue;
        const std::string_view rest = url.substr(scheme.prefix.size());
        Endpoint endpoint;
        endpoint.url = url;
        endpoint.wire = scheme.wire;
        endpoint.tls = scheme.tls;
        endpoint.port = scheme.port;
        if (!scheme.local) {
            LEPTON_RETURN_IF_ERROR(read_authority(rest, url, endpoint));
            return endpoint;
        }
        if (rest.empty()) return bad(url, "names no path; expected e.g. unix:/run/lepton.sock");
        if (rest.size() >= sizeof(sockaddr_un::sun_path)) {
            return bad(url, "has a path of more than 107 bytes");
        }
        endpoint.path = rest;
        endpoint.authority = "localhost";
        return endpoint;
    }
    return bad(url,
               "has an unknown scheme; expected http://, https://, grpc://, grpcs://, unix: or "
               "grpc+unix:");
}

Result<std::vector<SocketAddress>> resolve(const Endpoint& endpoint) {
    std::vector<SocketAddress> addresses;
    if (!endpoint.path.empty()) {
        sockaddr_un local{};
        local.sun_family = AF_UNIX;
        std::memcpy(local.sun_path, endpoint.path.data(), endpoint.path.size());
        SocketAddress& address = addresses.emplace_back();
        std::memcpy(&address.storage, &local, sizeof local);
        address.size =
            static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + endpoint.path.size() + 1);
        return addresses;
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int status = getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &found);
    if (status != 0) {
        return fail(ErrorCode::kUnavailable,
                    "cannot find the host of " + endpoint.url + ": " + gai_strerror(status));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        SocketAddress& address = addresses.emplace_back();
        std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
        address.size = at->ai_addrlen;
    }
    return addresses;
}

}  // namespace lepton::client
