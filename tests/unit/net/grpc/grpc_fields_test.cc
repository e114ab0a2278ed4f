#include "lepton/net/grpc/grpc_fields.h"

#include <gtest/gtest.h>

namespace lepton::net {
namespace {

TEST(GrpcContent, OnlyProtobufOverGrpcItselfIsACall) {
    EXPECT_EQ(grpc_content_of("application/grpc"), GrpcContent::kProto);
    EXPECT_EQ(grpc_content_of("application/grpc+proto"), GrpcContent::kProto);
    EXPECT_EQ(grpc_content_of("application/grpc; charset=utf-8"), GrpcContent::kProto);
    EXPECT_EQ(grpc_content_of("application/grpc+json"), GrpcContent::kOther);
    EXPECT_EQ(grpc_content_of("application/grpc-web+proto"), GrpcContent::kNone);
    EXPECT_EQ(grpc_content_of("application/grpcish"), GrpcContent::kNone);
    EXPECT_EQ(grpc_content_of("application/json"), GrpcContent::kNone);
    EXPECT_EQ(grpc_content_of(""), GrpcContent::kNone);
}

TEST(GrpcAcceptEncoding, IsAListOfNames) {
    EXPECT_TRUE(accepts_encoding("gzip", "gzip"));
    EXPECT_TRUE(accepts_encoding("identity, deflate , gzip", "gzip"));
    EXPECT_FALSE(accepts_encoding("identity,x-gzip", "gzip"));
    EXPECT_FALSE(accepts_encoding("", "gzip"));
    EXPECT_FALSE(accepts_encoding(",,", "gzip"));
}

TEST(GrpcMessage, IsPercentEncodedAsTheProtocolSays) {
    std::string out;
    append_percent_encoded("input \"ids\": 100%\n\x7f\xc3\xa9", 100, out);
    EXPECT_EQ(out, "input \"ids\": 100%25%0A%7F%C3%A9");
}

TEST(GrpcMessage, IsCutBetweenCharactersNotWithinAnEscape) {
    std::string out;
    append_percent_encoded("ab\n\n", 7, out);
    EXPECT_EQ(out, "ab%0A");
}

}  // namespace
}  // namespace lepton::net
