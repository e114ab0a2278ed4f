#include "lepton/protocol/text.h"

namespace lepton::protocol {
namespace {

constexpr std::size_t kLongestWord = 128;

}  // namespace

std::string concat(std::initializer_list<std::string_view> pieces) {
    std::size_t size = 0;
    for (const std::string_view piece : pieces) size += piece.size();
    std::string text;
    text.reserve(size);
    for (const std::string_view piece : pieces) text.append(piece);
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
