#include "lepton/net/gzip.h"

#include <string>

#include <gtest/gtest.h>

#include "lepton/memory/buffer_pool.h"

namespace lepton::net {
namespace {

using namespace std::string_literals;

class Gzip : public testing::Test {
protected:
    static std::span<const std::byte> bytes_of(std::string_view text) {
        return std::as_bytes(std::span(text));
    }
    std::string packed(std::string_view text) {
        memory::Buffer out = pool_.take(0);
        EXPECT_TRUE(gzip(bytes_of(text), out));
        return std::string(out.text());
    }
    memory::BufferPool pool_;
    memory::Buffer out_ = pool_.take(0);
};

TEST_F(Gzip, RoundTripGivesTheSameBytesBehindWhatIsThere) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += std::to_string(i);
    out_.append("before ");
    ASSERT_TRUE(gunzip(bytes_of(packed(text)), text.size(), out_));
    EXPECT_EQ(out_.text(), "before " + text);
}

TEST_F(Gzip, MessageThatDoesNotShrinkIsLeftAlone) {
    out_.append("before");
    EXPECT_FALSE(gzip(bytes_of("short"), out_));
    EXPECT_FALSE(gzip({}, out_));
    EXPECT_EQ(out_.text(), "before");
}

TEST_F(Gzip, BombStopsAtTheBoundAndTakesNoMoreMemoryThanThat) {
    const std::string bomb = packed(std::string(std::size_t{64} << 20, '\0'));
    const Result<> unpacked = gunzip(bytes_of(bomb), std::size_t{1} << 20, out_);
    ASSERT_FALSE(unpacked);
    EXPECT_EQ(unpacked.error().code, ErrorCode::kPayloadTooLarge);
    EXPECT_LE(out_.capacity(), std::size_t{2} << 20);
}

TEST_F(Gzip, ZlibStreamIsInflatedToo) {
    const std::string message = "\x78\x9c\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27"s;
    ASSERT_TRUE(gunzip(bytes_of(message), 100, out_));
    EXPECT_EQ(out_.text(), "abc");
}

TEST_F(Gzip, BoundIsInclusive) {
    const std::string message = packed(std::string(10'000, 'x'));
    EXPECT_TRUE(gunzip(bytes_of(message), 10'000, out_));
    out_.clear();
    EXPECT_FALSE(gunzip(bytes_of(message), 9'999, out_));
}

TEST_F(Gzip, WhatIsNotExactlyOneMemberIsCorrupt) {
    const std::string message = packed(std::string(10'000, 'x'));
    std::string flipped = message;
    flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x55);
    for (const std::string& bad : {std::string(),
                                   std::string("plain text"),
                                   flipped,
                                   message.substr(0, message.size() - 1),
                                   message + "x"}) {
        const Result<> unpacked = gunzip(bytes_of(bad), 20'000, out_);
        ASSERT_FALSE(unpacked);
        EXPECT_EQ(unpacked.error().code, ErrorCode::kInvalidArgument);
        out_.clear();
    }
    EXPECT_TRUE(gunzip(bytes_of(message), 20'000, out_));
}

}  // namespace
}  // namespace lepton::net
