#pragma once

#include <chrono>
#include <string_view>

#include "lepton/core/clock.h"
#include "lepton/core/result.h"

namespace lepton::protocol {

// The longest timeout that a request may ask for: a year. Longer ones are mistakes of a unit.
inline constexpr std::chrono::hours kLongestTimeout{24 * 365};

// The value of a header field that holds whole milliseconds, at least one.
// Errors: kInvalidArgument, naming the field.
Result<Clock::time_point> deadline_of_header_ms(std::string_view field,
                                                std::string_view value,
                                                Clock::time_point received);

// The value of `grpc-timeout`: up to 8 digits and one of H M S m u n. Zero is a deadline that has
// passed; one above kLongestTimeout is none, since clients write "no deadline" so.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
// Errors: kInvalidArgument.
Result<Clock::time_point> deadline_of_grpc_timeout(std::string_view value,
                                                   Clock::time_point received);

}  // namespace lepton::protocol
