#include "grpc_protobuf.h"

#include <bit>
#include <cstring>

namespace lepton::client {

void ProtobufReader::fail() {
    ok_ = false;
    rest_ = {};
}

std::span<const std::byte> ProtobufReader::take(std::uint64_t count) {
    if (count > rest_.size()) {
        fail();
        return {};
    }
    const std::span<const std::byte> taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
}

bool ProtobufReader::next() {
    if (rest_.empty()) return false;
    const std::uint64_t tag = varint();
    // A field's number is at least 1 and its tag 32 bits wide.
    if (tag >> 3 == 0 || tag > UINT32_MAX) fail();
    tag_ = static_cast<std::uint32_t>(tag);
    return ok_;
}

std::uint64_t ProtobufReader::varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
        const auto byte = std::to_integer<std::uint64_t>(rest_.front());
        rest_ = rest_.subspan(1);
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
    fail();
    return 0;
}

std::uint64_t ProtobufReader::fixed64() {
    std::uint64_t value = 0;
    const std::span<const std::byte> bytes = take(sizeof value);
    if (ok_) std::memcpy(&value, bytes.data(), sizeof value);  // Little-endian, as this machine.
    return value;
}

std::span<const std::byte> ProtobufReader::bytes() { return take(varint()); }

std::string_view ProtobufReader::text() {
    const std::span<const std::byte> content = bytes();
    return {reinterpret_cast<const char*>(content.data()), content.size()};
}

void ProtobufReader::skip() {
    switch (static_cast<WireType>(tag_ & 7)) {
        case WireType::kVarint:
            varint();
            return;
        case WireType::kFixed64:
            take(8);
            return;
        case WireType::kBytes:
            bytes();
            return;
        case WireType::kFixed32:
            take(4);
            return;
    }
    fail();  // Groups (3 and 4) are not part of proto3; 6 and 7 do not exist.
}

std::size_t varint_size(std::uint64_t value) {
    return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

std::size_t bytes_field_size(std::size_t content) { return 1 + varint_size(content) + content; }

void append_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
    out.push_back(static_cast<char>(value));
}

void append_bytes_head(std::string& out, std::uint32_t field, std::size_t content) {
    append_varint(out, bytes_tag(field));
    append_varint(out, content);
}

void append_text(std::string& out, std::uint32_t field, std::string_view text) {
    append_bytes_head(out, field, text.size());
    out += text;
}

}  // namespace lepton::client
