#pragma once

#include <algorithm>
#include <cstddef>

#include "lepton/memory/buffer.h"

namespace lepton::net {

// Makes room for `count` more bytes of `promised` in all. A client's promise is believed up to
// 1 MiB, and then as far as four times what has come, so that a head alone holds little memory and
// a long body is copied little. Where even that would not do, the buffer grows as it likes. Throws
// std::bad_alloc.
inline void reserve_promised(memory::Buffer& buffer, std::size_t count, std::size_t promised) {
    constexpr std::size_t kBelieved = std::size_t{1} << 20;
    const std::size_t needed = buffer.size() + count;
    if (!buffer.empty() && needed <= buffer.capacity()) return;
    const std::size_t believed = std::min(promised, std::max(kBelieved, 4 * buffer.size()));
    if (believed >= needed) buffer.reserve(believed);
}

}  // namespace lepton::net
