#include "grpc_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "inference.pb.h"
#include "unit/client/grpc_peer.h"

namespace lepton::client {
namespace {

using Cause = Failure::Cause;
using ::testing::HasSubstr;

std::string answer_with(const std::vector<float>& values) {
    inference::ModelInferResponse answer;
    answer.set_model_name("mlp");
    auto& output = *answer.add_outputs();
    output.set_name("out");
    output.set_datatype("FP32");
    output.add_shape(static_cast<std::int64_t>(values.size()));
    answer.add_raw_output_contents(values.data(), values.size() * sizeof(float));
    return answer.SerializeAsString();
}

class GrpcExchangeTest : public ::testing::Test {
protected:
    GrpcExchangeTest() { set_input({1, 2, 3}); }

    void set_input(std::vector<float> values) {
        input_ = std::move(values);
        request_.model = "mlp";
        request_.inputs = {make_input("in", input_, {static_cast<std::int64_t>(input_.size())})};
    }
    void begin() {
        Operation operation;
        operation.request = &request_;
        operation.deadline = Clock::now() + std::chrono::seconds(30);
        const auto begun = exchange_->begin(operation, answer_);
        ASSERT_TRUE(begun) << begun.error().message;
        ASSERT_FALSE(exchange_->done());
    }
    // Asks and lets the peer receive all of it.
    void ask(GrpcPeer& peer) {
        begin();
        peer.talk_to(*exchange_);
        ASSERT_FALSE(exchange_->done());
    }
    void expect_values(const std::vector<float>& values) {
        ASSERT_TRUE(exchange_->done());
        ASSERT_EQ(exchange_->failure(), nullptr) << exchange_->failure()->error.message;
        const auto got = answer_.result["out"].as<float>();
        EXPECT_EQ(std::vector<float>(got.begin(), got.end()), values);
    }
    void expect_failure(Cause cause, ErrorCode code, const std::string& part) {
        ASSERT_TRUE(exchange_->done());
        ASSERT_NE(exchange_->failure(), nullptr);
        EXPECT_EQ(exchange_->failure()->cause, cause);
        EXPECT_EQ(exchange_->failure()->error.code, code);
        EXPECT_THAT(exchange_->failure()->error.message, HasSubstr(part));
        EXPECT_TRUE(answer_.result.outputs().empty());
    }
    void hear_raw(std::string_view bytes) {
        while (!bytes.empty()) {
            const std::span<std::byte> space = exchange_->space();
            const std::size_t count = std::min(bytes.size(), space.size());
            std::memcpy(space.data(), bytes.data(), count);
            bytes.remove_prefix(count);
            exchange_->received(count);
        }
    }

