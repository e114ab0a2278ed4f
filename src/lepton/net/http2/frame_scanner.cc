#include "lepton/net/http2/frame_scanner.h"

#include <algorithm>

namespace lepton::net {

FrameScanner::Piece FrameScanner::next(std::span<const std::byte> bytes) {
    Piece piece{};
    if (left_ == 0) {
        piece.bytes = std::min(kHeadBytes - head_bytes_, bytes.size());
        std::copy_n(
            bytes.begin(), piece.bytes, head_.begin() + static_cast<std::ptrdiff_t>(head_bytes_));
        head_bytes_ += piece.bytes;
        if (head_bytes_ < kHeadBytes) return piece;
        head_bytes_ = 0;
        const auto number = [this](std::size_t from, std::size_t to) {
            std::uint32_t value = 0;
            for (std::size_t i = from; i < to; ++i) {
                value = (value << 8) | std::to_integer<std::uint32_t>(head_[i]);
            }
            return value;
        };
        left_ = number(0, 3);
        piece.begun = {std::to_integer<std::uint8_t>(head_[3]),
                       static_cast<std::int32_t>(number(5, 9) & 0x7fffffffu),
                       left_};
    }
    const std::size_t rest = std::min(left_, bytes.size() - piece.bytes);
    left_ -= rest;
    piece.bytes += rest;
    return piece;
}

}  // namespace lepton::net
