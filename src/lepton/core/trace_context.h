#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lepton {

// Which trace a request belongs to (https://www.w3.org/TR/trace-context/). Identifiers are numbers
// as their hexadecimal digits read; zero is none.
struct TraceContext {
    std::uint64_t trace_high = 0;
    std::uint64_t trace_low = 0;
    std::uint64_t parent = 0;     // The span of the sender, where it sent one.
    std::uint64_t span = 0;       // The span that stands for the request here.
    bool parent_sampled = false;  // The sender says that it may have recorded its span.
    bool sampled = false;         // Ours is recorded.
    std::string_view state;       // The sender's tracestate, in the message's memory.

    [[nodiscard]] bool exists() const { return (trace_high | trace_low) != 0; }
};

// Takes a traceparent field. Empty for what the recommendation calls invalid, which is then as if
// it had not been sent; of later versions what this one knows is read.
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view field);

inline constexpr std::size_t kTraceparentSize = 55;
inline constexpr std::size_t kTraceIdSize = 32;

// Writes that many characters: our span as the parent of what follows, and the trace's identifier.
void write_traceparent(const TraceContext& trace, char* out);
void write_trace_id(const TraceContext& trace, char* out);

}  // namespace lepton
