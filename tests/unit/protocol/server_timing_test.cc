#include "lepton/protocol/server_timing.h"

#include <gtest/gtest.h>

namespace lepton::protocol {
namespace {

using namespace std::chrono_literals;

TEST(ServerTiming, DurationsAreMillisecondsWithThreeDigits) {
    const ServerTiming timing({.net = 21us,
                               .queue = 0us,
                               .input = 1'234'567us,
                               .compute = 999'999ns,
                               .output = 5ms + 60us,
                               .total = 0us});
    EXPECT_EQ(timing.text(),
              "net;dur=0.021, queue;dur=0.000, input;dur=1234.567, compute;dur=1.000, "
              "output;dur=5.060");
}

TEST(ServerTiming, TheLongestDurationsFit) {
    const auto most = Clock::duration::max() / 2;
    EXPECT_LT(ServerTiming({most, most, most, most, most, most}).text().size(), 256U);
}

}  // namespace
}  // namespace lepton::protocol
