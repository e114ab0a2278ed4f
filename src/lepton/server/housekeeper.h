#pragma once

#include <thread>

#include "lepton/memory/buffer_pool.h"

namespace lepton::server {

// Has memory that a peak needed given back to the system some seconds after it. On a thread of its
// own, because the allocator's part of it takes milliseconds. `pool` must outlive it.
class Housekeeper {
public:
    explicit Housekeeper(memory::BufferPool& pool);

private:
    std::jthread thread_;
};

}  // namespace lepton::server
