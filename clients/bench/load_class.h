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

// Requests of a kind: how many of all they are, and what they ask of the server.
struct LoadClass {
    std::string name;
    double share = 1;                      // Of all requests, relative to the other classes'.
    std::chrono::nanoseconds deadline{0};  // After the planned send time; 0: none.
    std::uint32_t priority = 0;            // 1 is the highest, 0 the model's default.
};

// "50us", "2ms", "1.5s".
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_time(std::string_view text);

// From "name=fast,share=0.3,deadline=6ms,priority=1"; all but the name may be left out.
// Errors: kInvalidArgument, naming the field, its value and what it may be.
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
