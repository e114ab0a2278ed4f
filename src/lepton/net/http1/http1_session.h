#pragma once

#include <memory>

#include "lepton/net/wire_session.h"

namespace lepton::net {

// HTTP/1.1 (and 1.0): keep-alive and pipelining, one exchange at a time. `received` holds the bytes
// read so far.
[[nodiscard]] std::unique_ptr<WireSession> make_http1_session(Wire& wire,
                                                              memory::Buffer received,
                                                              Clock::time_point now);

}  // namespace lepton::net
