#include "http_exchange.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "scripted_peer.h"

namespace lepton::client {
namespace {

using std::chrono::seconds;

// One exchange that asks model "m" for an inference with one input.
class HttpExchangeTest : public testing::Test {
protected:
    HttpExchangeTest() {
        request_.model = "m";
        request_.inputs = {make_input("x", values_, {1, 2})};
        operation_.request = &request_;
        operation_.deadline = Clock::now() + seconds(10);
    }

    std::string all_to_send() {
        std::string sent;
        for (const iovec& span : exchange_.to_send()) {
            sent.append(static_cast<const char*>(span.iov_base), span.iov_len);
        }
        return sent;
    }
    void begin() { ASSERT_TRUE(exchange_.begin(operation_, answer_)); }
    void send_all() { exchange_.sent(all_to_send().size()); }

    void receive(std::string_view text, std::size_t step = std::numeric_limits<int>::max()) {
        while (!text.empty()) {
            const std::span<std::byte> space = exchange_.space();
            ASSERT_FALSE(space.empty());
            const std::size_t count = std::min({step, space.size(), text.size()});
            std::memcpy(space.data(), text.data(), count);
            exchange_.received(count);
            text.remove_prefix(count);
        }
    }
    // Asks, and receives that text.
    const Failure* told(std::string_view text, std::size_t step = 1 << 20) {
        begin();
        send_all();
        receive(text, step);
        EXPECT_TRUE(exchange_.done());
        return exchange_.failure();
    }

