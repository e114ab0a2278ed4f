#include "engines/openvino/utf8.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lepton::openvino {
namespace {

using std::string_view_literals::operator""sv;

TEST(Utf8, TakesEveryCharacterOfUnicode) {
    for (const std::string_view text : {""sv,
                                        "a\0b"sv,
                                        "\x7f\xc2\x80\xdf\xbf"sv,
                                        "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"sv,
                                        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"sv}) {
        EXPECT_EQ(valid_utf8_prefix(text), text.size()) << text;
    }
}

// The rows of table 3-7 of the Unicode standard, each a byte outside.
TEST(Utf8, NamesTheFirstByteThatBelongsToNoCharacter) {
    for (const std::string_view bad : {"\x80"sv,
                                       "\xbf"sv,
                                       "\xc0\x80"sv,
                                       "\xc1\xbf"sv,
                                       "\xc2\x7f"sv,
                                       "\xc2\xc0"sv,
                                       "\xe0\x9f\xbf"sv,
                                       "\xe1\x80\x7f"sv,
                                       "\xed\xa0\x80"sv,
                                       "\xf0\x8f\xbf\xbf"sv,
                                       "\xf1\x80\x80\xc0"sv,
                                       "\xf4\x90\x80\x80"sv,
                                       "\xf5\x80\x80\x80"sv,
                                       "\xff"sv}) {
        EXPECT_EQ(valid_utf8_prefix(std::string("ab").append(bad).append("c")), 2U);
    }
}

TEST(Utf8, ACharacterThatIsCutOffIsNone) {
    const std::string text = "x\xf0\x9f\x8c\x87";
    for (std::size_t size = 2; size < text.size(); ++size) {
        EXPECT_EQ(valid_utf8_prefix(std::string_view(text).substr(0, size)), 1U);
    }
}

}  // namespace
}  // namespace lepton::openvino
