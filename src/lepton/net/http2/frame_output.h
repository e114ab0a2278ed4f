#pragma once

#include <cstddef>
#include <span>

#include "lepton/net/outbound_body.h"
#include "lepton/net/wire_protocol.h"

namespace lepton::net {

// Gathers the frames of a turn and writes them at once; large bodies go to the kernel from where
// they lie. Confined to its loop.
class FrameOutput {
public:
    explicit FrameOutput(Wire& wire) : wire_(wire), gathered_(wire.pool().take(0)) {}

    void append(std::span<const std::byte> frame);
    // A DATA frame, whose payload are the next `count` bytes of `body`.
    void append(std::span<const std::byte> frame_head, OutboundBody& body, std::size_t count);
    void flush();

    // The kernel takes no more: nothing should be appended until the wire is writable.
    [[nodiscard]] bool paused() const { return paused_; }
    void resume() { paused_ = false; }

private:
    void write(std::span<const std::byte> body);

    Wire& wire_;
    memory::Buffer gathered_;
    bool paused_ = false;
};

}  // namespace lepton::net
