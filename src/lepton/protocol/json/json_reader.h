#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
    // Between open() and close() the byte behind the text is zero: simdjson takes what stands there
    // for a part of a text that ends too early. The text must outlive every view and is changed.
    // Errors: kInvalidArgument.
    Result<> open(std::span<std::byte> text);
    // Puts that byte back. Gives the memory back after a large text: simdjson holds several times
    // its size. Views of the text stay valid.
    void close();

    // The whole text as an object. Errors: kInvalidArgument.
    Result<json::object> root();

    // Whether anything but white space follows the root object, once that was read.
    [[nodiscard]] bool at_end() {
        return document_.current_location().error() == simdjson::OUT_OF_BOUNDS;
    }

    // Calls visit(key, value) for each member. The key is a view of the text that begins where
    // field.key().raw() does. Once only for each object.
    template <class Visit>
    Result<> for_each_member(json::object object, Visit visit);
    // Calls visit(value) for each element.
    template <class Visit>
    Result<> for_each_element(json::array array, Visit visit);

    // The value as what it must be; `what` names it in the error. A string may be read once only.
    // Errors: kInvalidArgument.
    Result<std::string_view> as_text(json::value value, std::string_view what);
    Result<json::array> as_array(json::value value, std::string_view what);
    Result<json::object> as_object(json::value value, std::string_view what);

    // A string value, or simdjson's INCORRECT_TYPE for other values. Once only.
    [[nodiscard]] simdjson::simdjson_result<std::string_view> text(json::value& value);

    // Writes a string's bytes to `out`, which has room for raw_size(value) + simdjson's padding.
    [[nodiscard]] simdjson::simdjson_result<std::string_view> unescape(json::raw_json_string raw,
                                                                       std::byte* out) const;

    // What to say about a text that simdjson cannot go on with.
    [[nodiscard]] Error malformed(simdjson::error_code error);

private:
    simdjson::simdjson_result<std::string_view> text_of(json::raw_json_string raw);
    Error mismatch(simdjson::error_code error,
                   json::value& value,
                   std::string_view what,
                   std::string_view expected);

    json::parser parser_;
    json::document document_;
    std::span<std::byte> text_;
    std::byte behind_{};  // What stood behind the text.
    std::vector<std::uint8_t> unescaped_;
};

// The value as it is written, cut to a length that suits a message.
[[nodiscard]] std::string excerpt(json::value& value);

template <class Visit>
Result<> JsonReader::for_each_member(json::object object, Visit visit) {
    for (auto item : object) {
        json::field field;
        std::string_view key;
        if (const auto error = std::move(item).get(field)) return tl::unexpected(malformed(error));
        if (const auto error = text_of(field.key()).get(key)) {
            return tl::unexpected(malformed(error));
        }
        LEPTON_RETURN_IF_ERROR(visit(key, field.value()));
    }
    return {};
}

template <class Visit>
Result<> JsonReader::for_each_element(json::array array, Visit visit) {
    for (auto item : array) {
        json::value element;
        if (const auto error = std::move(item).get(element)) {
            return tl::unexpected(malformed(error));
        }
        LEPTON_RETURN_IF_ERROR(visit(element));
    }
    return {};
}

}  // namespace lepton::protocol
