#include "lepton/net/grpc/grpc_framing.h"

#include <string>

#include <gtest/gtest.h>

#include "lepton/memory/buffer_pool.h"

namespace lepton::net {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

TEST(GrpcPrefix, IsAFlagAndABigEndianLength) {
    const GrpcPrefix prefix = grpc_prefix(0x01020304, true);
    for (unsigned i = 0; i < prefix.size(); ++i) {
        EXPECT_EQ(std::to_integer<unsigned>(prefix[i]), i == 0 ? 1u : i);
    }
    EXPECT_EQ(grpc_prefix(1, false)[0], std::byte{0});
}

TEST(GrpcReader, TakesOneMessageAndLeavesTheNext) {
    memory::BufferPool pool;
    memory::Buffer body = pool.take(0);
    GrpcReader reader;
    const std::string input = std::string("\1\0\0\0\3abc\0\0\0", 11);
    EXPECT_TRUE(reader.between_messages());
    EXPECT_EQ(reader.read_prefix(bytes_of(input)), 5u);
    EXPECT_TRUE(reader.has_prefix());
    EXPECT_FALSE(reader.has_message());
    EXPECT_EQ(reader.length(), 3u);
    EXPECT_EQ(reader.flag(), 1u);
    EXPECT_EQ(reader.read_body(bytes_of(input).subspan(5), body), 3u);
    EXPECT_TRUE(reader.has_message());
    EXPECT_EQ(body.text(), "abc");
    reader.next();
    EXPECT_EQ(reader.read_prefix(bytes_of(input).subspan(8)), 3u);
    EXPECT_FALSE(reader.has_prefix());
    EXPECT_FALSE(reader.between_messages());
}

TEST(GrpcReader, LengthTakesAllFourBytes) {
    GrpcReader reader;
    const std::string input = "\xff\xff\xff\xff\xff";
    EXPECT_EQ(reader.read_prefix(bytes_of(input)), 5u);
    EXPECT_EQ(reader.length(), 0xffffffffu);
    EXPECT_FALSE(reader.has_message());
}

}  // namespace
}  // namespace lepton::net
