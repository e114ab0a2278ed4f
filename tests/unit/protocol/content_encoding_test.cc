#include "lepton/protocol/content_encoding.h"

#include <string>

#include <gtest/gtest.h>

namespace lepton::protocol {
namespace {

class ContentEncodingTest : public testing::TestWithParam<ContentEncoding> {
protected:
    memory::Buffer buffer(std::string_view text) {
        memory::Buffer result = pool_.take(text.size());
        result.append(text);
        return result;
    }
    memory::BufferPool pool_;
};

TEST_P(ContentEncodingTest, WhatIsCompressedComesBack) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{700'000}}) {
        std::string text;
        while (text.size() < size) text += std::to_string(text.size() * 2654435761U);
        text.resize(size);
        memory::Buffer body = buffer(text);
        ASSERT_TRUE(compress(body, GetParam(), pool_));
        ASSERT_TRUE(decompress(body, GetParam(), size, pool_));
        EXPECT_EQ(body.text(), text);
    }
}

TEST_P(ContentEncodingTest, ABombStopsAtTheBound) {
    memory::Buffer body = buffer(std::string(10 << 20, 'a'));
    ASSERT_TRUE(compress(body, GetParam(), pool_));
    const Result<> result = decompress(body, GetParam(), 100'000, pool_);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kPayloadTooLarge);
    EXPECT_NE(result.error().message.find("100000"), std::string::npos);
}

TEST_P(ContentEncodingTest, OneByteAboveTheBoundIsTooMuch) {
    memory::Buffer body = buffer(std::string(101, 'a'));
    ASSERT_TRUE(compress(body, GetParam(), pool_));
    EXPECT_FALSE(decompress(body, GetParam(), 100, pool_));
}

TEST_P(ContentEncodingTest, DamagedBodiesAreRefused) {
    memory::Buffer whole = buffer(std::string(1000, 'a'));
    ASSERT_TRUE(compress(whole, GetParam(), pool_));
    const std::string packed(whole.text());
    std::string corrupt = packed;
    corrupt[packed.size() - 3] = static_cast<char>(corrupt[packed.size() - 3] ^ 1);
    for (const std::string& damaged : {std::string(),
                                       packed.substr(0, packed.size() / 2),
                                       packed + "x",
                                       corrupt,
                                       std::string("not compressed at all")}) {
        memory::Buffer body = buffer(damaged);
        const Result<> result = decompress(body, GetParam(), 1'000'000, pool_);
        ASSERT_FALSE(result) << damaged;
        EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    }
}

INSTANTIATE_TEST_SUITE_P(Both,
                         ContentEncodingTest,
                         testing::Values(ContentEncoding::kGzip, ContentEncoding::kDeflate));

TEST(ParseContentEncoding, KnowsTheNamesInAnyCase) {
    EXPECT_EQ(parse_content_encoding(""), ContentEncoding::kIdentity);
    EXPECT_EQ(parse_content_encoding("Identity"), ContentEncoding::kIdentity);
    EXPECT_EQ(parse_content_encoding(" GZIP "), ContentEncoding::kGzip);
    EXPECT_EQ(parse_content_encoding("deflate"), ContentEncoding::kDeflate);
    for (const std::string_view value : {"br", "gzip, deflate", "x"}) {
        EXPECT_FALSE(parse_content_encoding(value)) << value;
    }
}

TEST(PreferredEncoding, OnlyAnExplicitWishIsFollowed) {
    EXPECT_EQ(preferred_encoding("gzip"), ContentEncoding::kGzip);
    EXPECT_EQ(preferred_encoding("deflate"), ContentEncoding::kDeflate);
    EXPECT_EQ(preferred_encoding(""), ContentEncoding::kIdentity);
    EXPECT_EQ(preferred_encoding("gzip, deflate"), ContentEncoding::kIdentity);
    EXPECT_EQ(preferred_encoding("br"), ContentEncoding::kIdentity);
}

}  // namespace
}  // namespace lepton::protocol
