#include "lepton/protocol/text.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace lepton::protocol {
namespace {

TEST(InQuotes, ControlBytesAndBadUtf8DoNotGetThrough) {
    EXPECT_EQ(in_quotes("a\r\nb\x7f"), "\"a??b?\"");
    EXPECT_EQ(in_quotes("\xff"), "\"\xEF\xBF\xBD\"");
    EXPECT_EQ(in_quotes("caf\xc3\xa9"), "\"caf\xc3\xa9\"");
}

TEST(InQuotes, LongWordsAreCut) {
    EXPECT_EQ(in_quotes(std::string(5000, 'x')).size(), 128 + 3 + 2);
}

TEST(ToUtf8, OverlongAndSurrogateFormsAreReplaced) {
    EXPECT_EQ(to_utf8("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_EQ(to_utf8("\xF0\x9F\x98\x80!"), "\xF0\x9F\x98\x80!");
    EXPECT_EQ(to_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(ParseInteger, OnlyWholeDecimalTextsInRangeCount) {
    EXPECT_EQ(parse_integer<std::uint32_t>("42"), 42U);
    for (const std::string_view text : {"", "-1", "+1", "1 ", " 1", "4294967296", "1e3", "0x1"}) {
        EXPECT_FALSE(parse_integer<std::uint32_t>(text)) << text;
    }
}

}  // namespace
}  // namespace lepton::protocol
