#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

namespace lepton::protocol {

using google::protobuf::internal::WireFormatLite;

// The tag of a field, as it stands before the field's value.
constexpr std::uint32_t wire_tag(int field, WireFormatLite::WireType type) {
    return static_cast<std::uint32_t>(field) << 3 | static_cast<std::uint32_t>(type);
}
constexpr std::uint32_t varint_tag(int field) {
    return wire_tag(field, WireFormatLite::WIRETYPE_VARINT);
}
constexpr std::uint32_t bytes_tag(int field) {
    return wire_tag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}
constexpr std::uint32_t fixed32_tag(int field) {
    return wire_tag(field, WireFormatLite::WIRETYPE_FIXED32);
}
constexpr std::uint32_t fixed64_tag(int field) {
    return wire_tag(field, WireFormatLite::WIRETYPE_FIXED64);
}

// Reads one protobuf message, field by field, handing out views where the generated classes would
// copy. A read that fails leaves ok() false for good, so that a loop over next() need only ask at
// its end. Precondition: the message is shorter than 2 GiB.
//
//   while (reader.next()) switch (reader.tag()) { case bytes_tag(1): ...; default: reader.skip(); }
//   if (!reader.ok()) ...
class WireReader {
public:
    explicit WireReader(std::span<const std::byte> message)
        : stream_(reinterpret_cast<const std::uint8_t*>(message.data()),
                  static_cast<int>(message.size())),
          size_(static_cast<int>(message.size())) {}

    // Goes to the next field; false at the end of the message and after a failure.
    bool next() {
        if (!ok_ || at_end()) return false;
        const int start = stream_.CurrentPosition();
        tag_ = stream_.ReadTag();
        ok_ = tag_ != 0 && stream_.CurrentPosition() - start <= kLongestVarint32;
        return ok_;
    }
    [[nodiscard]] std::uint32_t tag() const { return tag_; }
    [[nodiscard]] bool ok() const { return ok_; }
    // True when nothing is left; for packed fields, which are read without tags.
    [[nodiscard]] bool at_end() const { return stream_.CurrentPosition() == size_; }

    void skip() { ok_ = ok_ && WireFormatLite::SkipField(&stream_, tag_); }

    std::uint64_t varint() {
        std::uint64_t value = 0;
        ok_ = ok_ && stream_.ReadVarint64(&value);
        return value;
    }
    template <class T>
    T fixed() {
        T value{};
        ok_ = ok_ && stream_.ReadRaw(&value, sizeof value);
        return value;
    }
    std::span<const std::byte> bytes();
    // The same, and valid UTF-8, as proto3 asks of a string.
    std::string_view text();

private:
    // Tags and lengths are 32 bits wide: the generated classes refuse longer forms, and so do we.
    static constexpr int kLongestVarint32 = 5;

    google::protobuf::io::CodedInputStream stream_;
    int size_;
    std::uint32_t tag_ = 0;
    bool ok_ = true;
};

}  // namespace lepton::protocol
