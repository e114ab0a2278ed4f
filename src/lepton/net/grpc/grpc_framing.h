#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lepton/memory/buffer.h"

namespace lepton::net {

// Before each message of a gRPC call: one byte of flag, four of length, big-endian.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
inline constexpr std::size_t kGrpcPrefixBytes = 5;
using GrpcPrefix = std::array<std::byte, kGrpcPrefixBytes>;

[[nodiscard]] GrpcPrefix grpc_prefix(std::size_t message_bytes, bool compressed);

// Cuts the bytes of one side of a gRPC call into messages, in two steps, so that the caller may
// look at the length before it provides the room. Not thread-safe; the owner serialises.
class GrpcReader {
public:
    // Take what they need from the start of `data`, and return how many bytes that was.
    std::size_t read_prefix(std::span<const std::byte> data);
    std::size_t read_body(std::span<const std::byte> data, memory::Buffer& to);
    // Forgets the message, to begin the next one.
    void next() { prefix_read_ = body_read_ = 0; }

    [[nodiscard]] bool has_prefix() const { return prefix_read_ == kGrpcPrefixBytes; }
    [[nodiscard]] bool has_message() const { return has_prefix() && body_read_ == length(); }
    [[nodiscard]] bool between_messages() const { return prefix_read_ == 0; }

    // Precondition: has_prefix().
    [[nodiscard]] std::size_t length() const;
    [[nodiscard]] std::size_t missing() const { return length() - body_read_; }
    [[nodiscard]] unsigned flag() const { return std::to_integer<unsigned>(prefix_[0]); }

private:
    GrpcPrefix prefix_{};
    std::size_t prefix_read_ = 0;
    std::size_t body_read_ = 0;
};

}  // namespace lepton::net
