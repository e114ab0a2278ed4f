#include "lepton/core/trace_context.h"

#include <algorithm>

namespace lepton {
namespace {

// 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kSpanAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kDigits = 16;  // Hexadecimal digits of 64 bits.
constexpr std::uint64_t kSampledFlag = 1;
constexpr std::uint64_t kForbiddenVersion = 0xff;

// std::from_chars would take capital letters, which the recommendation forbids.
std::optional<std::uint64_t> parse_hex(std::string_view digits) {
    std::uint64_t value = 0;
    for (const char c : digits) {
        const bool letter = c >= 'a' && c <= 'f';
        if (!letter && (c < '0' || c > '9')) return std::nullopt;
        value = value << 4 | static_cast<std::uint64_t>(letter ? c - 'a' + 10 : c - '0');
    }
    return value;
}

void write_hex(std::uint64_t value, char* out, std::size_t digits) {
    for (std::size_t i = digits; i-- > 0; value >>= 4) out[i] = "0123456789abcdef"[value & 15];
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view field) {
    if (field.size() < kTraceparentSize) return std::nullopt;
    const bool dashed =
        field[kTraceAt - 1] == '-' && field[kSpanAt - 1] == '-' && field[kFlagsAt - 1] == '-';
    const auto version = parse_hex(field.substr(0, 2));
    const auto high = parse_hex(field.substr(kTraceAt, kDigits));
    const auto low = parse_hex(field.substr(kTraceAt + kDigits, kDigits));
    const auto parent = parse_hex(field.substr(kSpanAt, kDigits));
    const auto flags = parse_hex(field.substr(kFlagsAt, 2));
    if (!dashed || !version || !high || !low || !parent || !flags) return std::nullopt;
    if (*version == kForbiddenVersion || (*high | *low) == 0 || *parent == 0) return std::nullopt;
    // A later version may say more, behind a further dash.
    if (field.size() > kTraceparentSize && (*version == 0 || field[kTraceparentSize] != '-')) {
        return std::nullopt;
    }
    TraceContext trace;
    trace.trace_high = *high;
    trace.trace_low = *low;
    trace.parent = *parent;
    trace.parent_sampled = (*flags & kSampledFlag) != 0;
    return trace;
}

void write_trace_id(const TraceContext& trace, char* out) {
    write_hex(trace.trace_high, out, kDigits);
    write_hex(trace.trace_low, out + kDigits, kDigits);
}

void write_traceparent(const TraceContext& trace, char* out) {
    std::fill_n(out, kTraceparentSize, '-');
    write_hex(0, out, 2);
    write_trace_id(trace, out + kTraceAt);
    write_hex(trace.span, out + kSpanAt, kDigits);
    write_hex(trace.sampled ? kSampledFlag : 0, out + kFlagsAt, 2);
}

}  // namespace lepton
