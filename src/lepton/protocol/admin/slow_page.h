#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lepton/core/request_record.h"
#include "lepton/core/result.h"
#include "lepton/memory/buffer.h"

namespace lepton::protocol {

// GET /v2/debug/slow?model=digits&limit=10
struct SlowQuery {
    static constexpr std::size_t kMostLimit = 64;
    std::string model;  // Empty: of all models.
    std::size_t limit = kMostLimit;
};

// Errors: kInvalidArgument, naming the parameter.
Result<SlowQuery> parse_slow_query(std::string_view query);

void write_slow_page(const NotableRequests& requests, memory::Buffer& out);

}  // namespace lepton::protocol
