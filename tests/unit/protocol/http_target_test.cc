#include "lepton/protocol/http_target.h"

#include <gtest/gtest.h>

namespace lepton::protocol {
namespace {

struct Expected {
    std::string path;
    Route route;
    std::string model;
    std::string version;
};

TEST(HttpTarget, EveryRouteIsFound) {
    const Expected cases[] = {
        {"/", Route::kRoot, "", ""},
        {"/metrics", Route::kMetrics, "", ""},
        {"/v2/debug/slow", Route::kSlow, "", ""},
        {"/v2", Route::kServer, "", ""},
        {"/v2/", Route::kServer, "", ""},
        {"/v2/health/live", Route::kLive, "", ""},
        {"/v2/health/ready", Route::kReady, "", ""},
        {"/v2/models/m", Route::kModel, "m", ""},
        {"/v2/models/m/", Route::kModel, "m", ""},
        {"/v2/models/m/versions/12", Route::kModel, "m", "12"},
        {"/v2/models/m/ready", Route::kModelReady, "m", ""},
        {"/v2/models/m/versions/12/ready", Route::kModelReady, "m", "12"},
        {"/v2/models/m/infer", Route::kInfer, "m", ""},
        {"/v2/models/m/versions/12/infer", Route::kInfer, "m", "12"},
        {"/v2/models/versions/infer", Route::kInfer, "versions", ""},
    };
    for (const Expected& expected : cases) {
        std::string path = expected.path;
        const auto target = parse_target(path);
        ASSERT_TRUE(target) << expected.path;
        EXPECT_EQ(target->route, expected.route) << expected.path;
        EXPECT_EQ(target->model, expected.model) << expected.path;
        EXPECT_EQ(target->version, expected.version) << expected.path;
    }
}

TEST(HttpTarget, NamesArePercentDecodedSegmentBySegment) {
    std::string path = "/v2/models/a%20b%2Fc%25/versions/%31/infer";
    const auto target = parse_target(path);
    ASSERT_TRUE(target);
    EXPECT_EQ(target->route, Route::kInfer);
    EXPECT_EQ(target->model, "a b/c%");
    EXPECT_EQ(target->version, "1");
}

TEST(HttpTarget, MalformedEscapesAreRefused) {
    for (const std::string_view text : {"/v2/models/a%",
                                        "/v2/models/a%2",
                                        "/v2/models/%zz/infer",
                                        "/v2/models/%-1",
                                        "/v2/models/%+a/ready"}) {
        std::string path(text);
        const auto target = parse_target(path);
        ASSERT_FALSE(target) << text;
        EXPECT_EQ(target.error().code, ErrorCode::kInvalidArgument) << text;
    }
}

TEST(HttpTarget, UnknownRoutesAreNamed) {
    for (const std::string_view text : {"",
                                        "/v1",
                                        "/v2/models",
                                        "/v2/models/",
                                        "/v2/models//infer",
                                        "/v2/models/m/infer/x",
                                        "/v2/models/m/infer/",
                                        "/v2/models/m/versions",
                                        "/v2/models/m/versions/",
                                        "/v2/models/m/versions//infer",
                                        "/v2/health",
                                        "/v2/health/alive",
                                        "/metricsx",
                                        "*"}) {
        std::string path(text);
        const auto target = parse_target(path);
        ASSERT_FALSE(target) << text;
        EXPECT_EQ(target.error().code, ErrorCode::kModelNotFound) << text;
        EXPECT_NE(target.error().message.find(text), std::string::npos) << text;
    }
}

}  // namespace
}  // namespace lepton::protocol
