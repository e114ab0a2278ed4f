#include "load_class.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace lepton::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::string error_of(std::string_view text) {
    const auto parsed = parse_load_class(text);
    return parsed ? "" : parsed.error().message;
}

TEST(LoadClass, FieldsAreReadInAnyOrder) {
    const auto parsed = parse_load_class("deadline=6ms,priority=1,name=fast,share=0.3");
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->name, "fast");
    EXPECT_DOUBLE_EQ(parsed->share, 0.3);
    EXPECT_EQ(parsed->deadline, milliseconds(6));
    EXPECT_EQ(parsed->priority, 1U);
    const auto bare = parse_load_class("name=all");
    ASSERT_TRUE(bare);
    EXPECT_EQ(bare->deadline.count(), 0);
}

TEST(LoadClass, WhatIsWrongIsNamedWithWhatMayBe) {
    EXPECT_NE(error_of("share=1").find("no name"), std::string::npos);
    EXPECT_NE(error_of("name=a,dedline=6ms").find("\"dedline\" is not one of"), std::string::npos);
    EXPECT_NE(error_of("name=a,share=0").find("share is \"0\""), std::string::npos);
    EXPECT_NE(error_of("name=a,share=-1").find("above 0"), std::string::npos);
    EXPECT_NE(error_of("name=a,share=inf").find("share"), std::string::npos);
    EXPECT_NE(error_of("name=a,deadline=-5ms").find("from now on"), std::string::npos);
    EXPECT_NE(error_of("name=a,deadline=0ms").find("deadline"), std::string::npos);
    EXPECT_NE(error_of("name=a,deadline=5").find("6ms"), std::string::npos);
    EXPECT_NE(error_of("name=a,priority=-1").find("whole number"), std::string::npos);
    EXPECT_NE(error_of("name=a,priority=99999999999").find("priority"), std::string::npos);
    EXPECT_NE(error_of("name=a,fast").find("FIELD=VALUE"), std::string::npos);
    EXPECT_NE(error_of("").find("FIELD=VALUE"), std::string::npos);
    EXPECT_NE(error_of("name=a,").find("FIELD=VALUE"), std::string::npos);
}

TEST(LoadClass, TimesNeedAUnitAndFitADay) {
    EXPECT_EQ(parse_time("50us"), microseconds(50));
    EXPECT_EQ(parse_time("1.5s"), milliseconds(1500));
    EXPECT_EQ(parse_time("0s"), microseconds(0));
    for (const char* wrong : {"", "5", "ms", "-1ms", "5 ms", "nans", "1e30s", "25h", "90000s"}) {
        EXPECT_FALSE(parse_time(wrong)) << wrong;
    }
}

TEST(LoadClass, DrawnByTheirSharesFromTheSeed) {
    const std::vector<LoadClass> classes{{"a", 3, {}, 0}, {"b", 1, {}, 0}};
    ClassDraw draw(classes, 5);
    ClassDraw again(classes, 5);
    std::array<int, 2> drawn{};
    constexpr int kDraws = 40'000;
    for (int i = 0; i < kDraws; ++i) {
        const std::size_t one = draw.next();
        ASSERT_EQ(one, again.next());
        ++drawn[one];
    }
    EXPECT_NEAR(static_cast<double>(drawn[0]) / kDraws, 0.75, 0.02);
}

}  // namespace
}  // namespace lepton::bench
