#include "lepton/protocol/text.h"

#include <simdjson.h>

namespace lepton::protocol {
namespace {

constexpr std::size_t kLongestWord = 128;

// Length of the UTF-8 sequence that begins with `lead`, by its first bits; 1 for what is none.
std::size_t sequence_size(unsigned char lead) {
    if (lead >= 0xF0) return 4;
    if (lead >= 0xE0) return 3;
    if (lead >= 0xC0) return 2;
    return 1;
}

}  // namespace

std::string concat(std::initializer_list<std::string_view> pieces) {
    std::size_t size = 0;
    for (const std::string_view piece : pieces) size += piece.size();
    std::string text;
    text.reserve(size);
    for (const std::string_view piece : pieces) text.append(piece);
    return text;
}

std::string to_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t size = sequence_size(static_cast<unsigned char>(bytes.front()));
        const std::string_view sequence = bytes.substr(0, size);
        const bool valid =
            sequence.size() == size && simdjson::validate_utf8(sequence.data(), sequence.size());
        text.append(valid ? sequence : std::string_view("\xEF\xBF\xBD"));
        bytes.remove_prefix(valid ? size : 1);
    }
    return text;
}

std::string in_quotes(std::string_view word) {
    std::string text = "\"";
    text += to_utf8(word.substr(0, kLongestWord));
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    }
    if (word.size() > kLongestWord) text += "...";
    return text += '"';
}

}  // namespace lepton::protocol
