#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "arrivals.h"

namespace lepton::bench {
namespace {

class Trace : public testing::Test {
protected:
    Result<std::vector<TraceEntry>> read(const std::string& text) {
        std::ofstream(path_) << text;
        return read_trace(path_);
    }
    std::string error_of(const std::string& text) {
        const auto trace = read(text);
        return trace ? "" : trace.error().message;
    }
    void TearDown() override { std::filesystem::remove(path_); }

    const std::string path_ = testing::TempDir() + "trace-" + std::to_string(getpid());
};

TEST_F(Trace, HasATimeAndPerhapsAClassOnEachLine) {
    const auto trace = read("# seconds,class\n\n0\n 0.25 , fast \r\n0.25\n1e1,slow # late\n");
    ASSERT_TRUE(trace) << trace.error().message;
    ASSERT_EQ(trace->size(), 4U);
    EXPECT_EQ((*trace)[1].at, std::chrono::milliseconds(250));
    EXPECT_EQ((*trace)[1].load_class, "fast");
    EXPECT_EQ((*trace)[2].load_class, "");
    EXPECT_EQ((*trace)[3].at, std::chrono::seconds(10));
    EXPECT_EQ((*trace)[3].load_class, "slow");
}

TEST_F(Trace, LineThatIsWrongIsNamed) {
    EXPECT_NE(error_of("0\nsoon,fast\n").find("line 2"), std::string::npos);
    EXPECT_NE(error_of("0\n1x\n").find("line 2"), std::string::npos);
    EXPECT_NE(error_of("0\n\n-1\n").find("line 3"), std::string::npos);
    EXPECT_NE(error_of("nan\n").find("line 1"), std::string::npos);
    EXPECT_NE(error_of("1e99\n").find("a week"), std::string::npos);
    EXPECT_NE(error_of("2\n1\n").find("sort the trace"), std::string::npos);
    EXPECT_NE(error_of(",fast\n").find("line 1"), std::string::npos);
}

TEST_F(Trace, EmptyOrMissingFileIsAnError) {
    EXPECT_NE(error_of("# nothing\n").find("no request"), std::string::npos);
    const auto missing = read_trace("/no/such/trace");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("/no/such/trace"), std::string::npos);
}

}  // namespace
}  // namespace lepton::bench
