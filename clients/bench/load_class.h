#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "lepton/core/result.h"

namespace lepton::bench {

// A class of requests: its share of all requests, and what they ask of the server.
struct LoadClass {
    std::string name;
    double share = 1;                      // Relative to the other classes' shares.
    std::chrono::nanoseconds deadline{0};  // Counted from the planned send time; 0: none.
    std::uint32_t priority = 0;            // 1 is the highest, 0 the model's default.
};

// Accepts "50us", "2ms", "1.5s".
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_time(std::string_view text);

// Parses "name=fast,share=0.3,deadline=6ms,priority=1"; all but the name may be left out. Errors:
// kInvalidArgument, with the field, its value and what it may be.
[[nodiscard]] Result<LoadClass> parse_load_class(std::string_view text);

// Draws classes by their shares: the same seed gives the same sequence.
class ClassDraw {
public:
    ClassDraw(const std::vector<LoadClass>& classes, std::uint64_t seed);
    [[nodiscard]] std::size_t next() { return draw_(random_); }

private:
    std::mt19937_64 random_;
    std::discrete_distribution<std::size_t> draw_;
};

}  // namespace lepton::bench
