#pragma once

#include <thread>

#include "lepton/memory/buffer_pool.h"

namespace lepton::server {

// Gives memory that a peak needed back to the system some seconds later. It has a thread of its
// own, because the allocator's part takes milliseconds. `pool` must outlive it.
class Housekeeper {
public:
    explicit Housekeeper(memory::BufferPool& pool);

private:
    std::jthread thread_;
};

}  // namespace lepton::server
