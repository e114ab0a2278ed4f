#include "lepton/net/http2/frame_output.h"

#include <algorithm>

namespace lepton::net {
namespace {

// Frames are gathered up to this before they are written in the middle of a turn.
constexpr std::size_t kBurstBytes = std::size_t{256} << 10;
// From this on copying a body costs more than a system call of its own.
constexpr std::size_t kUncopiedBytes = std::size_t{32} << 10;
constexpr std::size_t kKeptBytes = std::size_t{16} << 10;
// What may wait in the connection for a kernel that takes no more. Bodies wait better where they
// are.
constexpr std::size_t kWriteAhead = std::size_t{1} << 20;

}  // namespace

void FrameOutput::append(std::span<const std::byte> frame) {
    gathered_.append(frame);
    if (gathered_.size() >= kBurstBytes) flush();
}

void FrameOutput::append(std::span<const std::byte> frame_head,
                         OutboundBody& body,
                         std::size_t count) {
    gathered_.append(frame_head);
    const OutboundBody::Pieces pieces = body.take(count);
    gathered_.append(pieces.first);
    if (pieces.second.size() >= kUncopiedBytes) {
        write(pieces.second);
    } else {
        append(pieces.second);
    }
}

void FrameOutput::flush() {
    if (!gathered_.empty()) write({});
}

void FrameOutput::write(std::span<const std::byte> body) {
    wire_.write(gathered_.bytes(), body);
    gathered_.clear();
    if (gathered_.capacity() > kKeptBytes) gathered_ = wire_.pool().take(0);
    paused_ = wire_.unsent_bytes() > std::min(kWriteAhead, wire_.limits().max_unsent_bytes);
}

}  // namespace lepton::net
