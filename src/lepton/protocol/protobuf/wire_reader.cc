#include "lepton/protocol/protobuf/wire_reader.h"

#include <simdjson.h>

namespace lepton::protocol {

std::span<const std::byte> WireReader::bytes() {
    const int start = stream_.CurrentPosition();
    const std::uint64_t length = varint();
    ok_ = ok_ && stream_.CurrentPosition() - start <= kLongestVarint32;
    const void* data = nullptr;
    int available = 0;
    stream_.GetDirectBufferPointerInline(&data, &available);
    ok_ = ok_ && length <= static_cast<std::uint64_t>(available);
    if (!ok_) return {};
    stream_.Skip(static_cast<int>(length));
    return {static_cast<const std::byte*>(data), static_cast<std::size_t>(length)};
}

std::string_view WireReader::text() {
    const std::span<const std::byte> data = bytes();
    const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
    ok_ = ok_ && simdjson::validate_utf8(text.data(), text.size());
    return ok_ ? text : std::string_view();
}

}  // namespace lepton::protocol
