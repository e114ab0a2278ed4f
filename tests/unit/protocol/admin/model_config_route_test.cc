#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lepton/protocol/router.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using nlohmann::json;

// Knows the one model of the fake catalog, and takes every change.
class FakeControl final : public ModelControl {
public:
    explicit FakeControl(std::shared_ptr<const ModelSpec> spec) {
        now.spec = std::move(spec);
        now.backend = "fake";
        now.file_name = "model.fake";
        now.max_batch_size = 8;
        now.warm_up = {
            {.name = "typical",
             .batch_size = 2,
             .count = 3,
             .inputs = {{"x", DataType::kFp32, {2}, WarmUpSample::Content::kRandom, {}},
                        {"y", DataType::kBytes, {}, WarmUpSample::Content::kFile, "y"}}}};
        now.settings = {{"weight", 1.5, SettingOrigin::kChanged},
                        {"threads", std::int64_t{2}, SettingOrigin::kTuned}};
    }

    Result<ModelConfiguration> configuration(std::string_view name,
                                             std::string_view) const override {
        if (name == now.spec->name) return now;
        return fail(ErrorCode::kModelNotFound, "no model");
    }
    void change(ConfigChange change, Done done) override {
        last = std::move(change);
        waiting = std::move(done);
    }

    ModelConfiguration now;
    ConfigChange last;
    Done waiting;
};

class ModelConfigRouteTest : public testing::Test {
protected:
    ModelConfigRouteTest() {
        admin_.door = net::Door::kAdmin;
        admin_.on_this_machine = true;
        admin_.name = "127.0.0.1:5000";
        admin_.reached_at = "127.0.0.1";
        exchange_.peer = &admin_;
    }
    const FakeExchange::Sent& handle(net::Method method, std::string_view body = {}) {
        send(method, body);
        return exchange_.sent.at(0);
    }
    void send(net::Method method, std::string_view body) {
        exchange_.message.method = method;
        exchange_.message.path = "/v2/models/digits/config";
        exchange_.message.fields.clear();
        exchange_.message.fields.add("host", "localhost:8003");
        exchange_.message.fields.add("content-type", "application/json");
        exchange_.message.fields.add("user-agent", "tester");
        exchange_.set_body(body);
        router_.handle(exchange_);
    }

    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeService service_{catalog_.model};
    FakeControl control_{catalog_.model};
    std::vector<AuditEntry> audited_;
    Router router_{
        {.inference = service_, .catalog = catalog_, .buffers = pool_, .control = &control_},
        {.access = {.admin_url = [] { return std::string("http://127.0.0.1:8003"); },
                    .audit = [this](const AuditEntry& e) { audited_.push_back(e); }}}};
    net::Peer admin_;
    FakeExchange exchange_{pool_};
};

TEST_F(ModelConfigRouteTest, ConfigurationIsTritonsModelConfigInJson) {
    const auto& sent = handle(net::Method::kGet);
    ASSERT_EQ(sent.status, 200) << sent.body;
    const json body = json::parse(sent.body);
    EXPECT_EQ(body["name"], "digits");
    EXPECT_EQ(body["max_batch_size"], 8);
    EXPECT_EQ(body["input"][0]["dims"], json({2})) << "without the batch axis";
    EXPECT_EQ(body["input"][0]["data_type"], "TYPE_FP32");
    EXPECT_EQ(body["parameters"]["weight"]["string_value"], "1.5");
    EXPECT_EQ(body["parameters"]["settings_changed"]["string_value"], "weight");
    EXPECT_EQ(body["parameters"]["settings_tuned"]["string_value"], "threads");
}

TEST_F(ModelConfigRouteTest, ToldAreTheReasonForBatchingAndTheWarmUp) {
    auto spec = std::make_shared<ModelSpec>(*catalog_.model);
    spec->properties.emplace_back("batching", "no, Softmax \"s\" works across the rows of a batch");
    control_.now.spec = spec;
    const json body = json::parse(handle(net::Method::kGet).body);
    EXPECT_EQ(body["parameters"]["batching"]["string_value"],
              "no, Softmax \"s\" works across the rows of a batch");
    EXPECT_EQ(body["model_warmup"],
              json::parse(R"([{"name": "typical", "batch_size": 2, "count": 3, "inputs": {
                  "x": {"data_type": "TYPE_FP32", "dims": [2], "random_data": true},
                  "y": {"data_type": "TYPE_STRING", "dims": [], "input_data_file": "y"}}}])"));
}

TEST_F(ModelConfigRouteTest, AnswerToAChangeWaitsUntilItIsInForce) {
    send(net::Method::kPost, R"({"weight": 2, "policy": "fifo", "sizes": [1, 2], "save": true})");
    EXPECT_TRUE(exchange_.sent.empty());
    EXPECT_EQ(control_.last.model, "digits");
    EXPECT_TRUE(control_.last.save);
    using Settings = std::vector<std::pair<std::string, SettingValue>>;
    EXPECT_EQ(control_.last.settings,
              (Settings{{"weight", std::int64_t{2}},
                        {"policy", std::string("fifo")},
                        {"sizes", std::vector<std::int64_t>{1, 2}}}));
    ConfigChanged changed;
    changed.now = control_.now;
    changed.differences = {{"weight", 1.5, std::int64_t{2}}};
    changed.reloaded = true;
    control_.waiting(changed);
    const json body = json::parse(exchange_.sent.at(0).body);
    EXPECT_EQ(body["name"], "digits");
    EXPECT_EQ(body["changed"], json::parse(R"({"weight": {"from": 1.5, "to": 2}})"));
    EXPECT_EQ(body["reloaded"], true);
}

