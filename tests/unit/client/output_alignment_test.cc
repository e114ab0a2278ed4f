#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "exchange.h"

namespace lepton::client {
namespace {

TEST(OutputAlignment, EveryOutputIsAlignedAndUnchanged) {
    InferResult::Contents contents;
    contents.bytes.reserve(256);
    // 3 bytes of UINT8, 3 elements of FP32, nothing, 2 of INT64, from an odd offset.
    const std::size_t sizes[] = {3, 12, 0, 16};
    const DataType types[] = {DataType::kUint8, DataType::kFp32, DataType::kFp64, DataType::kInt64};
    std::size_t at = 1;
    unsigned char next = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        contents.outputs.push_back({"", types[i], {}, {contents.bytes.data() + at, sizes[i]}});
        for (std::size_t byte = 0; byte < sizes[i]; ++byte) {
            contents.bytes.data()[at++] = static_cast<std::byte>(next++);
        }
    }
    contents.bytes.resize(at);

    align_outputs(contents);

    next = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const Output& output = contents.outputs[i];
        ASSERT_EQ(output.data.size(), sizes[i]);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(output.data.data()) % element_bytes(types[i]),
                  0u);
        for (const std::byte byte : output.data) EXPECT_EQ(byte, static_cast<std::byte>(next++));
    }
}

TEST(OutputAlignment, WhatIsAlignedStaysWhereItIs) {
    InferResult::Contents contents;
    contents.bytes.reserve(64);
    contents.bytes.resize(16);
    contents.outputs.push_back({"", DataType::kFp32, {}, contents.bytes.view().subspan(4, 8)});
    align_outputs(contents);
    EXPECT_EQ(contents.outputs[0].data.data(), contents.bytes.data() + 4);
}

TEST(ServerTiming, PartsAreReadAndSummedUp) {
    using std::chrono::microseconds;
    const Breakdown breakdown =
        parse_server_timing("net;dur=0.004, queue;dur=1, cache;dur=9, compute;desc=x;dur=0.25");
    EXPECT_EQ(breakdown.net, microseconds(4));
    EXPECT_EQ(breakdown.queue, microseconds(1000));
    EXPECT_EQ(breakdown.compute, microseconds(250));
    EXPECT_EQ(breakdown.total, microseconds(1254));
}

TEST(ServerTiming, WhatIsNoDurationIsLeftOut) {
    for (const std::string_view text :
         {"", ",,;", "net;dur=", "net;dur=-1", "net;dur=nan", "net;dur=1e300", "net", "=;=;,"}) {
        EXPECT_EQ(parse_server_timing(text).total, Clock::duration::zero()) << text;
    }
}

}  // namespace
}  // namespace lepton::client
