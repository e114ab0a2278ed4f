#pragma once

#include <memory>
#include <span>

#include "lepton/net/wire_protocol.h"

namespace lepton::net {

// HTTP/2 by prior knowledge, and gRPC on it. `received` are the bytes read so far, which begin with
// (a prefix of at least 3 bytes of) the client's connection preface.
[[nodiscard]] std::unique_ptr<WireProtocol> make_http2_protocol(Wire& wire,
                                                                std::span<const std::byte> received,
                                                                Clock::time_point now);

}  // namespace lepton::net
