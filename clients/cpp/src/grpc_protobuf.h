#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lepton::client {

// The few pieces of protobuf's wire format that KServe v2 needs, so that tensors are sent and read
// where they lie: https://protobuf.dev/programming-guides/encoding/

enum class WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// The tag of a field, which precedes its value.
constexpr std::uint32_t wire_tag(std::uint32_t field, WireType type) {
    return field << 3 | static_cast<std::uint32_t>(type);
}
constexpr std::uint32_t varint_tag(std::uint32_t field) {
    return wire_tag(field, WireType::kVarint);
}
constexpr std::uint32_t bytes_tag(std::uint32_t field) { return wire_tag(field, WireType::kBytes); }
constexpr std::uint32_t fixed64_tag(std::uint32_t field) {
    return wire_tag(field, WireType::kFixed64);
}

// Reads one message, field by field, handing out views. Never reads beyond it. A read that fails
// leaves ok() false for good, so that a loop over next() need only check it at its end.
//
//   while (reader.next()) switch (reader.tag()) { case bytes_tag(1): ...; default: reader.skip(); }
//   if (!reader.ok()) ...
class ProtobufReader {
public:
    explicit ProtobufReader(std::span<const std::byte> message) : rest_(message) {}

    // Goes to the next field; returns false at the end of the message and after a failure.
    bool next();
    [[nodiscard]] std::uint32_t tag() const { return tag_; }
    [[nodiscard]] bool ok() const { return ok_; }
    // Whether nothing is left; for packed fields, which are read without tags.
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    void skip();
    std::uint64_t varint();
    std::uint64_t fixed64();
    std::span<const std::byte> bytes();
    std::string_view text();

private:
    void fail();
    std::span<const std::byte> take(std::uint64_t count);

    std::span<const std::byte> rest_;
    std::uint32_t tag_ = 0;
    bool ok_ = true;
};

[[nodiscard]] std::size_t varint_size(std::uint64_t value);
// The size of a length-delimited field whose number is below 16, its tag and length included.
[[nodiscard]] std::size_t bytes_field_size(std::size_t content);

void append_varint(std::string& out, std::uint64_t value);
// Appends the tag and the length of a field; `content` bytes follow.
void append_bytes_head(std::string& out, std::uint32_t field, std::size_t content);
void append_text(std::string& out, std::uint32_t field, std::string_view text);

}  // namespace lepton::client
