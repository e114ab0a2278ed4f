#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "lepton/core/float_text.h"
#include "lepton/memory/buffer.h"

namespace lepton::protocol {

// Appends JSON to a buffer taken from a pool; commas are set by looking at what was written last.
//
// JSON has no word for the values that are not finite: they are written as NaN, Infinity and
// -Infinity, as Python's json module and RapidJSON do, with which Triton and its clients write and
// read. Strict parsers, as those of browsers and of Go, take none of them; binary tensors carry all
// values to everybody.
class JsonWriter {
public:
    // Longest number that number() writes, with its comma: "-2.2250738585072014e-308,".
    static constexpr std::size_t kLongestNumber = 32;

    explicit JsonWriter(memory::Buffer& out) : out_(out) {}

    void begin_object() { open('{'); }
    void end_object() { put('}'); }
    void begin_array() { open('['); }
    void end_array() { put(']'); }
    // For names that come from outside.
    void key(std::string_view name) {
        string(name);
        put(':');
    }
    // For names of our own: needs no look for what must be escaped.
    template <std::size_t kSize>
    void key(const char (&name)[kSize]) {
        separate();
        std::byte* next = out_.extend(kSize + 2);
        next[0] = next[kSize] = std::byte{'"'};
        std::memcpy(next + 1, name, kSize - 1);
        next[kSize + 1] = std::byte{':'};
    }

    // Bytes that are not UTF-8 become U+FFFD: the result is valid JSON whatever comes in.
    void string(std::string_view text);
    // For text known to need no escape and to be UTF-8.
    void plain_string(std::string_view text);
    void boolean(bool value);
    void number(std::integral auto value) { write_number(value); }
    // The shortest text that reads as the same value of its type; -0.0 keeps its sign.
    void number(std::floating_point auto value) { write_float(value); }
    // The same, and never like an integer: for whom the type counts.
    void real(double value);

    // Room for `count` more bytes, so that what is written next does not move the buffer.
    void reserve(std::size_t count);

private:
    void put(char c) { out_.append(c); }
    void open(char c) {
        separate();
        put(c);
    }
    void separate();
    void escape(char c);
    void write_number(auto value);
    void write_float(auto value);

    memory::Buffer& out_;
};

void JsonWriter::write_number(auto value) {
    separate();
    char text[kLongestNumber];
    const auto [end, error] = std::to_chars(text, text + sizeof text, value);
    out_.append(std::string_view(text, static_cast<std::size_t>(end - text)));
}

void JsonWriter::write_float(auto value) {
    constexpr auto kInfinity = std::numeric_limits<decltype(value)>::infinity();
    const auto magnitude = std::abs(value);
    if (magnitude > 0 && magnitude < kInfinity) [[likely]] {
        return write_number(value);
    }
    separate();
    if (magnitude == 0) {
        // Without a fraction it would be read as an integer, which has no sign at zero.
        out_.append(std::string_view(std::signbit(value) ? "-0.0" : "0"));
    } else {
        out_.append(value != value ? kNanText : value > 0 ? kInfinityText : kMinusInfinityText);
    }
}

}  // namespace lepton::protocol
