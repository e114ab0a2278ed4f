#include "lepton/server/housekeeper.h"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <stop_token>

namespace lepton::server {
namespace {

constexpr auto kEvery = std::chrono::seconds(2);
// Free memory that the allocator kept; less than this is not worth a search through its heaps.
constexpr std::size_t kWorthTrimming = std::size_t{8} << 20;

void keep_house(const std::stop_token& stopped, memory::BufferPool& pool) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any wake;
    std::size_t trimmed = 0;  // The part of the free memory that was already given back.
    while (true) {
        wake.wait_for(lock, stopped, kEvery, [] { return false; });
        if (stopped.stop_requested()) return;
        pool.trim();
        const std::size_t free = ::mallinfo2().fordblks;
        trimmed = std::min(trimmed, free);
        if (free - trimmed < kWorthTrimming) continue;
        ::malloc_trim(0);
        trimmed = ::mallinfo2().fordblks;
    }
}

}  // namespace

Housekeeper::Housekeeper(memory::BufferPool& pool)
    : thread_([&pool](const std::stop_token& stopped) { keep_house(stopped, pool); }) {}

}  // namespace lepton::server
