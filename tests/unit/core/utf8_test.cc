#include "lepton/core/utf8.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lepton {
namespace {

TEST(ToUtf8, ValidTextIsLeftAsItIs) {
    for (const std::string_view text : {"",
                                        "plain\n\x7f",
                                        "caf\xC3\xA9",
                                        "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
                                        "\xF0\x90\x80\x80\xF0\x9F\x98\x80\xF4\x8F\xBF\xBF"}) {
        EXPECT_EQ(to_utf8(text), text);
    }
}

// Overlong forms, surrogates, code points above the last, and sequences that are cut.
TEST(ToUtf8, EachByteThatBelongsToNoSequenceIsReplaced) {
    for (const std::string_view bad : {"\x80",
                                       "\xBF\xBF",
                                       "\xC0\xAF",
                                       "\xC1\xBF",
                                       "\xC3",
                                       "\xE9",
                                       "\xE0\x9F\xBF",
                                       "\xE2\x82",
                                       "\xED\xA0\x80",
                                       "\xF0\x8F\xBF\xBF",
                                       "\xF0\x9F\x98",
                                       "\xF4\x90\x80\x80",
                                       "\xF5\x80\x80\x80",
                                       "\xFF\xFE"}) {
        std::string replaced;
        for (std::size_t i = 0; i < bad.size(); ++i) replaced += "\xEF\xBF\xBD";
        EXPECT_EQ(to_utf8("a" + std::string(bad) + "b"), "a" + replaced + "b");
        EXPECT_EQ(to_utf8(bad), replaced);
    }
}

}  // namespace
}  // namespace lepton
