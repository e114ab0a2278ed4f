#include "lepton/server/audit_log.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include "lepton/observe/log.h"

namespace lepton::server {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class AuditLogTest : public testing::Test {
protected:
    void SetUp() override {
        auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
        auto logger = std::make_shared<spdlog::logger>("test", std::move(sink));
        logger->set_pattern("%l %v");
        spdlog::set_default_logger(std::move(logger));
    }
    void TearDown() override { spdlog::set_default_logger(before_); }

    std::string logged() {
        std::string text = text_.str();
        text_.str("");
        return text;
    }
    static std::ptrdiff_t lines_in(const std::string& text) {
        return std::count(text.begin(), text.end(), '\n');
    }

    std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
    std::ostringstream text_;
    protocol::AuditEntry entry_{.peer = "127.0.0.1:5000",
                                .user_agent = "curl/8.0",
                                .door = "admin",
                                .action = "change",
                                .model = "digits",
                                .version = "1",
                                .setting = "weight",
                                .from = "1",
                                .to = "2",
                                .result = "done"};
    AuditLog log_;
};

TEST_F(AuditLogTest, AChangeIsALineThatSaysWhoAndWhat) {
    log_.write(entry_);
    EXPECT_EQ(logged(),
              "info audit peer=127.0.0.1:5000 listener=admin user_agent=curl/8.0 action=change "
              "model=digits version=1 setting=weight from=1 to=2 save=false result=done\n");
}

TEST_F(AuditLogTest, NoTextOfAClientMakesALineOfItsOwn) {
    entry_.model = "a\ninfo audit peer=me";
    entry_.user_agent = "x\r\n\x1b[2J\v\"";
    entry_.to = std::string(100'000, 'x');
    log_.write(entry_);
    const std::string text = logged();
    EXPECT_EQ(lines_in(text), 1);
    EXPECT_LT(text.size(), 1000U);
    EXPECT_THAT(text, HasSubstr("model=\"a info audit peer=me\""));
    for (const char c : {'\r', '\x1b', '\v'}) EXPECT_EQ(text.find(c), std::string::npos);
}

TEST_F(AuditLogTest, AFloodOfRefusalsDoesNotFillTheLogAndChangesAreAllThere) {
    entry_.refused = true;
    entry_.result = "it may not";
    const Clock::time_point now = Clock::now();
    for (int i = 0; i < 1000; ++i) log_.write(entry_, now);
    const std::string text = logged();
    EXPECT_EQ(lines_in(text), AuditLog::kMostRefused);
    EXPECT_THAT(text, HasSubstr("warning audit "));
    EXPECT_THAT(text, Not(HasSubstr("left_out")));
    entry_.refused = false;
    for (int i = 0; i < 100; ++i) log_.write(entry_, now);
    EXPECT_EQ(lines_in(logged()), 100);
    entry_.refused = true;
    log_.write(entry_, now + AuditLog::kEvery);
    EXPECT_THAT(logged(), HasSubstr(" left_out=980\n"));
    log_.write(entry_, now + AuditLog::kEvery);
    EXPECT_EQ(logged(), "");
    log_.write(entry_, now + 1h);
    EXPECT_THAT(logged(), HasSubstr(" left_out=1\n"));
}

}  // namespace
}  // namespace lepton::server
