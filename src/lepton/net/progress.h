#pragma once

#include <cstddef>

#include "lepton/core/clock.h"

namespace lepton::net {

// When a peer last moved a number of bytes that makes a difference, so that a drip of single bytes
// counts as the silence it is. Not thread-safe; the owner serialises.
class Progress {
public:
    void restart(Clock::time_point now) {
        since_ = now;
        bytes_ = 0;
    }
    void on_bytes(std::size_t count, Clock::time_point now, std::size_t enough) {
        bytes_ += count;
        if (bytes_ >= enough) restart(now);
    }
    [[nodiscard]] Clock::time_point since() const { return since_; }

private:
    Clock::time_point since_;
    std::size_t bytes_ = 0;
};

}  // namespace lepton::net