    std::vector<float> input_;
    InferRequest request_;
    Answer answer_;
    std::unique_ptr<Exchange> exchange_ =
        make_grpc_exchange({.authority = "host:8000", .tls = false, .max_answer_bytes = 64 << 20});
};

TEST_F(GrpcExchangeTest, AsksAsGrpcHasItAndReadsTheAnswer) {
    GrpcPeer peer;
    ask(peer);
    const auto& asked = peer.asked(1);
    EXPECT_TRUE(asked.complete);
    EXPECT_EQ(asked.fields.at(":method"), "POST");
    EXPECT_EQ(asked.fields.at(":scheme"), "http");
    EXPECT_EQ(asked.fields.at(":path"), "/inference.GRPCInferenceService/ModelInfer");
    EXPECT_EQ(asked.fields.at(":authority"), "host:8000");
    EXPECT_EQ(asked.fields.at("te"), "trailers");
    EXPECT_EQ(asked.fields.at("content-type"), "application/grpc");
    EXPECT_THAT(asked.fields.at("grpc-timeout"), testing::MatchesRegex("29[0-9]*u|30000000u"));
    inference::ModelInferRequest message;
    ASSERT_TRUE(message.ParseFromString(asked.body.substr(5)));
    EXPECT_EQ(message.raw_input_contents(0).size(), 12u);

    peer.answer(1,
                answer_with({4, 5}),
                {{"grpc-status", "0"}, {"server-timing", "queue;dur=2, compute;dur=1.5"}});
    peer.talk_to(*exchange_);
    expect_values({4, 5});
    EXPECT_EQ(answer_.result.model_name(), "mlp");
    EXPECT_EQ(answer_.result.timing().queue, std::chrono::milliseconds(2));
    EXPECT_EQ(answer_.result.timing().compute, std::chrono::microseconds(1500));
    EXPECT_TRUE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, OneConnectionAnswersManyQuestions) {
    GrpcPeer peer;
    for (int i = 0; i < 300; ++i) {
        ask(peer);
        const auto value = static_cast<float>(i);
        peer.answer(2 * i + 1, answer_with({value}));
        peer.talk_to(*exchange_);
        expect_values({value});
    }
}

TEST_F(GrpcExchangeTest, BytesMayComeAndGoInAnySteps) {
    for (const std::size_t step : {1u, 2u, 3u, 7u, 100u}) {
        exchange_ = make_grpc_exchange({.authority = "host"});
        GrpcPeer peer({.window = 65535, .step = step});
        for (int i = 0; i < 3; ++i) {
            ask(peer);
            peer.answer(2 * i + 1, answer_with({1, 2}));
            peer.talk_to(*exchange_);
            expect_values({1, 2});
        }
    }
}

TEST_F(GrpcExchangeTest, LargeTensorsGoOutFromWhereTheyAre) {
    set_input(std::vector<float>(4'000));
    begin();
    const auto* const tensor = reinterpret_cast<const std::byte*>(input_.data());
    std::size_t referred = 0;
    for (const iovec& span : exchange_->to_send()) {
        const auto* const at = static_cast<const std::byte*>(span.iov_base);
        if (at >= tensor && at < tensor + 16'000) referred += span.iov_len;
    }
    EXPECT_EQ(referred, 16'000u);
}

TEST_F(GrpcExchangeTest, TensorsLargerThanTheWindowsFollowThem) {
    // 16 MiB through a window of 64 KiB, and 16 MiB back.
    std::vector<float> values(4 << 20);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
    set_input(values);
    GrpcPeer peer;
    ask(peer);
    inference::ModelInferRequest message;
    ASSERT_TRUE(message.ParseFromString(peer.asked(1).body.substr(5)));
    EXPECT_EQ(message.raw_input_contents(0),
              std::string_view(reinterpret_cast<const char*>(values.data()),
                               values.size() * sizeof(float)));
    peer.answer(1, answer_with(values));
    peer.talk_to(*exchange_);
    expect_values(values);
}

TEST_F(GrpcExchangeTest, ListToSendStaysShorterThanOneSystemCallTakes) {
    set_input(std::vector<float>(16 << 20));
    GrpcPeer peer({.window = 0x7fffffff, .step = 100'000});
    begin();
    while (!peer.streams().empty() ? !peer.asked(1).complete : true) {
        ASSERT_LE(exchange_->to_send().size(), 600u);
        peer.talk_to(*exchange_);
    }
    peer.answer(1, answer_with({1}));
    peer.talk_to(*exchange_);
    expect_values({1});
}

TEST_F(GrpcExchangeTest, RefusalIsReadFromTheTrailers) {
    GrpcPeer peer;
    ask(peer);
    peer.refuse(1, {{"grpc-status", "8"}, {"grpc-message", "queue of model %22mlp%22 is full"}});
    peer.talk_to(*exchange_);
    expect_failure(Cause::kRefused, ErrorCode::kQueueFull, "queue of model \"mlp\" is full");
    EXPECT_TRUE(exchange_->reusable());

    ask(peer);
    peer.answer(3, answer_with({9}));
    peer.talk_to(*exchange_);
    expect_values({9});
}

TEST_F(GrpcExchangeTest, ResetStreamFailsButTheConnectionIsKept) {
    GrpcPeer peer;
    ask(peer);
    peer.reset(1, NGHTTP2_REFUSED_STREAM);
    peer.talk_to(*exchange_);
    expect_failure(Cause::kRefused, ErrorCode::kUnavailable, "refused");
    EXPECT_TRUE(exchange_->reusable());
    ask(peer);
    peer.reset(3, NGHTTP2_INTERNAL_ERROR);
    peer.talk_to(*exchange_);
    expect_failure(Cause::kCut, ErrorCode::kUnavailable, "INTERNAL_ERROR");
    EXPECT_TRUE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, GoawayBeforeTheRequestMakesItSafeToRetryElsewhere) {
    GrpcPeer peer;
    ask(peer);
    peer.go_away(0);
    peer.talk_to(*exchange_);
    expect_failure(Cause::kRefused, ErrorCode::kUnavailable, "refused");
    EXPECT_FALSE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, GoawayAfterTheRequestStillLetsItBeAnswered) {
    GrpcPeer peer;
    ask(peer);
    peer.go_away(1);
    peer.talk_to(*exchange_);
    EXPECT_FALSE(exchange_->done());
    peer.answer(1, answer_with({1}));
    peer.talk_to(*exchange_);
    expect_values({1});
    EXPECT_FALSE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, GoawayWhileNothingIsAskedEndsTheConnection) {
    GrpcPeer peer;
    ask(peer);
    peer.answer(1, answer_with({1}));
    peer.talk_to(*exchange_);
    EXPECT_TRUE(exchange_->reusable());
    peer.go_away(1);
    peer.talk_to(*exchange_);
    EXPECT_FALSE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, EarlyRefusalOfALargeRequestEndsItsStreamAndKeepsTheConnection) {
    set_input(std::vector<float>(1 << 20));
    GrpcPeer peer({.window = 0});  // Takes the headers, and no body.
    ask(peer);
    EXPECT_FALSE(peer.asked(1).complete);
    peer.refuse(1, {{"grpc-status", "3"}, {"grpc-message", "too large"}});
    peer.talk_to(*exchange_);
    expect_failure(Cause::kAnswered, ErrorCode::kInvalidArgument, "too large");
    EXPECT_TRUE(exchange_->reusable());
    EXPECT_EQ(peer.asked(1).reset, NGHTTP2_CANCEL);
}

TEST_F(GrpcExchangeTest, AbandonedCallIsResetAndTheNextOneIsNotConfused) {
    GrpcPeer peer;
    ask(peer);
    EXPECT_TRUE(exchange_->abandon());
    EXPECT_TRUE(exchange_->done());
    peer.answer(1, answer_with({1}));
    peer.talk_to(*exchange_);
    EXPECT_EQ(peer.asked(1).reset, NGHTTP2_CANCEL);
    ask(peer);
    peer.answer(3, answer_with({2}));
    peer.talk_to(*exchange_);
    expect_values({2});
}

TEST_F(GrpcExchangeTest, CallAbandonedWithinItsTensorTakesTheConnectionWithIt) {
    set_input(std::vector<float>(1'000));
    begin();
    ASSERT_FALSE(exchange_->to_send().empty());
    exchange_->sent(300);
    EXPECT_FALSE(exchange_->abandon());
    EXPECT_FALSE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, CallAbandonedWhileItsBodyWaitsForTheWindowKeepsTheConnection) {
    set_input(std::vector<float>(1 << 20));
    GrpcPeer peer({.window = 0});
    ask(peer);
    EXPECT_TRUE(exchange_->abandon());
    input_ = {};
    peer.talk_to(*exchange_);
    EXPECT_EQ(peer.asked(1).reset, NGHTTP2_CANCEL);
    // Before it learned of the window it may have sent the protocol's 64 KiB.
    EXPECT_LT(peer.asked(1).body.size(), 65536u);
}

TEST_F(GrpcExchangeTest, ConnectionThatEndsInMidAnswerIsCut) {
    GrpcPeer peer;
    ask(peer);
    exchange_->received_end();
    expect_failure(Cause::kCut, ErrorCode::kUnavailable, "closed before the answer was complete");
    EXPECT_FALSE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, AnswersThatBreakGrpcSaySo) {
    const Fields ok{{":status", "200"}, {"content-type", "application/grpc"}};
    const Fields zero{{"grpc-status", "0"}};
    struct Case {
        Fields head;
        std::string body;
        Fields trailers;
        std::string message;
    };
    const std::string whole = framed(answer_with({1}));
    std::string compressed = whole;
    compressed[0] = 1;
    const std::string cut = whole.substr(0, whole.size() - 1);
    const std::vector<Case> cases = {
        {ok, "", zero, "ends before its message does"},
        {ok, whole.substr(0, 3), zero, "ends before its message does"},
        {ok, cut, zero, "ends before its message does"},
        {ok, whole + whole, zero, "goes on behind its message"},
        {ok, compressed, zero, "is compressed"},
        {ok, std::string("\0\xff\xff\xff\xff", 5), zero, "4294967295 bytes"},
        {ok, whole, {}, "without a grpc-status"},
        {ok, whole, {{"grpc-status", "zero"}}, "not a number"},
        {ok, framed("\xff\xff"), zero, "malformed ModelInferResponse"},
        {{{":status", "200"}, {"content-type", "text/html"}}, "<html>", {}, "text/html"},
    };
    GrpcPeer peer;
    std::int32_t stream = 1;
    for (const Case& each : cases) {
        SCOPED_TRACE(each.message);
        ask(peer);
        peer.answer_with(stream, each.head, each.body, each.trailers);
        peer.talk_to(*exchange_);
        expect_failure(Cause::kProtocol, ErrorCode::kInternal, each.message);
        EXPECT_TRUE(exchange_->reusable());
        stream += 2;
    }
    ask(peer);
    peer.answer(stream, answer_with({1}));
    peer.talk_to(*exchange_);
    expect_values({1});
}

TEST_F(GrpcExchangeTest, AnswerOverTheClientsBoundIsNotTaken) {
    exchange_ = make_grpc_exchange({.authority = "host", .tls = false, .max_answer_bytes = 100});
    GrpcPeer peer;
    ask(peer);
    peer.answer(1, answer_with(std::vector<float>(100)));
    peer.talk_to(*exchange_);
    expect_failure(Cause::kProtocol, ErrorCode::kInternal, "at most 100; raise max_answer_bytes");
    EXPECT_TRUE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, ServerOfHttp1IsRecognized) {
    begin();
    hear_raw("HTTP/1.1 400 Bad Request\r\n\r\n");
    expect_failure(Cause::kProtocol, ErrorCode::kInternal, "answers in HTTP/1");
    EXPECT_FALSE(exchange_->reusable());
}

TEST_F(GrpcExchangeTest, NoiseEndsTheConnectionWithAClearError) {
    std::mt19937 random(5);
    for (int i = 0; i < 300; ++i) {
        exchange_ = make_grpc_exchange({.authority = "host"});
        begin();
        std::string noise(1 + random() % 2000, '\0');
        for (char& c : noise) c = static_cast<char>(random());
        for (int part = 0; part < 20 && exchange_->reusable(); ++part) hear_raw(noise);
        exchange_->received_end();
        ASSERT_TRUE(exchange_->done());
        ASSERT_NE(exchange_->failure(), nullptr);
        EXPECT_FALSE(exchange_->failure()->error.message.empty());
        EXPECT_FALSE(exchange_->reusable());
    }
}

// A real answer with a few bytes changed, after which the connection ends, gives an answer or an
// error, never silence, and nothing is read or written out of bounds.
TEST_F(GrpcExchangeTest, DamagedAnswersEndInAnAnswerOrAnError) {
    std::mt19937 random(6);
    // The peer's reply to a first request.
    std::string recorded;
    {
        GrpcPeer peer;
        begin();
        peer.hear(*exchange_);
        peer.answer(1, answer_with({1, 2, 3, 4}));
        struct Recorder final : Exchange {
            std::string& to;
            std::vector<std::byte> room{1 << 16};
            explicit Recorder(std::string& out) : to(out) {}
            Result<> begin(const Operation&, Answer&) override { return {}; }
            std::span<const iovec> to_send() override { return {}; }
            void sent(std::size_t) override {}
            std::span<std::byte> space() override { return room; }
            void received(std::size_t count) override {
                to.append(reinterpret_cast<const char*>(room.data()), count);
            }
            void received_end() override {}
            bool done() const override { return true; }
            const Failure* failure() const override { return nullptr; }
            bool abandon() override { return false; }
            bool reusable() const override { return false; }
        } recorder(recorded);
        peer.speak_to(recorder);
    }
    ASSERT_GT(recorded.size(), 60u);
    int answered = 0;
    for (int i = 0; i < 5'000; ++i) {
        std::string damaged = recorded;
        for (unsigned flips = random() % 4; flips > 0; --flips) {
            damaged[random() % damaged.size()] = static_cast<char>(random());
        }
        if (random() % 4 == 0) damaged.resize(random() % damaged.size());
        exchange_ = make_grpc_exchange({.authority = "host"});
        begin();
        (void)exchange_->to_send();
        hear_raw(damaged);
        exchange_->received_end();
        ASSERT_TRUE(exchange_->done());
        if (exchange_->failure() == nullptr) ++answered;
    }
    EXPECT_GT(answered, 500);
    EXPECT_LT(answered, 4'500);
}

TEST_F(GrpcExchangeTest, HealthAndMetadataAreAsked) {
    GrpcPeer peer;
    Operation operation;
    operation.deadline = Clock::now() + std::chrono::seconds(1);

    operation.kind = Operation::Kind::kServerReady;
    ASSERT_TRUE(exchange_->begin(operation, answer_));
    peer.talk_to(*exchange_);
    EXPECT_EQ(peer.asked(1).fields.at(":path"), "/inference.GRPCInferenceService/ServerReady");
    peer.answer(1, "\x08\x01");
    peer.talk_to(*exchange_);
    ASSERT_TRUE(exchange_->done());
    EXPECT_EQ(exchange_->failure(), nullptr);

    operation.kind = Operation::Kind::kModelReady;
    operation.model = "mlp";
    ASSERT_TRUE(exchange_->begin(operation, answer_));
    peer.talk_to(*exchange_);
    peer.answer(3, "");
    peer.talk_to(*exchange_);
    expect_failure(Cause::kAnswered, ErrorCode::kUnavailable, "not ready");

    inference::ModelMetadataResponse metadata;
    metadata.set_name("mlp");
    metadata.add_versions("7");
    operation.kind = Operation::Kind::kModelMetadata;
    ASSERT_TRUE(exchange_->begin(operation, answer_));
    peer.talk_to(*exchange_);
    peer.answer(5, metadata.SerializeAsString());
    peer.talk_to(*exchange_);
    ASSERT_TRUE(exchange_->done());
    EXPECT_EQ(exchange_->failure(), nullptr);
    EXPECT_EQ(answer_.model.name, "mlp");
    EXPECT_THAT(answer_.model.versions, testing::ElementsAre("7"));
}

TEST_F(GrpcExchangeTest, HeadersStayRightWhileMethodsTakeTurns) {
    GrpcPeer peer;
    std::int32_t stream = 1;
    Operation operation;
    operation.request = &request_;
    const std::pair<Operation::Kind, const char*> methods[] = {
        {Operation::Kind::kInfer, "ModelInfer"},
        {Operation::Kind::kServerLive, "ServerLive"},
        {Operation::Kind::kServerReady, "ServerReady"},
    };
    std::mt19937 random(8);
    for (int i = 0; i < 200; ++i) {
        // Series of up to seven calls of one method, and single ones of others.
        const auto& [kind, name] = methods[random() % 3];
        for (unsigned times = random() % 8; times > 0; --times, stream += 2) {
            operation.kind = kind;
            operation.deadline = Clock::now() + std::chrono::seconds(random() % 1000 + 1);
            ASSERT_TRUE(exchange_->begin(operation, answer_));
            peer.talk_to(*exchange_);
            const auto& fields = peer.asked(stream).fields;
            ASSERT_EQ(fields.at(":path"), std::string("/inference.GRPCInferenceService/") + name);
            ASSERT_EQ(fields.at(":authority"), "host:8000");
            ASSERT_EQ(fields.at("te"), "trailers");
            ASSERT_EQ(fields.size(), 8u);
            ASSERT_THAT(fields.at("grpc-timeout"), testing::MatchesRegex("[0-9]+[umS]"));
            peer.answer(stream, kind == Operation::Kind::kInfer ? answer_with({1}) : "\x08\x01");
            peer.talk_to(*exchange_);
            ASSERT_TRUE(exchange_->done());
            ASSERT_EQ(exchange_->failure(), nullptr);
        }
    }
}

TEST_F(GrpcExchangeTest, RequestThatCannotBeSentLeavesTheConnectionAsItWas) {
    GrpcPeer peer;
    request_.inputs[0].shape = {100};
    Operation operation;
    operation.request = &request_;
    EXPECT_FALSE(exchange_->begin(operation, answer_));
    EXPECT_TRUE(exchange_->done());
    EXPECT_TRUE(exchange_->reusable());
    set_input({1});
    ask(peer);
    peer.answer(1, answer_with({1}));
    peer.talk_to(*exchange_);
    expect_values({1});
}

}  // namespace
}  // namespace lepton::client
