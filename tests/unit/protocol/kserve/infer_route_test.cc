// What is long for a loop is done aside, in both protocols.
#include <string>

#include <gtest/gtest.h>
#include <inference.pb.h>
#include <nlohmann/json.hpp>

#include "lepton/protocol/content_encoding.h"
#include "lepton/protocol/kserve/infer_route.h"
#include "lepton/protocol/router.h"
#include "unit/protocol/fakes.h"

namespace lepton::protocol {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::size_t kLong = kDecodedOnLoop + 8;

class InferRouteTest : public testing::Test {
protected:
    struct Rest {
        std::string json;
        std::string data;
    };

    // Of an input of so many bytes as binary data.
    static Rest binary(const std::string& dtype, std::size_t elements, std::string data) {
        return {R"({"inputs":[{"name":"image","datatype":")" + dtype + R"(","shape":[1,)" +
                    std::to_string(elements) + R"(],"parameters":{"binary_data_size":)" +
                    std::to_string(data.size()) + "}}]}",
                std::move(data)};
    }
    const FakeExchange::Sent& rest(const Rest& body) {
        exchange_.message.fields.add("inference-header-content-length",
                                     std::to_string(body.json.size()));
        return rest(body.json + body.data);
    }
    const FakeExchange::Sent& rest(const std::string& body) {
        exchange_.message.method = net::Method::kPost;
        exchange_.message.path = "/v2/models/digits/infer";
        return handle(body);
    }
    const FakeExchange::Sent& grpc(const inference::ModelInferRequest& request) {
        exchange_.message.grpc = true;
        exchange_.message.path = "/inference.GRPCInferenceService/ModelInfer";
        return handle(request.SerializeAsString());
    }
    static inference::ModelInferRequest grpc_request(const std::string& dtype) {
        inference::ModelInferRequest request;
        request.set_model_name("digits");
        auto* input = request.add_inputs();
        input->set_name("image");
        input->set_datatype(dtype);
        return request;
    }
    const FakeExchange::Sent& handle(const std::string& body) {
        exchange_.set_body(body);
        router_.handle(exchange_);
        EXPECT_EQ(exchange_.sent.size(), 1U);
        return exchange_.sent.at(0);
    }
    int put_aside() const { return exchange_.fake_loop.put_aside; }