    std::vector<float> values_ = {1, 2};
    InferRequest request_;
    Operation operation_;
    Answer answer_;
    HttpExchange exchange_{"host:80", 1 << 20};
};

TEST_F(HttpExchangeTest, TensorsAreSentFromWhereTheyAre) {
    request_.id = "a\"b";
    request_.priority = 1;
    request_.outputs = {"y"};
    request_.parameters = {{"flag", true}, {"text", std::string_view("\n")}};
    begin();
    const auto spans = exchange_.to_send();
    EXPECT_EQ(spans.back().iov_base, values_.data());
    const std::string sent = all_to_send();
    EXPECT_TRUE(sent.starts_with("POST /v2/models/m/infer HTTP/1.1\r\nHost: host:80\r\n")) << sent;
    EXPECT_NE(sent.find(R"("id":"a\"b")"), std::string::npos) << sent;
    EXPECT_NE(sent.find(R"("priority":1,"flag":true,"text":"\u000a"})"), std::string::npos);
    EXPECT_NE(sent.find(R"("outputs":[{"name":"y"}])"), std::string::npos);
    EXPECT_NE(sent.find(R"("timeout":9)"), std::string::npos);  // 9.99 s, in microseconds.
    const std::size_t body = sent.find("\r\n\r\n") + 4;
    EXPECT_NE(sent.find("Content-Length: " + std::to_string(sent.size() - body) + "\r\n"),
              std::string::npos);
}

TEST_F(HttpExchangeTest, PartOfASpanMaySent) {
    begin();
    const std::string whole = all_to_send();
    std::string sent;
    while (!exchange_.to_send().empty()) {
        sent += *static_cast<const char*>(exchange_.to_send().front().iov_base);
        exchange_.sent(1);
    }
    EXPECT_EQ(sent, whole);
}

TEST_F(HttpExchangeTest, NamesInThePathAreEscaped) {
    request_.model = "a/b c\r\n?";
    request_.version = "2";
    begin();
    EXPECT_TRUE(all_to_send().starts_with(
        "POST /v2/models/a%2Fb%20c%0D%0A%3F/versions/2/infer HTTP/1.1\r\n"));
}

TEST_F(HttpExchangeTest, DataThatDoNotFitTheirShapeAreNotSent) {
    request_.inputs[0].shape = {1, 3};
    const auto begun = exchange_.begin(operation_, answer_);
    ASSERT_FALSE(begun);
    EXPECT_EQ(begun.error().message, "input \"x\" has 8 bytes, but FP32 [1,3] takes 12");
    EXPECT_TRUE(exchange_.done() && exchange_.reusable());
}

TEST_F(HttpExchangeTest, AnswerIsTheSameHoweverItIsCut) {
    const std::string answer = infer_answer({1, 2, 3});
    for (std::size_t step = 1; step < answer.size(); step += 7) {
        ASSERT_EQ(told(answer, step), nullptr);
        EXPECT_EQ(answer_.result.model_name(), "m");
        EXPECT_EQ(answer_.result.model_version(), "3");
        EXPECT_EQ(answer_.result.id(), "7");
        const auto y = answer_.result["y"].as<float>();
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(y.data()) % ByteBuffer::kAlignment, 0u);
        EXPECT_EQ(std::vector<float>(y.begin(), y.end()), (std::vector<float>{1, 2, 3}));
        EXPECT_EQ(answer_.result.timing().compute, std::chrono::microseconds(250));
        EXPECT_TRUE(exchange_.reusable());
    }
}

TEST_F(HttpExchangeTest, ChunkedAnswerIsReadAsWell) {
    const std::string answer = infer_answer({4, 5});
    const std::size_t body_at = answer.find("\r\n\r\n") + 4;
    const std::string body = answer.substr(body_at);
    std::string head = answer.substr(0, body_at);
    const std::string length = "Content-Length: " + std::to_string(body.size());
    const std::size_t length_at = head.rfind(length);
    head.replace(length_at, length.size(), "Transfer-Encoding: chunked");
    std::string chunks;
    for (const char c : body) chunks += std::string("1\r\n") + c + "\r\n";
    for (const std::size_t step : {std::size_t{1}, std::size_t{13}, std::size_t{100'000}}) {
        ASSERT_EQ(told(head + chunks + "0\r\n\r\n", step), nullptr);
        EXPECT_EQ(answer_.result["y"].as<float>()[1], 5);
        EXPECT_TRUE(exchange_.reusable());
    }
}

TEST_F(HttpExchangeTest, ElementsInJsonAreReadAsWell) {
    const std::string body =
        R"({"model_name":"m\u00e9","outputs":[
            {"data":[[1,-2],[3,4]],"name":"i","shape":[2,2],"datatype":"INT8"},
            {"name":"s\"","datatype":"BYTES","shape":[2],"data":["a","\n"]},
            {"name":"f","datatype":"FP64","shape":[1],"data":[0.5],"parameters":{"p":1}},
            {"name":"b","datatype":"BOOL","shape":[2],"data":[true,false]}]})";
    ASSERT_EQ(told(http_answer("200 OK", "", body)), nullptr);
    EXPECT_EQ(answer_.result.model_name(), "m\xc3\xa9");
    EXPECT_EQ(answer_.result["i"].as<std::int8_t>()[1], -2);
    EXPECT_EQ(answer_.result["s\""].strings(), (std::vector<std::string_view>{"a", "\n"}));
    EXPECT_EQ(answer_.result["f"].as<double>()[0], 0.5);
    EXPECT_TRUE(answer_.result["b"].as<bool>()[0]);
}

TEST_F(HttpExchangeTest, FloatsThatAreNotFiniteAreReadFromJson) {
    const std::string body =
        R"({"parameters":{"loss":NaN,"NaN,[{":-Infinity},"outputs":[
            {"name":"f","datatype":"FP32","shape":[2,3],"data":[[NaN,Infinity,-Infinity],[-0.0,null,1e999]]},
            {"name":"s","datatype":"BYTES","shape":[2],"data":["NaN]","\"-Infinity"]},
            {"name":"d","datatype":"FP64","shape":[2],"data":[1e400, 123456789012345678901234567890]},
            {"name":"i","datatype":"INT64","shape":[1],"data":[9007199254740993]}]})";
    ASSERT_EQ(told(http_answer("200 OK", "", body)), nullptr);
    const auto floats = answer_.result["f"].as<float>();
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    EXPECT_TRUE(std::isnan(floats[0]));
    EXPECT_EQ(floats[1], kInfinity);
    EXPECT_EQ(floats[2], -kInfinity);
    EXPECT_TRUE(floats[3] == 0 && std::signbit(floats[3]));
    EXPECT_TRUE(std::isnan(floats[4]));
    EXPECT_EQ(floats[5], kInfinity);
    EXPECT_EQ(answer_.result["s"].strings(),
              (std::vector<std::string_view>{"NaN]", "\"-Infinity"}));
    EXPECT_EQ(answer_.result["d"].as<double>()[0], kInfinity);
    EXPECT_EQ(answer_.result["d"].as<double>()[1], 123456789012345678901234567890.0);
    EXPECT_EQ(answer_.result["i"].as<std::int64_t>()[0], 9007199254740993);
}

