#include "lepton/protocol/admin/access.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lepton/memory/buffer_pool.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using testing::HasSubstr;
using testing::Not;

class AccessRulesTest : public testing::Test {
protected:
    AccessRulesTest() {
        peer_.door = net::Door::kAdmin;
        peer_.on_this_machine = true;
        peer_.reached_at = "10.0.0.5";
        exchange_.peer = &peer_;
    }
    void add(std::string_view name, std::string_view value) {
        exchange_.message.fields.add(name, value);
    }
    // How the admin listener takes a read, by the field "host".
    bool answers_to(std::string_view host) {
        exchange_.message.fields.clear();
        add("host", host);
        return rules_.check(exchange_, Access::kInspect).has_value();
    }
    bool answers_page(std::string_view name, std::string_view value) {
        exchange_.message.fields.clear();
        add("host", "localhost:8003");
        add(name, value);
        return rules_.check(exchange_, Access::kInspect).has_value();
    }
    ErrorCode change_as(std::string_view content_type) {
        exchange_.message.fields.clear();
        add("host", "localhost");
        if (!content_type.empty()) add("content-type", content_type);
        const Result<> allowed = rules_.check(exchange_, Access::kChange);
        return allowed ? ErrorCode::kInternal : allowed.error().code;
    }
    std::string refusal(Access needed) {
        const Result<> allowed = rules_.check(exchange_, needed);
        if (allowed) return "allowed";
        EXPECT_EQ(allowed.error().code, ErrorCode::kPermissionDenied);
        return allowed.error().message;
    }

    memory::BufferPool pool_;
    net::Peer peer_;
    FakeExchange exchange_{pool_};
    std::string url_ = "http://127.0.0.1:8003";
    std::vector<AuditEntry> audited_;
    AccessRules rules_{{.admin_url = [this] { return url_; },
                        .admin_hosts = {"gpu-7.example", "Ops"},
                        .audit = [this](const AuditEntry& entry) { audited_.push_back(entry); }}};
};

TEST_F(AccessRulesTest, TheDataPortHasDataForEverybody) {
    peer_ = {};
    add("host", "evil.example");
    add("origin", "https://evil.example");
    EXPECT_TRUE(rules_.check(exchange_, Access::kData));
    EXPECT_TRUE(audited_.empty());
}

TEST_F(AccessRulesTest, TheDataPortNamesTheAdminListenerToItsOwnMachineAlone) {
    peer_.door = net::Door::kData;
    add("host", "127.0.0.1:8000");
    for (const Access needed : {Access::kInspect, Access::kChange}) {
        EXPECT_THAT(refusal(needed), HasSubstr(url_));
        EXPECT_EQ(rules_.other_url(exchange_), url_);
    }
    peer_.on_this_machine = false;
    EXPECT_THAT(refusal(Access::kChange), Not(HasSubstr("8003")));
    EXPECT_THAT(refusal(Access::kChange), HasSubstr("--url"));
    EXPECT_EQ(rules_.other_url(exchange_), "");
    EXPECT_EQ(audited_.size(), 4U);
}

TEST_F(AccessRulesTest, AWebPageIsNotToldOfTheAdminListener) {
    peer_.door = net::Door::kData;
    add("host", "evil.example:8000");
    EXPECT_THAT(refusal(Access::kChange), Not(HasSubstr("8003")));
    exchange_.message.fields.clear();
    add("host", "localhost:8000");
    add("origin", "http://localhost:3000");
    EXPECT_THAT(refusal(Access::kChange), Not(HasSubstr("8003")));
}

TEST_F(AccessRulesTest, WithoutAnAdminListenerThatIsWhatIsSaid) {
    url_.clear();
    peer_.door = net::Door::kData;
    EXPECT_THAT(refusal(Access::kChange), HasSubstr("--admin-address off"));
}

TEST_F(AccessRulesTest, TheAdminListenerAnswersToItsOwnNames) {
    for (const std::string_view host : {"localhost",
                                        "localhost:8003",
                                        "LocalHost.:1",
                                        "127.0.0.1:8003",
                                        "127.9.8.7",
                                        "[::1]:8003",
                                        "[::ffff:127.0.0.1]",
                                        "10.0.0.5:8003",
                                        "gpu-7.example",
                                        "GPU-7.Example:80",
                                        "ops"}) {
        EXPECT_TRUE(answers_to(host)) << host;
    }
    EXPECT_TRUE(audited_.empty());
}

TEST_F(AccessRulesTest, TheAdminListenerDoesNotAnswerToOthers) {
    for (const std::string_view host : {"",
                                        "evil.example",
                                        "localhost.evil.example",
                                        "127.0.0.1.evil.example",
                                        "10.0.0.6",
                                        "0.0.0.0:8003",
                                        "127.1",
                                        "0x7f000001",
                                        "[::2]",
                                        "[",
                                        "[]",
                                        ":8003",
                                        "gpu-7",
                                        "x.gpu-7.example"}) {
        EXPECT_FALSE(answers_to(host)) << host;
    }
    EXPECT_EQ(audited_.size(), 14U);
    EXPECT_EQ(audited_[1].action, "inspect");
}

TEST_F(AccessRulesTest, AllThatComesInThereIsChecked) {
    add("host", "evil.example");
    EXPECT_THAT(refusal(Access::kData), HasSubstr("evil.example"));
}

TEST_F(AccessRulesTest, AUnixSocketHasNoNameToBeCalledBy) {
    peer_.unix_socket = true;
    EXPECT_TRUE(answers_to("anything"));
    EXPECT_FALSE(answers_page("origin", "https://evil.example"));
}

TEST_F(AccessRulesTest, PagesOfOtherSitesAreNotAnswered) {
    EXPECT_TRUE(answers_page("origin", "http://localhost:8003"));
    EXPECT_TRUE(answers_page("origin", "https://LOCALHOST:8003"));
    for (const std::string_view origin : {"https://evil.example",
                                          "null",
                                          "http://localhost",
                                          "http://localhost:3000",
                                          "http://127.0.0.1:8003",
                                          "file://",
                                          "://",
                                          "chrome-extension://localhost:8003"}) {
        EXPECT_FALSE(answers_page("origin", origin)) << origin;
    }
    EXPECT_TRUE(answers_page("sec-fetch-site", "none"));
    EXPECT_TRUE(answers_page("sec-fetch-site", "same-origin"));
    EXPECT_FALSE(answers_page("sec-fetch-site", "same-site"));
    EXPECT_FALSE(answers_page("sec-fetch-site", "cross-site"));
}

TEST_F(AccessRulesTest, AChangeIsDeclaredAsJson) {
    constexpr ErrorCode kAllowed = ErrorCode::kInternal;
    EXPECT_EQ(change_as("application/json"), kAllowed);
    EXPECT_EQ(change_as("Application/JSON; charset=utf-8"), kAllowed);
    EXPECT_EQ(change_as("application/json ;charset=utf-8"), kAllowed);
    for (const std::string_view type : {"",
                                        "text/plain",
                                        "text/plain; x=application/json",
                                        "application/x-www-form-urlencoded",
                                        "multipart/form-data",
                                        "application/jsonp",
                                        "application/json, text/plain"}) {
        EXPECT_EQ(change_as(type), ErrorCode::kUnsupportedMedia) << type;
    }
}

}  // namespace
}  // namespace lepton::protocol
