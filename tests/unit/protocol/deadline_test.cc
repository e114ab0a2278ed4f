#include "lepton/protocol/deadline.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "lepton/protocol/kserve/infer_fields.h"

namespace lepton::protocol {
namespace {

using namespace std::chrono_literals;

const Clock::time_point kReceived{1'000s};

TEST(GrpcTimeout, EveryUnitOfTheProtocolIsUnderstood) {
    const std::pair<std::string_view, Clock::duration> cases[] = {
        {"2H", 2h},
        {"3M", 3min},
        {"10S", 10s},
        {"250m", 250ms},
        {"99999999u", 99'999'999us},
        {"1n", 1ns},
    };
    for (const auto& [value, timeout] : cases) {
        const auto deadline = deadline_of_grpc_timeout(value, kReceived);
        ASSERT_TRUE(deadline) << value;
        EXPECT_EQ(*deadline, kReceived + timeout) << value;
    }
}

TEST(GrpcTimeout, ZeroHasPassedAlready) {
    EXPECT_EQ(deadline_of_grpc_timeout("0n", kReceived), kReceived);
}

TEST(GrpcTimeout, WhatClientsSendForNeverIsNoDeadline) {
    EXPECT_EQ(deadline_of_grpc_timeout("99999999H", kReceived), kNoDeadline);
}

TEST(GrpcTimeout, MalformedValuesAreRefusedByName) {
    for (const std::string_view value :
         {"", "S", "12", "1s", "-1S", "+1S", "1.5S", "123456789n", " 1S", "1S ", "0x1S"}) {
        const auto deadline = deadline_of_grpc_timeout(value, kReceived);
        ASSERT_FALSE(deadline) << value;
        EXPECT_EQ(deadline.error().code, ErrorCode::kInvalidArgument);
        EXPECT_NE(deadline.error().message.find("grpc-timeout"), std::string::npos);
    }
}

TEST(HeaderTimeout, WholeMillisecondsCountFromArrival) {
    EXPECT_EQ(deadline_of_header_ms("x", "15", kReceived), kReceived + 15ms);
    EXPECT_EQ(deadline_of_header_ms("x", "31536000000", kReceived), kReceived + kLongestTimeout);
}

TEST(HeaderTimeout, SenselessValuesAreRefusedWithTheBound) {
    for (const std::string_view value :
         {"", "0", "-5", "abc", "1.5", "31536000001", "18446744073709551616", "5ms"}) {
        const auto deadline = deadline_of_header_ms("x-request-timeout-ms", value, kReceived);
        ASSERT_FALSE(deadline) << value;
        EXPECT_NE(deadline.error().message.find("x-request-timeout-ms"), std::string::npos);
        EXPECT_NE(deadline.error().message.find("from 1 to 31536000000"), std::string::npos);
    }
}

TEST(InferFields, TheEarliestOfAllTimeoutsCounts) {
    net::FieldList fields;
    fields.add("grpc-timeout", "30m");
    fields.add("x-envoy-expected-rq-timeout-ms", "20");
    fields.add("x-request-timeout-ms", "25");
    EXPECT_EQ(deadline_of(find_infer_fields(fields), kReceived), kReceived + 20ms);
}

TEST(InferFields, NoTimeoutIsNoDeadline) {
    net::FieldList fields;
    fields.add("host", "x");
    EXPECT_EQ(deadline_of(find_infer_fields(fields), kReceived), kNoDeadline);
}

TEST(InferFields, TheFirstOfARepeatedFieldCounts) {
    net::FieldList fields;
    fields.add("content-encoding", "gzip");
    fields.add("content-encoding", "deflate");
    EXPECT_EQ(find_infer_fields(fields).content_encoding, "gzip");
}

TEST(InferFields, AnEmptyFieldIsNotAnAbsentOne) {
    net::FieldList fields;
    fields.add("x-request-timeout-ms", "");
    EXPECT_FALSE(deadline_of(find_infer_fields(fields), kReceived));
}

}  // namespace
}  // namespace lepton::protocol
