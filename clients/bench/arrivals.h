#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::bench {

enum class Pattern : std::uint8_t {
    kPoisson,
    kUniform,  // One every 1 / rate.
    kBursty,   // Poisson, with a rate that switches between 0.25 and 1.75 times the mean.
    kReplay,   // The times of a trace.
};
[[nodiscard]] std::string_view to_string(Pattern pattern);
[[nodiscard]] std::optional<Pattern> parse_pattern(std::string_view name);

// One request of a recorded trace. Times count from its beginning.
struct TraceEntry {
    std::chrono::nanoseconds at{};
    std::string load_class;  // Empty: drawn by the shares.
};

// Reads lines of "SECONDS" or "SECONDS,CLASS", ascending; empty lines and "#" comments are skipped.
// Errors: kInvalidArgument, with file, line and what is wrong with it.
[[nodiscard]] Result<std::vector<TraceEntry>> read_trace(const std::string& path);

// Computes when requests are due, one after the other, from a seed: the same seed gives the same
// times, and at another rate the same times stretched.
class Arrivals {
public:
    struct Options {
        Pattern pattern = Pattern::kPoisson;
        double rate = 0;  // Per second; 0 for a replay: the trace's rate.
        std::uint64_t seed = 1;
        // Mean length of a burst, and of a lull; both are drawn exponentially.
        std::chrono::nanoseconds burst_lasts = std::chrono::milliseconds(500);
        std::vector<TraceEntry> trace;  // Used by kReplay.
    };
    explicit Arrivals(Options options);

    struct Arrival {
        std::chrono::nanoseconds at;
        const std::string* load_class;  // Null: drawn by the shares.
    };
    // Returns nothing at the end of a trace; the other patterns have no end.
    [[nodiscard]] std::optional<Arrival> next();

private:
    [[nodiscard]] double next_bursty();
    [[nodiscard]] std::optional<Arrival> next_replayed();

    Options options_;
    std::mt19937_64 random_;
    std::exponential_distribution<double> exponential_;  // With a rate of 1.
    double now_ = 0;                                     // Seconds.
    double changes_ = 0;
    bool burst_ = false;
    std::size_t replayed_ = 0;
    double stretch_ = 1;
};

}  // namespace lepton::bench
