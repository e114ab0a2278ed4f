#pragma once

#include <cstddef>
#include <string_view>

#include "lepton/core/request.h"
#include "lepton/core/result.h"

namespace lepton::protocol {

// How many inputs, how many outputs and how many parameters one request may have. A decoded entry
// takes ten times the bytes of the shortest that is sent: without a bound the limit on the body's
// size would be none on memory.
inline constexpr std::size_t kMaxEntries = 1024;

// Whether one more entry may follow `count` of them. Errors: kInvalidArgument, naming `what`.
Result<> check_entries(std::size_t count, std::string_view what);

// Takes one request-level parameter: `timeout`, `priority` and `binary_data_output` set what they
// stand for, every other is kept, to be echoed. Errors: kInvalidArgument for a value of the wrong
// type or out of range.
Result<> apply_request_parameter(const Parameter& parameter,
                                 Clock::time_point received,
                                 Request& request);

// Extensions of the protocol that a tensor's parameters may ask for and that Lepton does not offer:
// ignoring them would answer another question. Errors: kUnsupported, naming the tensor.
Result<> check_tensor_parameter(std::string_view tensor, std::string_view parameter);

}  // namespace lepton::protocol
