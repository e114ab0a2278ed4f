#include "lepton/core/utf8.h"

#include <cstddef>

namespace lepton {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bounds of a sequence's second byte, which its first decides; those behind it are 80..BF.
// The Unicode Standard 15.0, table 3-7.
struct Sequence {
    std::size_t size = 0;  // 0: no sequence begins so.
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
};

Sequence sequence_of(unsigned char first) {
    if (first < 0x80) return {.size = 1};
    if (first < 0xC2) return {};
    if (first < 0xE0) return {.size = 2};
    if (first == 0xE0) return {.size = 3, .low = 0xA0};
    if (first == 0xED) return {.size = 3, .high = 0x9F};
    if (first < 0xF0) return {.size = 3};
    if (first == 0xF0) return {.size = 4, .low = 0x90};
    if (first < 0xF4) return {.size = 4};
    if (first == 0xF4) return {.size = 4, .high = 0x8F};
    return {};
}

// The length of the valid sequence at the start; 0 where there is none.
std::size_t valid_size(std::string_view bytes) {
    const Sequence sequence = sequence_of(static_cast<unsigned char>(bytes.front()));
    if (sequence.size > bytes.size()) return 0;
    for (std::size_t i = 1; i < sequence.size; ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        const bool second = i == 1;
        if (byte < (second ? sequence.low : 0x80) || byte > (second ? sequence.high : 0xBF)) {
            return 0;
        }
    }
    return sequence.size;
}

}  // namespace

std::string to_utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t size = valid_size(bytes);
        text.append(size > 0 ? bytes.substr(0, size) : kReplacement);
        bytes.remove_prefix(size > 0 ? size : 1);
    }
    return text;
}

}  // namespace lepton