TEST_F(HttpExchangeTest, FloatParametersAreSentAsSuch) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    request_.parameters = {
        {"whole", 2.0}, {"none", kInfinity}, {"large", std::numeric_limits<std::uint64_t>::max()}};
    begin();
    EXPECT_NE(all_to_send().find(R"("whole":2.0,"none":Infinity,"large":18446744073709551615})"),
              std::string::npos);
}

TEST_F(HttpExchangeTest, OutputsOfMixedTypesAreAligned) {
    const std::string json =
        R"({"outputs":[{"name":"a","datatype":"UINT8","shape":[3],"parameters":{"binary_data_size":3}},)"
        R"({"name":"b","datatype":"FP64","shape":[1],"parameters":{"binary_data_size":8}}]})";
    const double b = 2.5;
    std::string body = json + "xyz";
    body.append(reinterpret_cast<const char*>(&b), sizeof b);
    ASSERT_EQ(
        told(http_answer("200 OK",
                         "Inference-Header-Content-Length: " + std::to_string(json.size()) + "\r\n",
                         body)),
        nullptr);
    EXPECT_EQ(answer_.result["a"].as<std::uint8_t>()[2], 'z');
    EXPECT_EQ(answer_.result["b"].as<double>()[0], 2.5);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(answer_.result["b"].data.data()) % 8, 0u);
}

TEST_F(HttpExchangeTest, RefusalsAreToldApart) {
    struct {
        std::string_view status;
        ErrorCode code;
        Failure::Cause cause;
    } const cases[] = {
        {"400 Bad Request", ErrorCode::kInvalidArgument, Failure::Cause::kAnswered},
        {"404 Not Found", ErrorCode::kModelNotFound, Failure::Cause::kAnswered},
        {"418 Teapot", ErrorCode::kInvalidArgument, Failure::Cause::kAnswered},
        {"429 Too Many Requests", ErrorCode::kOverloaded, Failure::Cause::kRefused},
        {"500 Internal", ErrorCode::kInternal, Failure::Cause::kAnswered},
        {"502 Bad Gateway", ErrorCode::kUnavailable, Failure::Cause::kAnswered},
        {"503 Unavailable", ErrorCode::kUnavailable, Failure::Cause::kRefused},
        {"504 Timeout", ErrorCode::kDeadlineExceeded, Failure::Cause::kAnswered},
    };
    for (const auto& expected : cases) {
        const Failure* const failure =
            told(http_answer(expected.status, "Retry-After: 1\r\n", R"({"error":"it says"})"));
        ASSERT_NE(failure, nullptr) << expected.status;
        EXPECT_EQ(failure->error.code, expected.code) << expected.status;
        EXPECT_EQ(failure->cause, expected.cause) << expected.status;
        EXPECT_EQ(failure->error.message, "it says");
        EXPECT_EQ(failure->retry_after, std::chrono::milliseconds(1000));
        EXPECT_TRUE(exchange_.reusable()) << "the framing was right";
        EXPECT_TRUE(answer_.result.outputs().empty());
    }
}

TEST_F(HttpExchangeTest, WhatIsNoInferenceServerIsToldFromOneWithAnError) {
    const Failure* failure = told(http_answer("500 Oops", "", "<html>nginx</html>\r\n"));
    EXPECT_EQ(failure->error.message,
              "no inference server: it answers with status 500, and says: <html>nginx</html>");
    EXPECT_TRUE(failure->stranger);
    failure = told(http_answer("404 Not Found", "", "<html>not here</html>"));
    EXPECT_EQ(failure->error.code, ErrorCode::kUnavailable);
    failure = told(http_answer("404 Not Found", "", ""));
    EXPECT_EQ(failure->error.code, ErrorCode::kModelNotFound);
    EXPECT_EQ(failure->error.message, "no inference server: it answers with status 404");
    failure = told(http_answer("404 Not Found", "", R"({"error":"no model"})"));
    EXPECT_EQ(failure->error.code, ErrorCode::kModelNotFound);
    EXPECT_FALSE(failure->stranger);
}

