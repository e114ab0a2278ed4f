#pragma once

#include <cstddef>
#include <span>

#include "lepton/memory/buffer_pool.h"
#include "lepton/net/grpc/grpc_framing.h"

namespace lepton::net {

// What a stream still has to send, handed out in the pieces that flow control allows.
//
//     | prefix_ | current_ |   then   | backlog_: further messages, prefixes included |
//
// The first body is taken over without a copy; only what a handler sends before the client has read
// it is copied behind it. Not thread-safe; the owner serialises.
class OutboundBody {
public:
    struct Pieces {
        std::span<const std::byte> first;  // At most a prefix.
        std::span<const std::byte> second;
    };

    explicit OutboundBody(memory::BufferPool& pool) : pool_(pool), current_(pool.take(0)) {}

    // Takes the bytes of `body`, and leaves it empty.
    void push(memory::Buffer& body) { push_framed({}, body); }
    void push(const GrpcPrefix& prefix, memory::Buffer& body) { push_framed(prefix, body); }
    // Nothing will be pushed any more.
    void end() { ended_ = true; }
    // Empties it for the next stream; buffers above `keep_bytes` go back to their pool.
    void reset(std::size_t keep_bytes);

    // How many bytes the next take() may ask for at most.
    [[nodiscard]] std::size_t available();
    // The next `count` bytes; valid until the next push(), available() or reset().
    Pieces take(std::size_t count);

    [[nodiscard]] bool ended() const { return ended_; }
    // Whether taking `count` bytes would take the last one.
    [[nodiscard]] bool ends_with(std::size_t count);
    [[nodiscard]] std::size_t backlog_bytes() const { return backlog_.size(); }
    [[nodiscard]] std::size_t untaken_bytes() const { return size() - taken_ + backlog_.size(); }
    [[nodiscard]] std::size_t held_bytes() const { return current_.size() + backlog_.size(); }

private:
    void push_framed(std::span<const std::byte> prefix, memory::Buffer& body);
    [[nodiscard]] std::size_t size() const { return prefix_bytes_ + current_.size(); }

    memory::BufferPool& pool_;
    GrpcPrefix prefix_{};
    std::size_t prefix_bytes_ = 0;
    memory::Buffer current_;
    std::size_t taken_ = 0;  // How much of prefix_ and current_ together was taken.
    memory::Buffer backlog_;
    bool ended_ = false;
};

}  // namespace lepton::net
