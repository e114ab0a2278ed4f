#include "engines/openvino/utf8.h"

#include <cstdint>

namespace lepton::openvino {
namespace {

// What may follow a lead byte: this many bytes, of which the first is within these bounds and the
// others within 80..BF.
struct Sequence {
    std::size_t following = 0;  // 0: not the lead byte of a longer character.
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xbf;
};

Sequence sequence_of(std::uint8_t lead) noexcept {
    if (lead < 0xc2) return {};
    if (lead <= 0xdf) return {1};
    if (lead == 0xe0) return {2, 0xa0};
    if (lead == 0xed) return {2, 0x80, 0x9f};
    if (lead <= 0xef) return {2};
    if (lead == 0xf0) return {3, 0x90};
    if (lead <= 0xf3) return {3};
    if (lead == 0xf4) return {3, 0x80, 0x8f};
    return {};
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) noexcept {
    const auto byte = [text](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
    std::size_t at = 0;
    while (at < text.size()) {
        if (byte(at) < 0x80) {
            ++at;
            continue;
        }
        const Sequence sequence = sequence_of(byte(at));
        if (sequence.following == 0 || text.size() - at <= sequence.following) return at;
        if (byte(at + 1) < sequence.low || byte(at + 1) > sequence.high) return at;
        for (std::size_t i = 2; i <= sequence.following; ++i) {
            if ((byte(at + i) & 0xc0) != 0x80) return at;
        }
        at += 1 + sequence.following;
    }
    return at;
}

}  // namespace lepton::openvino
