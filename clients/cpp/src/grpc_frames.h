#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <vector>

namespace lepton::client {

// Frames that wait to be sent: small parts are copied here, tensors stay where the caller has them.
// Keeps its storage. Not thread-safe; its exchange owns it.
class GrpcFrames {
public:
    void append(std::span<const std::byte> bytes);  // Copies.
    void refer(std::span<const std::byte> bytes);   // The caller keeps them until they are sent.

    // Returns what is to be sent, in order. Valid until the next call of any other method.
    [[nodiscard]] std::span<const iovec> unsent();
    void sent(std::size_t bytes);

    // More pieces would not fit in one sendmsg().
    [[nodiscard]] bool full() const { return pieces_.size() >= kMostPieces; }
    // Bytes that are held here, without the caller's.
    [[nodiscard]] std::size_t copied() const { return copied_.size(); }
    // Whether any of the unsent bytes are the caller's.
    [[nodiscard]] bool refers() const { return referred_ > 0; }

private:
    // Well below IOV_MAX, which is 1024: a large tensor is two pieces for every frame.
    static constexpr std::size_t kMostPieces = 512;

    struct Piece {
        const std::byte* data;  // Null: in copied_, from `offset`.
        std::size_t offset;
        std::size_t size;
    };

    std::vector<std::byte> copied_;
    std::vector<Piece> pieces_;
    std::vector<iovec> unsent_;
    std::size_t first_ = 0;     // The first piece that is not sent.
    std::size_t referred_ = 0;  // Unsent pieces that are the caller's.
};

}  // namespace lepton::client
