#include "lepton/protocol/json/json_writer.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <simdjson.h>

#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

// Names nearly always are: ASCII without a character that needs an escape.
bool is_plain(std::string_view text) {
    return std::all_of(
        text.begin(), text.end(), [](char c) { return c >= 0x20 && c != '"' && c != '\\'; });
}

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace

void JsonWriter::separate() {
    if (out_.empty()) return;
    const char last = static_cast<char>(out_.data()[out_.size() - 1]);
    if (last != '{' && last != '[' && last != ':') put(',');
}

void JsonWriter::plain_string(std::string_view text) {
    separate();
    std::byte* next = out_.extend(text.size() + 2);
    next[0] = next[text.size() + 1] = std::byte{'"'};
    if (!text.empty()) std::memcpy(next + 1, text.data(), text.size());
}

void JsonWriter::string(std::string_view text) {
    if (is_plain(text)) return plain_string(text);
    std::string repaired;
    if (!is_ascii(text) && !simdjson::validate_utf8(text.data(), text.size())) {
        repaired = to_utf8(text);
        text = repaired;
    }
    separate();
    put('"');
    while (!text.empty()) {
        const auto stop = std::find_if(text.begin(), text.end(), needs_escape);
        const auto plain = static_cast<std::size_t>(stop - text.begin());
        out_.append(text.substr(0, plain));
        if (stop == text.end()) break;
        escape(*stop);
        text.remove_prefix(plain + 1);
    }
    put('"');
}

void JsonWriter::escape(char c) {
    constexpr std::string_view kHex = "0123456789abcdef";
    constexpr std::size_t kLongestEscape = 6;
    reserve(kLongestEscape);
    put('\\');
    switch (c) {
        case '"':
        case '\\':
            return put(c);
        case '\n':
            return put('n');
        case '\t':
            return put('t');
        case '\r':
            return put('r');
        default:
            out_.append(std::string_view("u00"));
            put(kHex[static_cast<std::size_t>(c) >> 4]);
            put(kHex[static_cast<std::size_t>(c) & 15]);
    }
}

void JsonWriter::boolean(bool value) {
    separate();
    out_.append(std::string_view(value ? "true" : "false"));
}

void JsonWriter::real(double value) {
    const std::size_t before = out_.size();
    number(value);
    const std::string_view text(reinterpret_cast<const char*>(out_.data()) + before,
                                out_.size() - before);
    if (text.find_first_not_of(",-0123456789") == std::string_view::npos) {
        out_.append(std::string_view(".0"));
    }
}

void JsonWriter::reserve(std::size_t count) {
    const std::size_t needed = out_.size() + count;
    // Above the pool's classes a buffer grows to exactly what was asked for: double it instead.
    if (needed > out_.capacity()) out_.reserve(std::max(needed, 2 * out_.capacity()));
}

}  // namespace lepton::protocol
