#include "lepton/core/trace_context.h"

#include <string>

#include <gtest/gtest.h>

namespace lepton {
namespace {

const std::string kField = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string field_of(const TraceContext& trace) {
    std::string text(kTraceparentSize, '\0');
    write_traceparent(trace, text.data());
    return text;
}

TEST(TraceContext, FieldSaysTraceParentAndFlag) {
    const auto trace = parse_traceparent(kField);
    ASSERT_TRUE(trace);
    EXPECT_EQ(trace->trace_high, 0x0af7651916cd43ddU);
    EXPECT_EQ(trace->trace_low, 0x8448eb211c80319cU);
    EXPECT_EQ(trace->parent, 0xb7ad6b7169203331U);
    EXPECT_TRUE(trace->parent_sampled);
    EXPECT_FALSE(trace->sampled);
}

TEST(TraceContext, OnlyTheLowestFlagSaysThatItIsSampled) {
    const std::string head = kField.substr(0, kTraceparentSize - 2);
    EXPECT_FALSE(parse_traceparent(head + "00")->parent_sampled);
    EXPECT_FALSE(parse_traceparent(head + "02")->parent_sampled);
    EXPECT_TRUE(parse_traceparent(head + "ff")->parent_sampled);
}

TEST(TraceContext, WhatIsWrittenReadsAsTheSameTraceUnderOurSpan) {
    TraceContext trace = *parse_traceparent(kField);
    trace.span = 0x00f067aa0ba902b7;
    EXPECT_EQ(field_of(trace), "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00");
    trace.sampled = true;
    EXPECT_EQ(field_of(trace), "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01");
    EXPECT_EQ(parse_traceparent(field_of(trace))->parent, trace.span);
}

TEST(TraceContext, EveryCutAndEveryWrongCharacterIsInvalid) {
    for (std::size_t size = 0; size < kField.size(); ++size) {
        EXPECT_FALSE(parse_traceparent(kField.substr(0, size))) << size;
    }
    for (std::size_t i = 0; i < kField.size(); ++i) {
        for (const char wrong : {'g', 'A', ' ', '\0', '_'}) {
            std::string field = kField;
            field[i] = wrong;
            EXPECT_FALSE(parse_traceparent(field)) << field;
        }
    }
}

TEST(TraceContext, ZeroIdentifiersAndVersionFfAreInvalid) {
    EXPECT_FALSE(parse_traceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
    EXPECT_FALSE(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"));
    EXPECT_FALSE(parse_traceparent("ff" + kField.substr(2)));
    // Half of an identifier may be zero.
    EXPECT_TRUE(parse_traceparent("00-00000000000000000000000000000001-b7ad6b7169203331-01"));
}

TEST(TraceContext, OnlyLaterVersionsMaySayMore) {
    EXPECT_FALSE(parse_traceparent(kField + "-more"));
    EXPECT_TRUE(parse_traceparent("01" + kField.substr(2)));
    EXPECT_TRUE(parse_traceparent("cc" + kField.substr(2) + "-more"));
    EXPECT_TRUE(parse_traceparent("cc" + kField.substr(2) + "-"));
    EXPECT_FALSE(parse_traceparent("cc" + kField.substr(2) + "more"));
}

}  // namespace
}  // namespace lepton
