#include "engines/openvino/failure.h"

#include <stdexcept>

#include <gtest/gtest.h>

namespace lepton::openvino {
namespace {

TEST(ReasonOf, LeavesOutWhereInOpenVinoItHappened) {
    EXPECT_EQ(reason_of("Exception from src/inference/src/cpp/core.cpp:117:\n"
                        "Exception from src/inference/src/dev/plugin.cpp:54:\n"
                        "Unsupported property X by CPU plugin.\n\n"),
              "Unsupported property X by CPU plugin");
}

TEST(ReasonOf, LeavesOutTheCheckThatFailed) {
    EXPECT_EQ(reason_of("Check 'a == b' failed at src/core/src/node.cpp:12:\n"
                        "While validating node 'Add_1':\nShapes do not match"),
              "While validating node 'Add_1': Shapes do not match");
}

TEST(ReasonOf, KeepsWhatFollowsTheLocationOnItsLine) {
    EXPECT_EQ(reason_of("Check 'false' failed at src/frontends/common.cpp:53: "
                        "FrontEnd API failed with GeneralFailure: Model can't be parsed"),
              "Model can't be parsed");
}

TEST(ReasonOf, SaysEachLineOnce) {
    EXPECT_EQ(reason_of("no memory\nException from a.cpp:1:\nno memory"), "no memory");
}

TEST(ReasonOf, IsBounded) { EXPECT_LT(reason_of(std::string(10000, 'x')).size(), 500u); }

TEST(ReasonOf, SaysSoWhenThereIsNone) { EXPECT_EQ(reason_of("\n\n"), "no reason given"); }

TEST(Guarded, TurnsWhatIsThrownIntoAnError) {
    const Result<int> result = guarded(ErrorCode::kInternal, "it breaks", []() -> int {
        throw std::runtime_error("Exception from a.cpp:1:\nfor a reason.");
    });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInternal);
    EXPECT_EQ(result.error().message, "it breaks: for a reason");
    EXPECT_EQ(guarded(ErrorCode::kInternal, "it works", [] { return 7; }), 7);
}

}  // namespace
}  // namespace lepton::openvino
