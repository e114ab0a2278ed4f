#include "lepton/protocol/server_timing.h"

#include <charconv>
#include <chrono>

namespace lepton::protocol {

ServerTiming::ServerTiming(const Breakdown& breakdown) {
    add("net", breakdown.net);
    add(", queue", breakdown.queue);
    add(", input", breakdown.input);
    add(", compute", breakdown.compute);
    add(", output", breakdown.output);
}

void ServerTiming::add(std::string_view name, Clock::duration duration) {
    const auto microseconds = std::chrono::round<std::chrono::microseconds>(duration).count();
    size_ += name.copy(text_.data() + size_, text_.size() - size_);
    size_ += std::string_view(";dur=").copy(text_.data() + size_, text_.size() - size_);
    char* const begin = text_.data() + size_;
    char* end = std::to_chars(begin, text_.data() + text_.size(), microseconds / 1000).ptr;
    const auto fraction = microseconds % 1000;
    *end++ = '.';
    *end++ = static_cast<char>('0' + fraction / 100);
    *end++ = static_cast<char>('0' + fraction / 10 % 10);
    *end++ = static_cast<char>('0' + fraction % 10);
    size_ += static_cast<std::size_t>(end - begin);
}

}  // namespace lepton::protocol
