#include "lepton/protocol/json/json_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

// Rounding the capacity up keeps texts that grow a little from allocating each time.
constexpr std::size_t kSmallestCapacity = 4096;
constexpr std::size_t kKeptCapacity = std::size_t{1} << 20;
constexpr std::size_t kLongestExcerpt = 40;

// Length of a string's content up to its closing quote, and whether it holds escapes. simdjson's
// first stage has seen to it that there is a closing quote.
struct RawExtent {
    std::size_t size = 0;
    bool escaped = false;
};

// The high bit of each byte that equals `byte`, right up to the first that does.
std::uint64_t equal_bytes(std::uint64_t word, char byte) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    const std::uint64_t zero_where_equal = word ^ (kOnes * static_cast<unsigned char>(byte));
    return (zero_where_equal - kOnes) & ~zero_where_equal & (kOnes << 7);
}

// Eight bytes at a time: the buffer's padding lets the last word reach past the text.
RawExtent extent_of(const char* content) {
    static_assert(std::endian::native == std::endian::little);
    RawExtent extent;
    while (true) {
        std::uint64_t word = 0;
        std::memcpy(&word, content + extent.size, sizeof word);
        const std::uint64_t stops = equal_bytes(word, '"') | equal_bytes(word, '\\');
        if (stops == 0) {
            extent.size += sizeof word;
            continue;
        }
        extent.size += static_cast<std::size_t>(std::countr_zero(stops)) / 8;
        if (content[extent.size] == '"') return extent;
        extent.escaped = true;
        extent.size += 2;
    }
}

}  // namespace

Result<> JsonReader::open(std::span<std::byte> text) {
    text_ = text;
    behind_ = std::exchange(text.data()[text.size()], std::byte{0});
    if (parser_.capacity() < text.size()) {
        const std::size_t capacity = std::bit_ceil(std::max(text.size(), kSmallestCapacity));
        if (const auto error = parser_.allocate(capacity)) {
            return fail(ErrorCode::kInvalidArgument,
                        concat({"the JSON text is too large: ", simdjson::error_message(error)}));
        }
    }
    const auto error = parser_
                           .iterate(reinterpret_cast<const char*>(text.data()),
                                    text.size(),
                                    text.size() + simdjson::SIMDJSON_PADDING)
                           .get(document_);
    if (!error) return {};
    return fail(ErrorCode::kInvalidArgument,
                concat({"malformed JSON: ", simdjson::error_message(error)}));
}

void JsonReader::close() {
    text_.data()[text_.size()] = behind_;
    if (parser_.capacity() <= kKeptCapacity) return;
    document_ = json::document();
    parser_ = json::parser();
    std::vector<std::uint8_t>().swap(unescaped_);
}

Result<json::object> JsonReader::root() {
    json::object object;
    if (const auto error = document_.get_object().get(object)) {
        if (error == simdjson::INCORRECT_TYPE) {
            return fail(ErrorCode::kInvalidArgument, "the JSON text must be an object");
        }
        return tl::unexpected(malformed(error));
    }
    return object;
}

Result<std::string_view> JsonReader::as_text(json::value value, std::string_view what) {
    std::string_view found;
    const auto error = text(value).get(found);
    if (!error) return found;
    return tl::unexpected(mismatch(error, value, what, "a string"));
}

Result<json::array> JsonReader::as_array(json::value value, std::string_view what) {
    json::array array;
    const auto error = value.get_array().get(array);
    if (!error) return array;
    return tl::unexpected(mismatch(error, value, what, "an array"));
}

Result<json::object> JsonReader::as_object(json::value value, std::string_view what) {
    json::object object;
    const auto error = value.get_object().get(object);
    if (!error) return object;
    return tl::unexpected(mismatch(error, value, what, "an object"));
}

Error JsonReader::mismatch(simdjson::error_code error,
                           json::value& value,
                           std::string_view what,
                           std::string_view expected) {
    if (error != simdjson::INCORRECT_TYPE) return malformed(error);
    return {ErrorCode::kInvalidArgument,
            concat({what, " is ", excerpt(value), "; it must be ", expected})};
}

simdjson::simdjson_result<std::string_view> JsonReader::text(json::value& value) {
    json::raw_json_string raw;
    if (const auto error = value.get_raw_json_string().get(raw)) return error;
    return text_of(raw);
}

simdjson::simdjson_result<std::string_view> JsonReader::text_of(json::raw_json_string raw) {
    const char* content = raw.raw();
    const RawExtent extent = extent_of(content);
    if (!extent.escaped) return std::string_view(content, extent.size);
    unescaped_.resize(extent.size + simdjson::SIMDJSON_PADDING);
    std::string_view plain;
    const auto error = unescape(raw, reinterpret_cast<std::byte*>(unescaped_.data())).get(plain);
    if (error) return error;
    std::memcpy(text_.data() + (content - reinterpret_cast<const char*>(text_.data())),
                plain.data(),
                plain.size());
    return std::string_view(content, plain.size());
}

simdjson::simdjson_result<std::string_view> JsonReader::unescape(json::raw_json_string raw,
                                                                 std::byte* out) const {
    auto* end = reinterpret_cast<std::uint8_t*>(out);
    return parser_.unescape(raw, end);
}

Error JsonReader::malformed(simdjson::error_code error) {
    std::string message = "malformed JSON";
    const char* location = nullptr;
    if (!document_.current_location().get(location)) {
        const auto offset = reinterpret_cast<const std::byte*>(location) - text_.data();
        message += " near byte " + std::to_string(offset);
    }
    return {ErrorCode::kInvalidArgument, message + ": " + simdjson::error_message(error)};
}

std::string excerpt(json::value& value) {
    std::string_view token = value.raw_json_token();
    token = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
    return to_utf8(token.substr(0, kLongestExcerpt));
}

}  // namespace lepton::protocol
