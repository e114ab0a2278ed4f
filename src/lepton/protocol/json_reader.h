#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "lepton/core/result.h"

namespace lepton::protocol {

namespace json = simdjson::ondemand;

// Reads one JSON text at a time, keeping its memory for the next. The text lies in a
// memory::Buffer, whose padding simdjson reads into. Strings are handed out as views of the text
// itself: one that holds escapes is rewritten in its place, which the unescaped form always fits.
//
// On demand means that the values that nobody asks for are skipped, not checked.
// Not thread-safe; one per thread.
class JsonReader {
public:
    // The text must outlive every view and is changed by text(). Errors: kInvalidArgument.
    Result<> open(std::span<std::byte> text);

    // The whole text as an object. Errors: kInvalidArgument.
    Result<json::object> root();

    // Whether anything but white space follows the root object, once that was read.
    [[nodiscard]] bool at_end() {
        return document_.current_location().error() == simdjson::OUT_OF_BOUNDS;
    }

    // A member's key; valid as long as the text, where it begins at field.key().raw(). Once only.
    [[nodiscard]] simdjson::simdjson_result<std::string_view> key(json::field& field);

    // A string value; valid as long as the text. Once only. INCORRECT_TYPE for other values.
    [[nodiscard]] simdjson::simdjson_result<std::string_view> text(json::value& value);

    // Writes a string's bytes to `out`, which has room for raw_size(value) + simdjson's padding.
    [[nodiscard]] simdjson::simdjson_result<std::string_view> unescape(json::raw_json_string raw,
                                                                       std::byte* out) const;

    // What to say about a text that simdjson cannot go on with.
    [[nodiscard]] Error malformed(simdjson::error_code error);

    // Gives the memory back when a large text has been read: simdjson holds several times its size.
    void shrink();

private:
    simdjson::simdjson_result<std::string_view> text_of(json::raw_json_string raw);

    json::parser parser_;
    json::document document_;
    std::span<std::byte> text_;
    std::vector<std::uint8_t> unescaped_;
};

// The value as it is written, without what follows it, cut to a length that suits a message.
[[nodiscard]] std::string_view excerpt(json::value& value);

}  // namespace lepton::protocol
