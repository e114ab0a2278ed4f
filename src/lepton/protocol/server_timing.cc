#include "lepton/protocol/server_timing.h"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>

namespace lepton::protocol {

template <std::size_t kSize>
void ServerTiming::add(const char (&label)[kSize], Clock::duration duration) {
    const std::int64_t microseconds =
        (std::chrono::nanoseconds(duration).count() + 500) / 1000;  // A breakdown is not negative.
    std::memcpy(text_.data() + size_, label, kSize - 1);
    size_ += kSize - 1;
    char* const begin = text_.data() + size_;
    char* end = std::to_chars(begin, text_.data() + text_.size(), microseconds / 1000).ptr;
    const auto fraction = static_cast<int>(microseconds % 1000);
    *end++ = '.';
    *end++ = static_cast<char>('0' + fraction / 100);
    *end++ = static_cast<char>('0' + fraction / 10 % 10);
    *end++ = static_cast<char>('0' + fraction % 10);
    size_ += static_cast<std::size_t>(end - begin);
}

ServerTiming::ServerTiming(const Breakdown& breakdown) {
    add("net;dur=", breakdown.net);
    add(", queue;dur=", breakdown.queue);
    add(", input;dur=", breakdown.input);
    add(", compute;dur=", breakdown.compute);
    add(", output;dur=", breakdown.output);
}

}  // namespace lepton::protocol
