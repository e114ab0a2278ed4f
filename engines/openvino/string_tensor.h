#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::openvino {

// What the elements of an input may hold.
enum class StringContent : std::uint8_t { kBytes, kUtf8 };

// Reads length-prefixed elements into strings that keep their storage. Errors: kInvalidArgument
// when `data` does not hold exactly `strings.size()` elements of that content; `name` is the
// tensor's, for the message.
Result<> decode_strings(std::span<const std::byte> data,
                        std::span<std::string> strings,
                        const std::string& name,
                        StringContent content = StringContent::kBytes);

// Writes strings as length-prefixed elements, replacing the content of `bytes`. Errors: kInternal
// for a string that is too long for the 4-byte prefix.
Result<> encode_strings(std::span<const std::string> strings, std::vector<std::byte>& bytes);

}  // namespace lepton::openvino
