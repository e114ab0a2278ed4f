#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <string>

#include "lepton/client.h"
#include "scripted_peer.h"
#include "support/eventually.h"

namespace lepton {
namespace {

using client::http_answer;
using client::infer_answer;
using client::PeerSocket;
using client::ScriptedPeer;
using lepton::testing::eventually;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::array<float, 1> kValue = {1};

InferRequest request_due_in(milliseconds deadline, seconds grace) {
    InferRequest request;
    request.model = std::string("m");
    request.inputs = {make_input("x", std::span<const float>(kValue), {1, 1})};
    request.deadline = Clock::now() + deadline;
    request.grace = grace;
    return request;
}

Client client_of(const ScriptedPeer& peer) {
    ClientOptions options;
    options.endpoints = {peer.url()};
    options.retry.max_attempts = 1;
    return *Client::open(options);
}

// Answers well after the deadline, as a server does that did not keep it.
ScriptedPeer::Script late_answer(const Clock::time_point& deadline, std::string answer) {
    return [&deadline, answer = std::move(answer)](PeerSocket& socket) {
        (void)socket.read_request();
        EXPECT_TRUE(eventually([&] { return Clock::now() > deadline + milliseconds(20); }));
        socket.send(answer);
        socket.wait_closed();
    };
}

microseconds told_timeout(const std::string& request) {
    constexpr std::string_view kName = "\"timeout\":";
    const std::size_t at = request.find(kName) + kName.size();
    std::int64_t value = -1;
    std::from_chars(request.data() + at, request.data() + request.size(), value);
    return microseconds(value);
}

TEST(Grace, ServerIsToldTheDeadlineWithoutIt) {
    std::string asked;
    {
        const ScriptedPeer peer([&asked](PeerSocket& socket) {
            asked = socket.read_request();
            socket.send(infer_answer({1}));
            socket.wait_closed();
        });
        Client client = client_of(peer);
        ASSERT_TRUE(client.infer(request_due_in(milliseconds(5000), seconds(20))));
    }
    EXPECT_GT(told_timeout(asked), microseconds(0));
    EXPECT_LE(told_timeout(asked), milliseconds(5000));
}

TEST(Grace, AnswerAfterTheDeadlineIsStillTaken) {
    const InferRequest request = request_due_in(milliseconds(20), seconds(20));
    const ScriptedPeer peer(late_answer(request.deadline, infer_answer({1})));
    Client client = client_of(peer);
    EXPECT_TRUE(client.infer(request));
}

TEST(Grace, ReasonOfTheServerIsHeardThoughItComesAfterTheDeadline) {
    const InferRequest request = request_due_in(milliseconds(20), seconds(20));
    const ScriptedPeer peer(
        late_answer(request.deadline,
                    http_answer("504 Gateway Timeout", "", R"({"error":"expired in the queue"})")));
    Client client = client_of(peer);
    const auto answered = client.infer(request);
    ASSERT_FALSE(answered);
    EXPECT_EQ(answered.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_NE(answered.error().message.find("expired in the queue"), std::string::npos);
}

TEST(Grace, CallThatBeginsAfterItsDeadlineIsStillMade) {
    std::string asked;
    {
        const ScriptedPeer peer([&asked](PeerSocket& socket) {
            asked = socket.read_request();
            socket.send(infer_answer({1}));
            socket.wait_closed();
        });
        Client client = client_of(peer);
        ASSERT_TRUE(client.infer(request_due_in(milliseconds(-50), seconds(20))));
    }
    EXPECT_EQ(told_timeout(asked), microseconds(1));
}

TEST(Grace, HugeAndNegativeOnesDoNotOverflow) {
    const ScriptedPeer peer([](PeerSocket& socket) {
        while (!socket.read_request().empty()) socket.send(infer_answer({1}));
    });
    Client client = client_of(peer);
    InferRequest request = request_due_in(milliseconds(5000), seconds(0));
    for (const auto grace : {std::chrono::nanoseconds::max(), std::chrono::nanoseconds::min()}) {
        request.grace = grace;
        request.deadline = kNoDeadline;
        EXPECT_TRUE(client.infer(request));
    }
}

}  // namespace
}  // namespace lepton
