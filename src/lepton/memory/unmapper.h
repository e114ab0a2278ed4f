#pragma once

#include <condition_variable>
#include <cstddef>
#include <thread>

#include "lepton/core/sync.h"

namespace lepton::memory {

// Gives large mappings back to the system on a thread of its own. The kernel takes about a
// millisecond for 16 MiB, page by page, and whoever frees many of them at once has others to serve.
// Thread-safe.
class Unmapper {
public:
    // From this on it is worth the wake-up of another thread.
    static constexpr std::size_t kWorthIt = std::size_t{4} << 20;

    // More than this does not wait: whoever frees it unmaps it.
    static constexpr std::size_t kMostWaiting = std::size_t{128} << 20;

    Unmapper() = default;
    ~Unmapper();  // Unmaps what waits.
    Unmapper(const Unmapper&) = delete;
    Unmapper& operator=(const Unmapper&) = delete;

    // Takes a whole mapping, of at least kWorthIt.
    void add(std::byte* data, std::size_t bytes) noexcept;

private:
    // Lies at the beginning of the mapping itself, which nobody uses any more.
    struct Waiting {
        Waiting* next;
        std::size_t bytes;
    };

    // False: it is for the caller to unmap.
    bool take_over(std::byte* data, std::size_t bytes) noexcept;
    void serve();

    Mutex mutex_;
    std::condition_variable wake_;
    Waiting* first_ LEPTON_GUARDED_BY(mutex_) = nullptr;
    std::size_t waiting_bytes_ LEPTON_GUARDED_BY(mutex_) = 0;
    bool stopped_ LEPTON_GUARDED_BY(mutex_) = false;
    std::thread thread_;  // Started with the first mapping. Guarded by mutex_ until the end.
};

}  // namespace lepton::memory