TEST_F(HttpExchangeTest, GarbageBreaksTheProtocolAndEndsTheConnection) {
    const std::string json_only = http_answer("200 OK", "", "{\"outputs\":[{\"name\":1}]}");
    const std::string too_long =
        http_answer("200 OK", "Inference-Header-Content-Length: 99\r\n", "{}");
    for (
        const std::string& text :
        {std::string("SSH-2.0\r\n\r\n"),
         json_only,
         too_long,
         http_answer("200 OK", "", "[]"),
         http_answer("200 OK", "", ""),
         http_answer("200 OK", "", "{}"),
         http_answer("200 OK",
                     "",
                     R"({"outputs":[{"name":"y","datatype":"FP32","shape":[2],"data":[1]}]})"),
         http_answer("200 OK",
                     "",
                     R"({"outputs":[{"name":"y","datatype":"FP32","shape":[-1],"data":[1]}]})"),
         http_answer("200 OK",
                     "",
                     R"({"outputs":[{"name":"y","datatype":"INT8","shape":[1],"data":[400]}]})"),
         http_answer("200 OK",
                     "",
                     R"({"outputs":[{"name":"y","datatype":"INT8","shape":[1],"data":[NaN]}]})"),
         http_answer("200 OK",
                     "",
                     R"({"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[Nan]}]})"),
         http_answer("200 OK",
                     "",
                     R"({"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[1e39]}]})"),
         http_answer(
             "200 OK", "", R"({"outputs":[{"name":"y","datatype":"XX","shape":[1],"data":[1]}]})"),
         http_answer(
             "200 OK",
             "Inference-Header-Content-Length: 82\r\n",
             R"({"outputs":[{"name":"y","datatype":"UINT8","shape":[9],"parameters":{"binary_data_size":9}}]})"),
         http_answer(
             "200 OK", "Inference-Header-Content-Length: 14\r\n", R"({"outputs":[]}surplus)")}) {
        HttpExchange exchange("h", 1 << 20);
        Answer answer;
        ASSERT_TRUE(exchange.begin(operation_, answer));
        std::string_view rest = text;
        while (!rest.empty() && !exchange.done()) {
            const auto space = exchange.space();
            const std::size_t count = std::min(space.size(), rest.size());
            std::memcpy(space.data(), rest.data(), count);
            exchange.received(count);
            rest.remove_prefix(count);
        }
        ASSERT_TRUE(exchange.done()) << text;
        ASSERT_NE(exchange.failure(), nullptr) << text;
        EXPECT_EQ(exchange.failure()->cause, Failure::Cause::kProtocol) << text;
        EXPECT_EQ(exchange.failure()->error.code, ErrorCode::kInternal) << text;
        EXPECT_FALSE(exchange.reusable());
    }
}

TEST_F(HttpExchangeTest, TextThatEndsInMidJsonIsRefused) {
    const std::string json =
        R"({"model_name":null,"id":"7","outputs":[{"name":"y","datatype":"FP32","shape":[1],)"
        R"("parameters":{"p":[1]},"data":[0.5]}]})";
    ASSERT_EQ(told(http_answer("200 OK", "", json)), nullptr);
    const std::string model =
        R"({"name":"m","platform":"p","inputs":[{"name":"x","datatype":"FP32","shape":[-1]}],)"
        R"("outputs":[],"parameters":{"e":"v"}})";
    for (const std::string& text : {json, model}) {
        operation_.kind = text == json ? Operation::Kind::kInfer : Operation::Kind::kModelMetadata;
        operation_.request = text == json ? &request_ : nullptr;
        for (std::size_t size = 0; size < text.size(); ++size) {
            // What follows is not JSON, and is not read as JSON.
            for (const char filler : {'\0', 'n', '}'}) {
                HttpExchange exchange("h", 1 << 20);
                Answer answer;
                ASSERT_TRUE(exchange.begin(operation_, answer));
                std::string cut = text.substr(0, size);
                cut.resize(text.size(), filler);
                const std::string whole = http_answer("200 OK", "", cut);
                std::memcpy(exchange.space().data(), whole.data(), whole.size());
                exchange.received(whole.size());
                ASSERT_TRUE(exchange.done());
                if (exchange.failure() != nullptr) {
                    EXPECT_EQ(exchange.failure()->cause, Failure::Cause::kProtocol);
                }
            }
        }
    }
}

