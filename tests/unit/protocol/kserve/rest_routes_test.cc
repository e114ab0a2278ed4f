#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "lepton/protocol/content_encoding.h"
#include "lepton/protocol/router.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::HasSubstr;

const std::string kInferBody =
    R"({"id":"7","inputs":[{"name":"image","datatype":"FP32","shape":[1,2],"data":[1,2]}]})";

class RestRoutesTest : public testing::Test {
protected:
    RestRoutesTest() { make_router({}); }

    void make_router(Settings settings, Observations* observations = nullptr) {
        settings.server_version = "9.9";
        router_ = std::make_unique<Router>(Services{.inference = service_,
                                                    .catalog = catalog_,
                                                    .buffers = pool_,
                                                    .observations = observations},
                                           std::move(settings));
    }
    void make_router_with_metrics(std::string page) {
        observations_.page = std::move(page);
        make_router({}, &observations_);
    }
    const FakeExchange::Sent& handle(net::Method method,
                                     std::string_view path,
                                     std::string_view body = {}) {
        exchange_.message.method = method;
        exchange_.message.path = path;
        exchange_.set_body(body);
        router_->handle(exchange_);
        EXPECT_EQ(exchange_.sent.size(), 1U);
        return exchange_.sent.at(0);
    }
    const FakeExchange::Sent& get(std::string_view path) { return handle(net::Method::kGet, path); }
    const FakeExchange::Sent& infer(std::string_view body = kInferBody) {
        return handle(net::Method::kPost, "/v2/models/digits/infer", body);
    }

    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeService service_{catalog_.model};
    FakeObservations observations_;
    std::unique_ptr<Router> router_;
    FakeExchange exchange_{pool_};
};

TEST_F(RestRoutesTest, LiveIsAlwaysTrue) {
    catalog_.is_ready = false;
    EXPECT_EQ(get("/v2/health/live").status, 200);
    EXPECT_EQ(exchange_.sent[0].body, R"({"live":true})");
}

TEST_F(RestRoutesTest, ReadyFollowsTheCatalog) {
    EXPECT_EQ(get("/v2/health/ready").status, 200);
    EXPECT_EQ(exchange_.sent[0].body, R"({"ready":true})");
    exchange_.sent.clear();
    catalog_.is_ready = false;
    EXPECT_EQ(get("/v2/health/ready").status, 503);
    EXPECT_EQ(json::parse(exchange_.sent[0].body)["error"],
              "the server is not ready: it is loading a");
}

TEST_F(RestRoutesTest, ServerMetadataNamesTheExtensions) {
    const auto body = json::parse(get("/v2").body);
    EXPECT_EQ(body["name"], "lepton");
    EXPECT_EQ(body["version"], "9.9");
    EXPECT_EQ(body["extensions"],
              json({"binary_tensor_data", "model_configuration", "parameters", "schedule_policy"}));
}

TEST_F(RestRoutesTest, ModelMetadataIsTheSignature) {
    EXPECT_EQ(json::parse(get("/v2/models/digits/versions/3").body), json::parse(R"({
        "name":"digits", "versions":["3"], "platform":"openvino_onnx",
        "inputs":[{"name":"image","datatype":"FP32","shape":[-1,2]}],
        "outputs":[{"name":"scores","datatype":"FP32","shape":[-1,2]}],
        "parameters":{"engine":"fake 1","precision":"f32"}})"));
}

TEST_F(RestRoutesTest, ModelsAreListedWithTheirVersions) {
    for (const char* path : {"/v2/models", "/v2/models/"}) {
        EXPECT_EQ(get(path).body, R"({"models":[{"name":"digits","versions":["3"]}]})");
        exchange_.sent.clear();
    }
}

TEST_F(RestRoutesTest, ModelReadyTellsUnknownFromLoading) {
    EXPECT_EQ(get("/v2/models/digits/ready").status, 200);
    EXPECT_EQ(exchange_.sent[0].body, R"({"name":"digits","ready":true})");
    exchange_.sent.clear();
    EXPECT_EQ(get("/v2/models/other/ready").status, 404);
    exchange_.sent.clear();
    catalog_.loading = true;
    EXPECT_EQ(get("/v2/models/digits/ready").status, 503);
}

