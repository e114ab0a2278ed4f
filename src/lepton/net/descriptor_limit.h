#pragma once

#include <cstddef>

namespace lepton::net {

// Raises the number of descriptors that this process may have as far as it may, within reason, and
// returns what it is then.
std::size_t raise_descriptor_limit();

// How many connections leave enough of so many descriptors to the rest: models' files, listeners,
// logs.
[[nodiscard]] std::size_t connections_within(std::size_t descriptors);

}  // namespace lepton::net