TEST_F(ModelConfigRouteTest, RefusalOfTheControlIsAnErrorLikeAnyOther) {
    send(net::Method::kPost, R"({"weight": 0})");
    control_.waiting(fail(ErrorCode::kInvalidArgument, "weight is 0"));
    EXPECT_EQ(exchange_.sent.at(0).status, 400);
    EXPECT_EQ(exchange_.sent.at(0).body, R"({"error":"weight is 0"})");
}

TEST_F(ModelConfigRouteTest, WhatIsNoObjectOfSettingsNeverReachesTheControl) {
    for (const std::string_view body : {"",
                                        "[]",
                                        "7",
                                        "{",
                                        R"({"a": null})",
                                        R"({"a": {"b": 1}})",
                                        R"({"a": [1.5]})",
                                        R"({"a": ["1"]})",
                                        R"({"a": 1, "a": 2})",
                                        R"({"a": 1} {"b": 2})",
                                        R"({"save": 1})",
                                        R"({"a": 1e})",
                                        "{\"a\": \"\xff\"}"}) {
        exchange_.reset();
        exchange_.sent.clear();
        send(net::Method::kPost, body);
        ASSERT_EQ(exchange_.sent.size(), 1U) << body;
        EXPECT_EQ(exchange_.sent[0].status, 400) << body;
        EXPECT_FALSE(control_.waiting) << body;
    }
}

TEST_F(ModelConfigRouteTest, ALongTextIsNotRepeatedInTheError) {
    const auto& sent =
        handle(net::Method::kPost, R"({"policy": ")" + std::string(50'000, 'x') + R"("})");
    EXPECT_EQ(sent.status, 400);
    EXPECT_LT(sent.body.size(), 500U);
}

TEST_F(ModelConfigRouteTest, AChangeIsShort) {
    const auto& sent =
        handle(net::Method::kPost, R"({"policy": ")" + std::string(100'000, 'x') + R"("})");
    EXPECT_EQ(sent.status, 413);
}

TEST_F(ModelConfigRouteTest, AChangeIsAuditedSettingBySetting) {
    send(net::Method::kPost, R"({"weight": 2, "threads": 2, "save": true})");
    EXPECT_TRUE(audited_.empty());
    ConfigChanged changed;
    changed.now = control_.now;
    changed.differences = {{"weight", 1.75, std::int64_t{2}}};
    control_.waiting(changed);
    ASSERT_EQ(audited_.size(), 2U);
    EXPECT_EQ(audited_[0].peer, "127.0.0.1:5000");
    EXPECT_EQ(audited_[0].user_agent, "tester");
    EXPECT_EQ(audited_[0].model, "digits");
    EXPECT_EQ(audited_[0].version, "3");
    EXPECT_EQ(audited_[0].setting, "weight");
    EXPECT_EQ(audited_[0].from, "1.75") << "as it was when the change was made";
    EXPECT_EQ(audited_[0].to, "2");
    EXPECT_TRUE(audited_[0].save);
    EXPECT_EQ(audited_[0].result, "done");
    EXPECT_FALSE(audited_[0].refused);
    EXPECT_EQ(audited_[1].setting, "threads");
    EXPECT_EQ(audited_[1].from, "2");
}

TEST_F(ModelConfigRouteTest, ARefusedChangeIsAuditedToo) {
    send(net::Method::kPost, R"({"weight": 0})");
    control_.waiting(fail(ErrorCode::kInvalidArgument, "weight is 0"));
    send(net::Method::kPost, "no JSON");
    ASSERT_EQ(audited_.size(), 2U);
    EXPECT_TRUE(audited_[0].refused);
    EXPECT_EQ(audited_[0].from, "1.5");
    EXPECT_EQ(audited_[0].to, "0");
    EXPECT_EQ(audited_[0].result, "weight is 0");
    EXPECT_TRUE(audited_[1].refused);
    EXPECT_EQ(audited_[1].setting, "");
}

TEST_F(ModelConfigRouteTest, TheDataPortRefusesAChangeAndToldIsWhereToAskInstead) {
    net::Peer peer;
    peer.on_this_machine = true;
    exchange_.peer = &peer;
    EXPECT_EQ(handle(net::Method::kPost, R"({"weight": 2})").status, 403);
    EXPECT_EQ(json::parse(exchange_.sent[0].body)["admin_url"], "http://127.0.0.1:8003");
    EXPECT_FALSE(control_.waiting);
    exchange_.sent.clear();
    peer.on_this_machine = false;
    EXPECT_EQ(handle(net::Method::kPost, R"({"weight": 2})").status, 403);
    EXPECT_EQ(exchange_.sent[0].body.find("8003"), std::string::npos);
    ASSERT_EQ(audited_.size(), 2U);
    EXPECT_EQ(audited_[0].door, "data");
    EXPECT_EQ(audited_[0].model, "digits");
    exchange_.sent.clear();
    exchange_.reset();
    EXPECT_EQ(handle(net::Method::kGet).status, 200) << "reading is every client's";
}

TEST_F(ModelConfigRouteTest, OtherMethodsAreToldWhichThereAre) {
    EXPECT_EQ(handle(net::Method::kDelete).status, 405);
    EXPECT_EQ(exchange_.sent[0].fields.at("allow"), "GET, HEAD, POST");
}

TEST_F(ModelConfigRouteTest, WithoutAControlTheRouteIsUnknown) {
    Router router({service_, catalog_, pool_}, {});
    exchange_.peer = &net::kNobody;
    exchange_.message.path = "/v2/models/digits/config";
    router.handle(exchange_);
    EXPECT_EQ(exchange_.sent.at(0).status, 404);
}

}  // namespace
}  // namespace lepton::protocol
