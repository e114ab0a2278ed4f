#pragma once

#include <cstddef>
#include <span>

#include "lepton/core/result.h"
#include "lepton/memory/buffer.h"

namespace lepton::net {

// Inflates one gzip member, or one zlib stream (gRPC's "deflate"), which must be all of `packed`,
// to the end of `out`. Stops as soon as it would become longer than `max_bytes`, whatever the
// stream goes on to promise. Errors: kInvalidArgument for a stream that is corrupt, cut short or
// followed by something; kPayloadTooLarge. Thread-safe.
Result<> gunzip(std::span<const std::byte> packed, std::size_t max_bytes, memory::Buffer& out);

// Deflates `plain` as one gzip member to the end of `out`; false, and `out` as it was, when that
// would not make it shorter. Thread-safe.
bool gzip(std::span<const std::byte> plain, memory::Buffer& out);

}  // namespace lepton::net
