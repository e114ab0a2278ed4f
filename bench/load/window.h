#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "allocation_counter.h"
#include "closed_loop.h"

namespace lepton::bench {

// Decides which answers count, and reads the clocks at both ends of that time. Not thread-safe; the
// owner serializes.
class Window {
public:
    using Clock = std::chrono::steady_clock;

    explicit Window(const LoadOptions& options);

    // Records one answer, asked at `asked` and heard at `heard`. Returns false for the last one.
    bool on_answer(Clock::time_point asked, Clock::time_point heard, bool refused);
    void on_sent(std::size_t bytes) { sent_ += bytes; }
    void on_received(std::size_t bytes) { received_ += bytes; }

    [[nodiscard]] LoadFigures take() { return std::move(figures_); }

private:
    // The growing counters at one moment.
    struct Reading {
        Clock::time_point at;
        std::chrono::nanoseconds client_cpu{};
        std::chrono::nanoseconds server_cpu{};
        std::uint64_t allocations = 0;
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
    };

    [[nodiscard]] Reading read(Clock::time_point now) const;
    void close(Clock::time_point now);

    const LoadOptions& options_;
    Clock::time_point warm_at_;
    Reading start_;
    bool open_ = false;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
    LoadFigures figures_;
    const AllocationCounter allocations_;
};

}  // namespace lepton::bench
