#include "lepton/core/float_text.h"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace lepton {
namespace {

TEST(FloatText, WordsAndNumbersBeyondDoubleAreRead) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (const char* text : {"Infinity", "Inf", "1e999", "1E+309", "0.1e400", "Infinity \n"}) {
        EXPECT_EQ(read_infinite(text), kInfinity) << text;
        EXPECT_EQ(read_infinite("-" + std::string(text)), -kInfinity) << text;
    }
    EXPECT_EQ(read_infinite(std::string(400, '9')), kInfinity);
    EXPECT_TRUE(std::isnan(read_infinite("NaN").value_or(0)));
    EXPECT_TRUE(std::isnan(read_infinite("-NaN").value_or(0)));
}

TEST(FloatText, OtherTextIsNothing) {
    for (const char* text :
         {"",       "-",         "nan",        "inf",    "infinity", "INFINITY", "Nan",    "NaN1",
          "--Inf",  "+Infinity", "Infinity x", "1",      "1e300",    "1e-999",   "01e999", "1e",
          ".1e999", "1.e999",    "0x1p9999",   "1e999x", "null",     "\"NaN\""}) {
        EXPECT_EQ(read_infinite(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace lepton
