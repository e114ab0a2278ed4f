#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"

namespace lepton::net {

// Another server's resource, over HTTP/1.1 without encryption.
struct HttpResource {
    std::string host;  // A name or an address.
    std::uint16_t port = 80;
    std::string path;
};

// Posts `body` over a connection of its own, and gives the status of the answer. Blocks; for
// threads that serve nobody. Errors: kUnavailable when no answer came, naming the reason.
Result<int> http_post(const HttpResource& to,
                      std::string_view content_type,
                      std::string_view body,
                      Clock::duration timeout);

}  // namespace lepton::net
