#pragma once

#include <memory>

#include "lepton/net/wire_protocol.h"

namespace lepton::net {

// HTTP/1.1 (and 1.0): keep-alive and pipelining, one exchange at a time. `received` holds the bytes
// read so far.
[[nodiscard]] std::unique_ptr<WireProtocol> make_http1_protocol(Wire& wire,
                                                                memory::Buffer received,
                                                                Clock::time_point now);

}  // namespace lepton::net
