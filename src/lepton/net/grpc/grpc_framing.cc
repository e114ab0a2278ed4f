#include "lepton/net/grpc/grpc_framing.h"

#include <algorithm>
#include <cstring>

namespace lepton::net {

GrpcPrefix grpc_prefix(std::size_t message_bytes, bool compressed) {
    const auto byte = [message_bytes](int shift) {
        return static_cast<std::byte>((message_bytes >> shift) & 0xff);
    };
    return {static_cast<std::byte>(compressed), byte(24), byte(16), byte(8), byte(0)};
}

std::size_t GrpcReader::read_prefix(std::span<const std::byte> data) {
    const std::size_t count = std::min(data.size(), kGrpcPrefixBytes - prefix_read_);
    std::copy_n(data.begin(), count, prefix_.begin() + static_cast<std::ptrdiff_t>(prefix_read_));
    prefix_read_ += count;
    return count;
}

std::size_t GrpcReader::read_body(std::span<const std::byte> data, memory::Buffer& to) {
    const std::size_t count = std::min(data.size(), length() - body_read_);
    to.append(data.first(count));
    body_read_ += count;
    return count;
}

std::size_t GrpcReader::length() const {
    std::size_t length = 0;
    for (std::size_t i = 1; i < kGrpcPrefixBytes; ++i) {
        length = (length << 8) | std::to_integer<std::size_t>(prefix_[i]);
    }
    return length;
}

}  // namespace lepton::net
