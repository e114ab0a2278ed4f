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

class GzipMembers : public ContentEncodingTest {
protected:
    std::string packed(std::string_view text) {
        memory::Buffer body = buffer(text);
        EXPECT_TRUE(compress(body, GetParam(), pool_));
        return std::string(body.text());
    }
};

TEST_P(GzipMembers, AreJoined) {
    memory::Buffer body = buffer(packed("abc") + packed("") + packed(std::string(5000, 'd')));
    ASSERT_TRUE(decompress(body, GetParam(), 5003, pool_));
    EXPECT_EQ(body.text(), "abc" + std::string(5000, 'd'));
}

TEST_P(GzipMembers, CountTogether) {
    memory::Buffer body = buffer(packed(std::string(60, 'a')) + packed(std::string(60, 'b')));
    EXPECT_EQ(decompress(body, GetParam(), 119, pool_).error().code, ErrorCode::kPayloadTooLarge);
}

TEST_P(GzipMembers, AreAllWhole) {
    const std::string second = packed("second");
    for (const std::string& damaged : {packed("first") + second.substr(0, 1),
                                       packed("first") + second.substr(0, second.size() - 1),
                                       packed("first") + second + "\x1f",
                                       packed("first") + "\x1f" + second,
                                       packed("first") + std::string(4, '\0')}) {
        memory::Buffer body = buffer(damaged);
        EXPECT_EQ(decompress(body, GetParam(), 1000, pool_).error().code,
                  ErrorCode::kInvalidArgument);
    }
}

INSTANTIATE_TEST_SUITE_P(Gzip, GzipMembers, testing::Values(ContentEncoding::kGzip));

INSTANTIATE_TEST_SUITE_P(Both,
                         ContentEncodingTest,
                         testing::Values(ContentEncoding::kGzip, ContentEncoding::kDeflate));

TEST(ParseContentEncoding, KnowsTheNamesInAnyCase) {
    EXPECT_EQ(parse_content_encoding(""), ContentEncoding::kIdentity);
    EXPECT_EQ(parse_content_encoding("Identity"), ContentEncoding::kIdentity);
    EXPECT_EQ(parse_content_encoding(" GZIP "), ContentEncoding::kGzip);
    EXPECT_EQ(parse_content_encoding("x-gzip"), ContentEncoding::kGzip);
    EXPECT_EQ(parse_content_encoding("deflate"), ContentEncoding::kDeflate);
    for (const std::string_view value : {"br", "gzip, deflate", "x"}) {
        EXPECT_FALSE(parse_content_encoding(value)) << value;
    }
}

TEST(PreferredEncoding, IsTheMostWelcomeOfTheList) {
    struct Case {
        std::string_view accept;
        ContentEncoding chosen;
    };
    for (const auto& [accept, chosen] : {
             Case{"gzip", ContentEncoding::kGzip},
             Case{"GZip", ContentEncoding::kGzip},
             Case{"x-gzip", ContentEncoding::kGzip},
             Case{"deflate", ContentEncoding::kDeflate},
             Case{"gzip, deflate", ContentEncoding::kGzip},
             Case{"deflate, gzip, br, zstd", ContentEncoding::kGzip},
             Case{"gzip;q=0.5,deflate", ContentEncoding::kDeflate},
             Case{"gzip;q=1.0, identity;q=0.5", ContentEncoding::kGzip},
             Case{"br, gzip;q=0.5", ContentEncoding::kGzip},
             Case{"br, gzip ; Q=0.001", ContentEncoding::kGzip},
             Case{"gzip;x=y;q=1", ContentEncoding::kGzip},
             Case{"*, gzip", ContentEncoding::kGzip},
             Case{" ,, gzip ,", ContentEncoding::kGzip},
             Case{"identity;q=0, gzip", ContentEncoding::kGzip},
             Case{"identity;q=0, *", ContentEncoding::kGzip},
             Case{"identity;q=0, gzip;q=0, *", ContentEncoding::kDeflate},
             Case{"*;q=0, deflate;q=0.2", ContentEncoding::kDeflate},
             Case{"", ContentEncoding::kIdentity},
             Case{"*", ContentEncoding::kIdentity},
             Case{"br", ContentEncoding::kIdentity},
             Case{"identity", ContentEncoding::kIdentity},
             Case{"identity, gzip;q=0.9", ContentEncoding::kIdentity},
             Case{"gzip;q=0", ContentEncoding::kIdentity},
             Case{"gzip;q=0.000, deflate; q=0", ContentEncoding::kIdentity},
             Case{"gzip;q=0, *", ContentEncoding::kIdentity},
             Case{"*;q=0", ContentEncoding::kIdentity},
             Case{"gzip;q=2", ContentEncoding::kIdentity},
             Case{"gzip;q=1.001", ContentEncoding::kIdentity},
             Case{"gzip;q=0.0001", ContentEncoding::kIdentity},
             Case{"gzip;q=x", ContentEncoding::kIdentity},
             Case{"gzip;q=", ContentEncoding::kIdentity},
             Case{"gzipx", ContentEncoding::kIdentity},
         }) {
        EXPECT_EQ(preferred_encoding(accept), chosen) << accept;
    }
}

}  // namespace
}  // namespace lepton::protocol
