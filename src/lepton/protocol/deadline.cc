#include "lepton/protocol/deadline.h"

#include <cstdint>
#include <optional>

#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

constexpr std::size_t kMaxGrpcDigits = 8;

std::optional<std::chrono::nanoseconds> grpc_unit(char unit) {
    switch (unit) {
        case 'H':
            return std::chrono::hours(1);
        case 'M':
            return std::chrono::minutes(1);
        case 'S':
            return std::chrono::seconds(1);
        case 'm':
            return std::chrono::milliseconds(1);
        case 'u':
            return std::chrono::microseconds(1);
        case 'n':
            return std::chrono::nanoseconds(1);
        default:
            return std::nullopt;
    }
}

}  // namespace

Result<Clock::time_point> deadline_of_header_ms(std::string_view field,
                                                std::string_view value,
                                                Clock::time_point received) {
    constexpr std::uint64_t kBound = std::chrono::milliseconds(kLongestTimeout).count();
    const auto milliseconds = parse_integer<std::uint64_t>(value);
    if (!milliseconds || *milliseconds == 0 || *milliseconds > kBound) {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"header ",
                            field,
                            " is ",
                            in_quotes(value),
                            "; it must be whole milliseconds from 1 to ",
                            std::to_string(kBound)}));
    }
    return received + std::chrono::milliseconds(*milliseconds);
}

Result<Clock::time_point> deadline_of_grpc_timeout(std::string_view value,
                                                   Clock::time_point received) {
    const std::string_view digits = value.substr(0, value.empty() ? 0 : value.size() - 1);
    const auto unit = value.empty() ? std::nullopt : grpc_unit(value.back());
    const auto amount = parse_integer<std::uint32_t>(digits);
    if (!unit || !amount || digits.size() > kMaxGrpcDigits) {
        return fail(ErrorCode::kInvalidArgument,
                    concat({"header grpc-timeout is ",
                            in_quotes(value),
                            "; it must be 1 to 8 digits and one of H M S m u n"}));
    }
    if (*amount > kLongestTimeout / *unit) return kNoDeadline;
    return received + *amount * *unit;
}

}  // namespace lepton::protocol
