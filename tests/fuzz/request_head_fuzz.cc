// Reads any bytes as the parts of a request's head that the routes read: the target's path and
// query, and the fields for deadlines and traces. The first byte chooses which.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lepton/core/trace_context.h"
#include "lepton/core/utf8.h"
#include "lepton/protocol/admin/slow_page.h"
#include "lepton/protocol/deadline.h"
#include "lepton/protocol/path_pattern.h"
#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

void require(bool condition) {
    if (!condition) std::abort();
}

void check(const Result<Clock::time_point>& deadline, Clock::time_point received) {
    if (!deadline) {
        require(deadline.error().code == ErrorCode::kInvalidArgument);
    } else {
        require(*deadline == kNoDeadline ||
                (*deadline >= received && *deadline - received <= kLongestTimeout));
    }
}

void read_target(std::string path) {
    static constexpr PathPattern kPattern = "/v2/models/{model}[/versions/{version}]/infer";
    auto found = kPattern.match(PathSegments(path));
    if (!found) return;
    require(!found->model.empty());
    if (const Result<> decoded = decode_variables(path, *found); !decoded) {
        return require(!decoded.error().message.empty());
    }
    for (const std::string_view part : {found->model, found->version}) {
        require(part.empty() || (part.data() >= path.data() &&
                                 part.data() + part.size() <= path.data() + path.size()));
    }
}

void read_trace(std::string_view text) {
    auto trace = parse_traceparent(text);
    if (!trace) return;
    require(trace->exists() && trace->parent != 0);
    trace->span = trace->parent;
    char written[kTraceparentSize];
    write_traceparent(*trace, written);
    const auto again = parse_traceparent({written, sizeof written});
    require(again && again->trace_high == trace->trace_high &&
            again->trace_low == trace->trace_low && again->parent == trace->parent);
}

void run(std::uint8_t choice, std::string_view text) {
    const Clock::time_point received = Clock::time_point() + std::chrono::hours(1);
    switch (choice % 6) {
        case 0:
            return read_target(std::string(text));
        case 1:
            if (const auto query = parse_slow_query(text)) {
                require(query->limit <= SlowQuery::kMostLimit);
            }
            return;
        case 2:
            return check(deadline_of_header_ms("x", text, received), received);
        case 3:
            return check(deadline_of_grpc_timeout(text, received), received);
        case 4:
            return read_trace(text);
        default: {
            const std::string repaired = to_utf8(text);
            require(to_utf8(repaired) == repaired);
            return require(in_quotes(text).size() < 1000);
        }
    }
}

}  // namespace
}  // namespace lepton::protocol

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    lepton::protocol::run(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
    return 0;
}