    memory::BufferPool pool_;
    FakeCatalog catalog_;
    FakeService service_{catalog_.model};
    Router router_{{service_, catalog_, pool_}, {}};
    FakeExchange exchange_{pool_};
};

std::string long_json(std::size_t bytes) {
    std::string values = "1";
    while (values.size() < bytes) values += ",1";
    return R"({"inputs":[{"name":"image","datatype":"FP32","shape":[)" +
           std::to_string((values.size() + 1) / 2) + R"(],"data":[)" + values + "]}]}";
}

TEST_F(InferRouteTest, ShortRequestsStayOnTheLoop) {
    EXPECT_EQ(rest(long_json(1000)).status, 200);
    EXPECT_EQ(put_aside(), 0);
}

TEST_F(InferRouteTest, LongJsonGoesAside) {
    EXPECT_EQ(rest(long_json(kLong)).status, 200);
    EXPECT_EQ(put_aside(), 1);
    EXPECT_GT(service_.last->request.inputs[0].tensor.data.size(), kLong / 2 * 4);
    EXPECT_GE(service_.last->timeline.decoded, service_.last->timeline.received);
}

TEST_F(InferRouteTest, NumbersAsBytesStayOnTheLoop) {
    EXPECT_EQ(rest(binary("FP32", kLong / 4, std::string(kLong, '\0'))).status, 200);
    EXPECT_EQ(put_aside(), 0);
}

TEST_F(InferRouteTest, ManyStringsGoAside) {
    std::string strings;
    while (strings.size() < kLong) strings += raw_strings({"x"});
    EXPECT_EQ(rest(binary("BYTES", strings.size() / 5, strings)).status, 200);
    EXPECT_EQ(put_aside(), 1);
}

TEST_F(InferRouteTest, ADatatypeSpelledWithEscapesDoesNotHideThem) {
    std::string strings;
    while (strings.size() < kLong) strings += raw_strings({"x"});
    EXPECT_EQ(rest(binary("B\\u0059TES", strings.size() / 5, strings)).status, 200);
    EXPECT_EQ(put_aside(), 1);
}

TEST_F(InferRouteTest, ALongRawBodyGoesAside) {
    catalog_.model->inputs[0].dtype = DataType::kBytes;
    catalog_.model->inputs[0].shape = {-1};
    catalog_.model->batches = false;
    exchange_.message.fields.add("inference-header-content-length", "0");
    rest(std::string(kLong, 'x'));
    EXPECT_EQ(put_aside(), 1);
}

TEST_F(InferRouteTest, CompressedBodiesGoAsideForFewBytesMayStandForMany) {
    memory::Buffer body = pool_.take(512);
    body.append(std::string_view(long_json(2 * kLong)));
    ASSERT_TRUE(compress(body, ContentEncoding::kGzip, pool_));
    ASSERT_LT(body.size(), 1000U);
    exchange_.message.fields.add("content-encoding", "gzip");
    EXPECT_EQ(rest(std::string(body.text())).status, 200);
    EXPECT_EQ(put_aside(), 1);
}

TEST_F(InferRouteTest, WhatIsWrongIsSaidAndTheModelIsNotAsked) {
    EXPECT_EQ(rest(long_json(kLong) + "}").status, 400);
    EXPECT_EQ(put_aside(), 1);
    EXPECT_EQ(service_.calls, 0);
}

TEST_F(InferRouteTest, WhoLeavesMeanwhileHasNothingDecoded) {
    exchange_.fake_loop.before_aside = [this] { exchange_.gone(); };
    EXPECT_EQ(rest(long_json(kLong)).status, 499);
    EXPECT_EQ(service_.calls, 0);
}

TEST_F(InferRouteTest, ADeadlineThatPassesMeanwhileIsMissed) {
    exchange_.message.fields.add("x-request-timeout-ms", "1");
    exchange_.message.received = Clock::now() - 2ms;
    EXPECT_EQ(rest(long_json(kLong)).status, 504);
    EXPECT_EQ(service_.calls, 0);
}

TEST_F(InferRouteTest, AnUnknownModelIsSaidForALongRequestToo) {
    exchange_.message.method = net::Method::kPost;
    exchange_.message.path = "/v2/models/other/infer";
    EXPECT_EQ(handle(long_json(kLong) + "}").status, 404);
}

TEST_F(InferRouteTest, RawContentsOfNumbersStayOnTheLoopAndTypedOnesDoNot) {
    auto request = grpc_request("FP32");
    request.mutable_inputs(0)->add_shape(kLong / 4);
    request.add_raw_input_contents(std::string(kLong, '\0'));
    EXPECT_EQ(grpc(request).grpc_status, 0);
    EXPECT_EQ(put_aside(), 0);

    exchange_.sent.clear();
    exchange_.reset();
    request.clear_raw_input_contents();
    for (std::size_t i = 0; i < kLong / 4; ++i) {
        request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
    }
    EXPECT_EQ(grpc(request).grpc_status, 0);
    EXPECT_EQ(put_aside(), 1);
}

TEST_F(InferRouteTest, RawContentsOfStringsGoAside) {
    auto request = grpc_request("BYTES");
    std::string strings;
    while (strings.size() < kLong) strings += raw_strings({"x"});
    request.mutable_inputs(0)->add_shape(static_cast<std::int64_t>(strings.size() / 5));
    request.add_raw_input_contents(strings);
    EXPECT_EQ(grpc(request).grpc_status, 0);
    EXPECT_EQ(put_aside(), 1);
}

TEST_F(InferRouteTest, ManySmallFieldsGoAside) {
    exchange_.message.grpc = true;
    exchange_.message.path = "/inference.GRPCInferenceService/ModelInfer";
    std::string empty_contents;
    while (empty_contents.size() < kLong) empty_contents += std::string("\x3a\x00", 2);
    handle(empty_contents);
    EXPECT_EQ(put_aside(), 1);
}

TEST_F(InferRouteTest, OtherMethodsTakeNoLongMessages) {
    exchange_.message.grpc = true;
    exchange_.message.path = "/inference.GRPCInferenceService/ModelMetadata";
    inference::ModelMetadataRequest request;
    request.set_name(std::string(kLong, 'x'));
    const auto& sent = handle(request.SerializeAsString());
    EXPECT_EQ(sent.grpc_status, traits_of(ErrorCode::kPayloadTooLarge).grpc_status);
    EXPECT_NE(sent.grpc_message.find("at most 65536 bytes"), std::string::npos);
}

TEST_F(InferRouteTest, ALongAnswerInJsonGoesAsideAndOutlivesItsRun) {
    std::string scores(kLong, '\0');
    service_.outputs = {
        {"scores", {DataType::kFp32, {1, static_cast<std::int64_t>(kLong / 4)}, bytes_of(scores)}}};
    // The slot is overwritten by the next run while the answer waits to be written.
    exchange_.fake_loop.before_aside = [&scores] { scores.assign(scores.size(), '\x7f'); };
    const auto& sent = rest(long_json(10));
    EXPECT_EQ(sent.status, 200);
    EXPECT_EQ(put_aside(), 1);
    EXPECT_TRUE(sent.fields.contains("server-timing"));
    const auto data = json::parse(sent.body)["outputs"][0]["data"];
    EXPECT_EQ(data.size(), kLong / 4);
    EXPECT_EQ(data[0], 0.0);
    EXPECT_EQ(data.back(), 0.0);
}

TEST_F(InferRouteTest, ALongAnswerInBytesGoesAsideOnlyForItsCopy) {
    const std::string some(kLong, '\0');
    const std::string much(kCopiedOnLoop + 4, '\0');
    auto request = grpc_request("FP32");
    request.mutable_inputs(0)->add_shape(0);
    for (const auto& [scores, expected] : {std::pair(&some, 0), std::pair(&much, 1)}) {
        service_.outputs = {{"scores",
                             {DataType::kFp32,
                              {1, static_cast<std::int64_t>(scores->size() / 4)},
                              bytes_of(*scores)}}};
        EXPECT_EQ(grpc(request).grpc_status, 0);
        EXPECT_EQ(put_aside(), expected);
        inference::ModelInferResponse response;
        ASSERT_TRUE(response.ParseFromString(exchange_.sent[0].body));
        EXPECT_EQ(response.raw_output_contents(0), *scores);
        exchange_.sent.clear();
        exchange_.reset();
    }
}

TEST_F(InferRouteTest, ALongAnswerThatJsonCannotCarryIsAnError) {
    const std::string scores(kLong, '\0');
    service_.outputs = {
        {"scores", {DataType::kFp16, {1, static_cast<std::int64_t>(kLong / 2)}, bytes_of(scores)}}};
    EXPECT_EQ(rest(long_json(10)).status, 400);
    EXPECT_EQ(put_aside(), 1);
}

TEST_F(InferRouteTest, WhoLeavesBeforeALongAnswerIsWrittenGetsNone) {
    const std::string scores(kLong, '\0');
    service_.outputs = {
        {"scores", {DataType::kFp32, {1, static_cast<std::int64_t>(kLong / 4)}, bytes_of(scores)}}};
    exchange_.fake_loop.before_aside = [this] { exchange_.gone(); };
    EXPECT_EQ(rest(long_json(10)).status, 499);
}

// Stands for the model that has the call.
class FakeNode final : public CallStage {
public:
    void on_cancelled(InferCall& call) noexcept override {
        call.answer(Error{ErrorCode::kCancelled, "the client went away"});
    }
    void on_written(const InferCall& call) noexcept override {
        ++written;
        when = call.timeline.written;
    }
    int written = 0;
    Clock::time_point when;
};

TEST_F(InferRouteTest, ClientThatLeavesIsMadeKnownToWhoeverHasItsCall) {
    FakeNode node;
    service_.hold = true;
    exchange_.message.method = net::Method::kPost;
    exchange_.message.path = "/v2/models/digits/infer";
    exchange_.set_body(long_json(10));
    router_.handle(exchange_);
    service_.last->push(node);
    EXPECT_TRUE(exchange_.sent.empty());
    exchange_.gone();
    ASSERT_EQ(exchange_.sent.size(), 1U);
    EXPECT_EQ(exchange_.sent[0].status, 499);
    EXPECT_EQ(node.written, 0);
    exchange_.reset();
    EXPECT_EQ(node.written, 1);
}

TEST_F(InferRouteTest, WhatTheCallHoldsIsLetGoWhenTheReplyIsOut) {
    const net::Peer peer{.number = 7, .name = "someone", .reached_at = {}};
    exchange_.peer = &peer;
    const auto users = catalog_.model.use_count();
    auto owned = std::make_shared<FakeNode>();
    service_.hold = true;
    exchange_.message.method = net::Method::kPost;
    exchange_.message.path = "/v2/models/digits/infer";
    exchange_.set_body(long_json(10));
    router_.handle(exchange_);
    InferCall& call = *service_.last;
    EXPECT_EQ(call.client, 7U);
    EXPECT_EQ(call.loop, &exchange_.fake_loop);
    call.push(owned);
    call.response.model = catalog_.model;
    call.answer();
    EXPECT_GT(catalog_.model.use_count(), users);
    EXPECT_GT(owned.use_count(), 1);
    exchange_.Exchange::sent(Clock::now());
    EXPECT_EQ(owned->written, 1);
    EXPECT_GT(owned->when, Clock::time_point());
    EXPECT_EQ(catalog_.model.use_count(), users);
    EXPECT_EQ(owned.use_count(), 1);
}

}  // namespace
}  // namespace lepton::protocol
