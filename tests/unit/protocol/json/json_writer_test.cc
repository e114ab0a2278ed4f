#include "lepton/protocol/json/json_writer.h"

#include <cmath>
#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lepton/memory/buffer_pool.h"

namespace lepton::protocol {
namespace {

class JsonWriterTest : public testing::Test {
protected:
    std::string text() { return std::string(buffer_.text()); }

    memory::BufferPool pool_;
    memory::Buffer buffer_ = pool_.take(512);
    JsonWriter json_{buffer_};
};

TEST_F(JsonWriterTest, CommasStandBetweenMembersAndElementsOnly) {
    json_.begin_object();
    json_.key("a");
    json_.begin_array();
    json_.number(1);
    json_.number(-2);
    json_.begin_object();
    json_.end_object();
    json_.begin_array();
    json_.end_array();
    json_.end_array();
    json_.key("b");
    json_.boolean(false);
    json_.key("c");
    json_.string("x");
    json_.end_object();
    EXPECT_EQ(text(), R"({"a":[1,-2,{},[]],"b":false,"c":"x"})");
}

TEST_F(JsonWriterTest, AStringThatEndsInABracketIsFollowedByAComma) {
    json_.begin_array();
    json_.string("[");
    json_.string(":");
    json_.end_array();
    EXPECT_EQ(text(), R"(["[",":"])");
}

TEST_F(JsonWriterTest, StringsAreEscaped) {
    using namespace std::string_literals;
    const std::string word = "\"\\/\n\t\r\b\x01\x1f caf\xc3\xa9\x00z"s;
    json_.string(word);
    EXPECT_EQ(nlohmann::json::parse(text()).get<std::string>(), word);
}

TEST_F(JsonWriterTest, BytesThatAreNotUtf8BecomeReplacementCharacters) {
    json_.string("a\xff\xc3(\xe2\x82");
    EXPECT_EQ(text(), "\"a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_F(JsonWriterTest, FloatsRoundTripInTheirOwnPrecision) {
    json_.begin_array();
    json_.number(0.1F);
    json_.number(std::numeric_limits<float>::max());
    json_.number(std::numeric_limits<double>::denorm_min());
    json_.number(-std::numeric_limits<double>::max());
    json_.end_array();
    const auto parsed = nlohmann::json::parse(text());
    EXPECT_EQ(text().substr(0, 4), "[0.1");
    EXPECT_EQ(parsed[1].get<float>(), std::numeric_limits<float>::max());
    EXPECT_EQ(parsed[2].get<double>(), std::numeric_limits<double>::denorm_min());
    EXPECT_EQ(parsed[3].get<double>(), -std::numeric_limits<double>::max());
}

TEST_F(JsonWriterTest, IntegersReachTheirLimits) {
    json_.begin_array();
    json_.number(std::numeric_limits<std::int64_t>::min());
    json_.number(std::numeric_limits<std::uint64_t>::max());
    json_.number(static_cast<std::int8_t>(-128));
    json_.number(static_cast<std::uint8_t>(255));
    json_.end_array();
    EXPECT_EQ(text(), "[-9223372036854775808,18446744073709551615,-128,255]");
}

TEST_F(JsonWriterTest, FloatsThatAreNotFiniteAreTheWordsOfPythonAndRapidJson) {
    json_.begin_array();
    json_.number(std::numeric_limits<float>::quiet_NaN());
    json_.number(-std::numeric_limits<double>::quiet_NaN());
    json_.number(std::numeric_limits<float>::infinity());
    json_.number(-std::numeric_limits<double>::infinity());
    json_.end_array();
    EXPECT_EQ(text(), "[NaN,NaN,Infinity,-Infinity]");
}

TEST_F(JsonWriterTest, ZeroKeepsItsSign) {
    json_.begin_array();
    json_.number(0.0F);
    json_.number(-0.0F);
    json_.number(-0.0);
    json_.end_array();
    EXPECT_EQ(text(), "[0,-0.0,-0.0]");
}

TEST_F(JsonWriterTest, RealNeverLooksLikeAnInteger) {
    json_.begin_array();
    for (const double value : {2.0, -2.0, 0.0, -0.0, 0.5, 1e300}) json_.real(value);
    json_.real(std::numeric_limits<double>::infinity());
    json_.end_array();
    EXPECT_EQ(text(), "[2.0,-2.0,0.0,-0.0,0.5,1e+300,Infinity]");
}

}  // namespace
}  // namespace lepton::protocol
