#include "lepton/core/device.h"

#include <gtest/gtest.h>

namespace lepton {
namespace {

TEST(Device, HasOneNameThatIsReadBack) {
    for (const char* name : {"cpu", "gpu:0", "gpu:255", "npu:1"}) {
        const auto device = parse_device(name);
        ASSERT_TRUE(device) << name;
        EXPECT_EQ(to_string(*device), name);
    }
    EXPECT_EQ(parse_device("gpu"), (Device{DeviceKind::kGpu, 0}));
    EXPECT_EQ(parse_device("cpu"), Device{});
}

TEST(Device, OtherTextIsNone) {
    for (const char* text : {"",
                             "CPU",
                             "gpux",
                             "gpu:",
                             "gpu:-1",
                             "gpu:+1",
                             "gpu: 1",
                             "gpu:01",
                             "gpu:256",
                             "gpu:99999999999999999999",
                             "gpu:1:2",
                             "cpu:0",
                             "cpu:1",
                             ":0"}) {
        EXPECT_FALSE(parse_device(text)) << text;
    }
}

}  // namespace
}  // namespace lepton