TEST_F(HttpExchangeTest, AnswerBeyondTheBoundIsRefusedBeforeItComes) {
    const Failure* const failure = told("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    ASSERT_NE(failure, nullptr);
    EXPECT_NE(failure->error.message.find("raise max_answer_bytes"), std::string::npos);
}

TEST_F(HttpExchangeTest, EndlessHeadIsRefused) {
    begin();
    while (!exchange_.done()) receive("HTTP/1.1 200 OK\r\n" + std::string(5000, 'x'));
    EXPECT_EQ(exchange_.failure()->cause, Failure::Cause::kProtocol);
}

TEST_F(HttpExchangeTest, CutAnswerIsToldFromNone) {
    begin();
    send_all();
    exchange_.received_end();
    ASSERT_TRUE(exchange_.done());
    EXPECT_EQ(exchange_.failure()->cause, Failure::Cause::kCut);
    EXPECT_NE(exchange_.failure()->error.message.find("without an answer"), std::string::npos);

    HttpExchange other("h", 1 << 20);
    ASSERT_TRUE(other.begin(operation_, answer_));
    const std::string part = infer_answer({1}).substr(0, 200);
    std::memcpy(other.space().data(), part.data(), part.size());
    other.received(part.size());
    other.received_end();
    EXPECT_EQ(other.failure()->cause, Failure::Cause::kCut);
    EXPECT_NE(other.failure()->error.message.find("middle"), std::string::npos);
}

TEST_F(HttpExchangeTest, AnswerWithoutALengthEndsWithTheConnection) {
    begin();
    send_all();
    receive(
        "HTTP/1.1 200 OK\r\n\r\n"
        R"({"outputs":[]})");
    EXPECT_FALSE(exchange_.done());
    exchange_.received_end();
    EXPECT_TRUE(exchange_.done());
    EXPECT_EQ(exchange_.failure(), nullptr);
    EXPECT_FALSE(exchange_.reusable());
}

TEST_F(HttpExchangeTest, InterimAnswerIsPassedOver) {
    ASSERT_EQ(told("HTTP/1.1 100 Continue\r\n\r\n" + infer_answer({1}), 11), nullptr);
    EXPECT_TRUE(exchange_.reusable());
}

TEST_F(HttpExchangeTest, AnswerBeforeTheRequestWasSentEndsTheConnection) {
    begin();
    receive(http_answer("413 Too Large", "", R"({"error":"too large"})"));
    ASSERT_TRUE(exchange_.done());
    EXPECT_EQ(exchange_.failure()->error.code, ErrorCode::kPayloadTooLarge);
    EXPECT_FALSE(exchange_.reusable());
}

TEST_F(HttpExchangeTest, WhatComesUnaskedEndsTheConnection) {
    ASSERT_EQ(told(infer_answer({1})), nullptr);
    receive("HTTP/1.1 408 Request Timeout\r\n\r\n");
    EXPECT_FALSE(exchange_.reusable());
}

TEST_F(HttpExchangeTest, AbandonedExchangeIsNotReusable) {
    begin();
    EXPECT_FALSE(exchange_.abandon());
    EXPECT_TRUE(exchange_.done());
}

TEST_F(HttpExchangeTest, ModelIsRead) {
    operation_.kind = Operation::Kind::kModelMetadata;
    operation_.request = nullptr;
    operation_.model = "m";
    const std::string body =
        R"({"name":"m","versions":["1","2"],"platform":"p","inputs":[{"name":"x","datatype":"FP32",)"
        R"("shape":[-1,2]}],"outputs":[{"name":"y","datatype":"BYTES","shape":[1]}],)"
        R"("parameters":{"engine":"e 1","n":1}})";
    ASSERT_EQ(told(http_answer("200 OK", "", body)), nullptr);
    EXPECT_EQ(answer_.model.versions, (std::vector<std::string>{"1", "2"}));
    EXPECT_EQ(answer_.model.inputs.at(0).shape, Shape({-1, 2}));
    EXPECT_EQ(answer_.model.outputs.at(0).dtype, DataType::kBytes);
    ASSERT_EQ(answer_.model.properties.size(), 1u);
    EXPECT_EQ(answer_.model.properties[0].second, "e 1");
}

}  // namespace
}  // namespace lepton::client
