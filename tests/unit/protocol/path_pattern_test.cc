#include "lepton/protocol/path_pattern.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace lepton::protocol {
namespace {

constexpr PathPattern kInfer = "/v2/models/{model}[/versions/{version}]/infer";
constexpr PathPattern kModel = "/v2/models/{model}[/versions/{version}][/]";
constexpr PathPattern kServer = "/v2[/]";
constexpr PathPattern kRoot = "/";

struct Expected {
    std::string_view path;
    const PathPattern& pattern;
    std::string_view model;
    std::string_view version;
};

TEST(PathPattern, VariablesAreWhatStandsInTheirPlace) {
    const Expected cases[] = {
        {"/", kRoot, "", ""},
        {"/v2", kServer, "", ""},
        {"/v2/", kServer, "", ""},
        {"/v2/models/m", kModel, "m", ""},
        {"/v2/models/m/", kModel, "m", ""},
        {"/v2/models/m/versions/12", kModel, "m", "12"},
        {"/v2/models/m/versions/12/", kModel, "m", "12"},
        {"/v2/models/m/infer", kInfer, "m", ""},
        {"/v2/models/m/versions/12/infer", kInfer, "m", "12"},
        {"/v2/models/versions/infer", kInfer, "versions", ""},
    };
    for (const Expected& expected : cases) {
        const auto path = expected.pattern.match(PathSegments(expected.path));
        ASSERT_TRUE(path) << expected.path;
        EXPECT_EQ(path->model, expected.model) << expected.path;
        EXPECT_EQ(path->version, expected.version) << expected.path;
    }
}

TEST(PathPattern, OtherPathsDoNotMatch) {
    for (const std::string_view text : {"",
                                        "*",
                                        "v2",
                                        "//",
                                        "/v1",
                                        "/v2//",
                                        "/v2x",
                                        "/v2/models",
                                        "/v2/models/",
                                        "/v2/models//infer",
                                        "/v2/models/m/infer/x",
                                        "/v2/models/m/infer/",
                                        "/v2/models/m/versions",
                                        "/v2/models/m/versions/",
                                        "/v2/models/m/versions//infer",
                                        "/a/b/c/d/e/f/g/h/i/j"}) {
        const PathSegments path(text);
        for (const PathPattern* pattern : {&kInfer, &kModel, &kServer, &kRoot}) {
            EXPECT_FALSE(pattern->match(path)) << text << " is " << pattern->text();
        }
    }
}

TEST(PathPattern, ItsTextIsWithoutTheSlash) {
    EXPECT_EQ(kModel.text(), "/v2/models/{model}[/versions/{version}]");
    EXPECT_EQ(kRoot.text(), "/");
}

TEST(PathPattern, NamesArePercentDecodedSegmentBySegment) {
    std::string text = "/v2/models/a%20b%2Fc%25/versions/%31/infer";
    auto path = kInfer.match(PathSegments(text));
    ASSERT_TRUE(path);
    ASSERT_TRUE(decode_variables(text, *path));
    EXPECT_EQ(path->model, "a b/c%");
    EXPECT_EQ(path->version, "1");
}

TEST(PathPattern, MalformedEscapesAreRefused) {
    for (const std::string_view model : {"a%", "a%2", "%zz", "%-1", "%+a"}) {
        std::string text = "/v2/models/" + std::string(model) + "/infer";
        auto path = kInfer.match(PathSegments(text));
        ASSERT_TRUE(path) << model;
        const Result<> decoded = decode_variables(text, *path);
        ASSERT_FALSE(decoded) << model;
        EXPECT_EQ(decoded.error().code, ErrorCode::kInvalidArgument) << model;
    }
}

}  // namespace
}  // namespace lepton::protocol
