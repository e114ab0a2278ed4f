#include "lepton/core/error.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

namespace lepton {
namespace {

TEST(ErrorTraits, EveryCodeHasItsOwnRowInTheOrderOfTheEnum) {
    std::set<std::string_view> labels;
    for (std::size_t i = 0; i < kErrorCodeCount; ++i) {
        const ErrorTraits& traits = traits_of(static_cast<ErrorCode>(i));
        EXPECT_EQ(static_cast<std::size_t>(traits.code), i);
        EXPECT_FALSE(traits.label.empty());
        EXPECT_TRUE(labels.insert(traits.label).second) << traits.label << " is used twice";
        EXPECT_GE(traits.http_status, 400);
        EXPECT_LT(traits.http_status, 600);
        EXPECT_GT(traits.grpc_status, 0);
        EXPECT_LE(traits.grpc_status, 16);
    }
}

TEST(ErrorTraits, BusyIsTooManyRequestsSoThatBalancersDoNotEjectTheNode) {
    EXPECT_EQ(traits_of(ErrorCode::kQueueFull).http_status, 429);
    EXPECT_EQ(traits_of(ErrorCode::kQueueFull).grpc_status, 8);
    EXPECT_EQ(traits_of(ErrorCode::kOverloaded).http_status, 429);
    EXPECT_EQ(traits_of(ErrorCode::kDeadlineExceeded).http_status, 504);
    EXPECT_EQ(traits_of(ErrorCode::kDeadlineExceeded).grpc_status, 4);
}

}  // namespace
}  // namespace lepton
