#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "lepton/memory/buffer.h"

namespace lepton::protocol {

// Appends JSON to a buffer taken from a pool; commas are set by looking at what was written last.
//
// JSON has no word for the values that are not finite. NaN is written as null, which NumPy reads
// back as NaN; the infinities as 1e999 and -1e999, which are numbers by JSON's grammar and read as
// infinities by the parsers of Python and JavaScript. Binary tensors carry all values unchanged.
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
    void number(std::floating_point auto value) { write_float(value); }

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
    using Float = decltype(value);
    constexpr Float kInfinity = std::numeric_limits<Float>::infinity();
    if (value != value || value == kInfinity || value == -kInfinity) [[unlikely]] {
        separate();
        out_.append(std::string_view(value != value ? "null" : value > 0 ? "1e999" : "-1e999"));
        return;
    }
    write_number(value);
}

}  // namespace lepton::protocol
