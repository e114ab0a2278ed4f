#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace lepton::net {

// Finds where the frames of a client begin, so that each can be judged by what came before it.
// Confined to its loop.
class FrameScanner {
public:
    struct FrameHead {
        std::uint8_t type;
        std::int32_t stream_id;
        std::size_t bytes;  // The length of its payload.
    };
    struct Piece {
        std::size_t bytes;               // The part of one frame, or of the preface.
        std::optional<FrameHead> begun;  // Set when the frame's head ends in this piece.
    };

    // Looks at the first piece of `bytes`, which are not empty and follow those of the calls
    // before.
    Piece next(std::span<const std::byte> bytes);

private:
    static constexpr std::size_t kPrefaceBytes = 24;  // RFC 9113 section 3.4.
    static constexpr std::size_t kHeadBytes = 9;      // Section 4.1.

    std::array<std::byte, kHeadBytes> head_{};
    std::size_t head_bytes_ = 0;  // Seen of the next frame's head.
    std::size_t left_ =
        kPrefaceBytes;  // What is to come of the preface, or of the frame's payload.
};

}  // namespace lepton::net
