#pragma once

#include <chrono>
#include <thread>

namespace lepton::testing {

// Returns whether `met()` becomes true by what other threads or processes do. Looks again and
// again, so that whatever it looks at needs no way to tell; the bound is met by failures only.
template <class Condition>
[[nodiscard]] bool eventually(Condition met) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!met()) {
        if (std::chrono::steady_clock::now() >= give_up) return false;
        std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    return true;
}

}  // namespace lepton::testing
