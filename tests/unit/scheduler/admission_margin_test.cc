#include "lepton/scheduler/admission_margin.h"

#include <gtest/gtest.h>

namespace lepton::scheduler {
namespace {

using namespace std::chrono_literals;

constexpr Clock::time_point kBegin{1h};

AdmissionMargin raised() {
    AdmissionMargin margin;
    margin.pass_to(kBegin);
    for (int i = 0; i < 10; ++i) margin.on_broken();
    return margin;
}

TEST(AdmissionMargin, BrokenPromisesRaiseItAndKeptOnesLowerIt) {
    AdmissionMargin margin = raised();
    const double high = margin.value();
    EXPECT_GT(high, 2 * AdmissionMargin::kLeast);
    for (int i = 0; i < 100; ++i) margin.on_kept();
    EXPECT_LT(margin.value(), high);
    EXPECT_GT(margin.value(), high - 0.1) << "one that is broken counts as hundreds that are kept";
}

TEST(AdmissionMargin, StaysWithinItsBounds) {
    AdmissionMargin margin;
    margin.on_kept();
    EXPECT_EQ(margin.value(), AdmissionMargin::kLeast);
    for (int i = 0; i < 1000; ++i) margin.on_broken();
    EXPECT_EQ(margin.value(), AdmissionMargin::kMost);
}

TEST(AdmissionMargin, SettlesWhereTheShareThatMayBeBrokenIs) {
    AdmissionMargin margin = raised();
    const double before = margin.value();
    // 3 of 1000, evenly.
    for (int i = 0; i < 6000; ++i) i % 1000 < 3 ? margin.on_broken() : margin.on_kept();
    EXPECT_NEAR(margin.value(), before, 0.1);
}

TEST(AdmissionMargin, ForgetsWhatHasPassed) {
    AdmissionMargin margin = raised();
    const double high = margin.value() - AdmissionMargin::kLeast;
    margin.pass_to(kBegin + 30s);
    EXPECT_NEAR(margin.value() - AdmissionMargin::kLeast, high / 2, 1e-9);
    margin.pass_to(kBegin + 24h);
    EXPECT_NEAR(margin.value(), AdmissionMargin::kLeast, 1e-9);
}

TEST(AdmissionMargin, ForgetsTheSameHoweverOftenItIsAsked) {
    AdmissionMargin often = raised();
    for (auto at = 0s; at <= 30s; at += 1s) often.pass_to(kBegin + at);
    AdmissionMargin once = raised();
    once.pass_to(kBegin + 30s);
    EXPECT_NEAR(often.value(), once.value(), 1e-9);
}

}  // namespace
}  // namespace lepton::scheduler