TEST_F(RestRoutesTest, MetricsAreThePageThatWasGiven) {
    make_router_with_metrics("lepton_up 1\n");
    EXPECT_EQ(get("/metrics").body, "lepton_up 1\n");
    EXPECT_EQ(exchange_.sent[0].content_type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(RestRoutesTest, MetricsAreCompressedWhenAsked) {
    make_router_with_metrics(std::string(5000, '#'));
    exchange_.message.fields.add("accept-encoding", "gzip");
    const auto& sent = get("/metrics");
    EXPECT_EQ(sent.fields.at("content-encoding"), "gzip");
    EXPECT_LT(sent.body.size(), 100U);
    memory::Buffer body = pool_.take(512);
    body.append(sent.body);
    ASSERT_TRUE(decompress(body, ContentEncoding::kGzip, 5000, pool_));
    EXPECT_EQ(body.text(), std::string(5000, '#'));
}

TEST_F(RestRoutesTest, SeveralFieldsAreOneListOfEncodings) {
    make_router_with_metrics(std::string(5000, '#'));
    exchange_.message.fields.add("accept-encoding", "br");
    exchange_.message.fields.add("accept-encoding", "gzip;q=0.5, deflate");
    EXPECT_EQ(get("/metrics").fields.at("content-encoding"), "deflate");
}

TEST_F(RestRoutesTest, WithoutMetricsTheirRouteIsUnknown) {
    EXPECT_EQ(get("/metrics").status, 404);
}

TEST_F(RestRoutesTest, TheRootSaysWhatIsHere) {
    const auto body = json::parse(get("/").body);
    EXPECT_EQ(body["models"], json({"digits"}));
    EXPECT_GT(body["routes"].size(), 5U);
}

TEST_F(RestRoutesTest, AnUnknownRouteIsNamed) {
    EXPECT_EQ(get("/v3/\"x\"").status, 404);
    EXPECT_THAT(json::parse(exchange_.sent[0].body)["error"].get<std::string>(),
                HasSubstr("/v3/\"x\""));
}

TEST_F(RestRoutesTest, AWrongMethodIsToldTheRightOne) {
    EXPECT_EQ(get("/v2/models/digits/infer").status, 405);
    EXPECT_EQ(exchange_.sent[0].fields.at("allow"), "POST");
    exchange_.sent.clear();
    exchange_.reset();
    EXPECT_EQ(handle(net::Method::kPost, "/v2").status, 405);
    EXPECT_EQ(exchange_.sent[0].fields.at("allow"), "GET, HEAD");
    exchange_.sent.clear();
    exchange_.reset();
    EXPECT_EQ(handle(net::Method::kHead, "/v2/health/live").status, 200);
}

TEST_F(RestRoutesTest, AnInferenceIsAnsweredWithItsTimes) {
    const std::string scores = raw<float>({0.5, 0.25});
    service_.outputs = {{"scores", {DataType::kFp32, {1, 2}, bytes_of(scores)}}};
    const auto& sent = infer();
    EXPECT_EQ(sent.status, 200);
    const auto body = json::parse(sent.body);
    EXPECT_EQ(body["id"], "7");
    EXPECT_EQ(body["model_version"], "3");
    EXPECT_EQ(body["outputs"][0]["data"], json({0.5, 0.25}));
    EXPECT_THAT(sent.fields.at("server-timing"),
                testing::MatchesRegex("net;dur=[0-9]+\\.[0-9]{3}, queue;dur=.*, input;dur=.*, "
                                      "compute;dur=.*, output;dur=[0-9]+\\.[0-9]{3}"));
    EXPECT_EQ(service_.last->timeline.received, exchange_.message.received);
    EXPECT_GE(service_.last->timeline.decoded, service_.last->timeline.received);
}

TEST_F(RestRoutesTest, NameAndVersionComeFromThePath) {
    service_.hold = true;
    exchange_.message.method = net::Method::kPost;
    exchange_.message.path = "/v2/models/my%20model/versions/12/infer";
    exchange_.set_body(kInferBody);
    router_->handle(exchange_);
    ASSERT_EQ(service_.calls, 1);
    EXPECT_EQ(service_.last->request.model_name, "my model");
    EXPECT_EQ(service_.last->request.model_version, "12");
    EXPECT_TRUE(exchange_.sent.empty());
    service_.last->answer(Error{ErrorCode::kCancelled, "gone"});
    EXPECT_EQ(exchange_.sent.at(0).status, 499);
}

TEST_F(RestRoutesTest, HeaderDeadlinesReachTheRequest) {
    exchange_.message.fields.add("x-request-timeout-ms", "15");
    infer();
    EXPECT_EQ(service_.last->request.deadline, exchange_.message.received + 15ms);
}

TEST_F(RestRoutesTest, ABadHeaderDeadlineIsRefusedBeforeTheModelIsAsked) {
    exchange_.message.fields.add("x-request-timeout-ms", "soon");
    EXPECT_EQ(infer().status, 400);
    EXPECT_EQ(service_.calls, 0);
}

TEST_F(RestRoutesTest, AnUnknownModelIsSaidBeforeAnythingOfItsInputs) {
    exchange_.message.fields.add("x-request-timeout-ms", "soon");
    for (const std::string_view body : {"", "{", R"({"inputs":[{"name":"x"}]})"}) {
        exchange_.sent.clear();
        EXPECT_EQ(handle(net::Method::kPost, "/v2/models/other/infer", body).status, 404) << body;
        EXPECT_THAT(exchange_.sent[0].body, HasSubstr("other"));
        exchange_.sent.clear();
        exchange_.reset();
    }
}

TEST_F(RestRoutesTest, WhatCannotBeDecodedIsReported) {
    make_router({.max_body_bytes = 1000}, &observations_);
    for (const std::string_view body : {"", "{", R"({"inputs":[{"name":"x"}]})"}) {
        EXPECT_EQ(infer(body).status, 400);
        exchange_.sent.clear();
        exchange_.reset();
    }
    exchange_.message.fields.add("content-encoding", "gzip");
    EXPECT_EQ(infer().status, 400);
    exchange_.sent.clear();
    exchange_.reset();
    exchange_.message.fields.add("grpc-timeout", "x");
    EXPECT_EQ(infer().status, 400);
    EXPECT_EQ(observations_.undecoded,
              (std::vector<std::pair<std::string, ErrorCode>>(
                  5, {"digits", ErrorCode::kInvalidArgument})));
    exchange_.sent.clear();
    exchange_.reset();
    EXPECT_EQ(handle(net::Method::kPost, "/v2/models/other/infer", "{").status, 404);
    exchange_.sent.clear();
    exchange_.reset();
    EXPECT_EQ(infer().status, 200);
    EXPECT_EQ(observations_.undecoded.size(), 5U);
}

TEST_F(RestRoutesTest, DeadlinesCountFromTheRequestsFirstByte) {
    exchange_.message.begun = exchange_.message.received - 10ms;
    exchange_.message.fields.add("x-request-timeout-ms", "15");
    infer();
    EXPECT_EQ(service_.last->request.deadline, exchange_.message.begun + 15ms);
}

TEST_F(RestRoutesTest, LargeAnswersAreNotCompressed) {
    const std::string scores((std::size_t{2} << 20) + 4, '\0');
    service_.outputs = {
        {"scores",
         {DataType::kFp32, {1, static_cast<std::int64_t>(scores.size() / 4)}, bytes_of(scores)}}};
    exchange_.message.fields.add("accept-encoding", "gzip, deflate");
    EXPECT_FALSE(infer().fields.contains("content-encoding"));
}

TEST_F(RestRoutesTest, EveryErrorHasTheStatusOfTheTable) {
    for (const ErrorTraits& traits : all_error_traits()) {
        exchange_.reset();
        exchange_.sent.clear();
        service_.error = Error{traits.code, "why \"not\""};
        EXPECT_EQ(infer().status, traits.http_status) << traits.label;
        EXPECT_EQ(exchange_.sent[0].body, R"({"error":"why \"not\""})");
        EXPECT_EQ(exchange_.sent[0].fields.count("retry-after"),
                  traits.http_status == 429 ? 1U : 0U);
    }
}

TEST_F(RestRoutesTest, APredictedWaitIsToldInWholeSecondsAndInMilliseconds) {
    service_.error = Error{ErrorCode::kOverloaded, "busy", 1'200'001us};
    EXPECT_EQ(infer().status, 429);
    EXPECT_EQ(exchange_.sent[0].fields.at("retry-after"), "2");
    EXPECT_EQ(exchange_.sent[0].fields.at("retry-after-ms"), "1201");
}

TEST_F(RestRoutesTest, TritonsErrorsAreSaidInItsWords) {
    make_router({.triton_errors = true});
    const std::pair<ErrorCode, std::string> cases[] = {
        {ErrorCode::kQueueFull, "Exceeds maximum queue size"},
        {ErrorCode::kOverloaded, "Exceeds maximum queue size"},
        {ErrorCode::kDeadlineExceeded, "Request timeout expired"}};
    for (const auto& [code, text] : cases) {
        exchange_.reset();
        exchange_.sent.clear();
        service_.error = Error{code, "ours"};
        EXPECT_EQ(infer().status, 503);
        EXPECT_EQ(json::parse(exchange_.sent[0].body)["error"], text);
    }
}

TEST_F(RestRoutesTest, CompressedRequestsAndAnswersWork) {
    memory::Buffer body = pool_.take(512);
    body.append(kInferBody);
    ASSERT_TRUE(compress(body, ContentEncoding::kDeflate, pool_));
    exchange_.message.fields.add("content-encoding", "deflate");
    exchange_.message.fields.add("accept-encoding", "gzip");
    const auto& sent = infer(body.text());
    EXPECT_EQ(sent.status, 200) << sent.body;
    EXPECT_EQ(sent.fields.at("content-encoding"), "gzip");
    body.clear();
    body.append(sent.body);
    ASSERT_TRUE(decompress(body, ContentEncoding::kGzip, 1'000'000, pool_));
    EXPECT_EQ(json::parse(body.text())["id"], "7");
}

TEST_F(RestRoutesTest, ABodyThatUnpacksTooLargeIsRefused) {
    make_router({.max_body_bytes = 1000});
    memory::Buffer body = pool_.take(512);
    body.append(kInferBody + std::string(1000, ' '));
    ASSERT_TRUE(compress(body, ContentEncoding::kGzip, pool_));
    exchange_.message.fields.add("content-encoding", "gzip");
    EXPECT_EQ(infer(body.text()).status, 413);
}

TEST_F(RestRoutesTest, ARawBinaryRequestIsAnsweredInBinary) {
    const std::string scores = raw<float>({0.5, 0.25});
    service_.outputs = {{"scores", {DataType::kFp32, {1, 2}, bytes_of(scores)}}};
    exchange_.message.fields.add("inference-header-content-length", "0");
    const auto& sent = infer(raw<float>({1, 2}));
    EXPECT_EQ(sent.status, 200) << sent.body;
    EXPECT_TRUE(sent.body.ends_with(scores));
}

TEST_F(RestRoutesTest, AnAnswerThatJsonCannotCarryIsAnError) {
    service_.outputs = {{"scores", {DataType::kFp16, {1}, bytes_of("12")}}};
    EXPECT_EQ(infer().status, 400);
    EXPECT_THAT(exchange_.sent[0].body, HasSubstr("ask for it as binary data"));
}

}  // namespace
}  // namespace lepton::protocol
