#include "lepton/client.h"

#include <gtest/gtest.h>

#include <array>
#include <future>
#include <string>

#include "scripted_peer.h"
#include "support/eventually.h"

namespace lepton {
namespace {

using client::answering;
using client::dead_url;
using client::http_answer;
using client::infer_answer;
using client::PeerSocket;
using client::ScriptedPeer;
using lepton::testing::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::array<float, 2> kValues = {1, 2};

InferRequest request_of(std::string model = "m") {
    InferRequest request;
    request.model = std::move(model);
    request.inputs = {make_input("x", std::span<const float>(kValues), {1, 2})};
    return request;
}

ClientOptions options_of(std::vector<std::string> endpoints) {
    ClientOptions options;
    options.endpoints = std::move(endpoints);
    options.timeout = seconds(20);
    options.retry.backoff = milliseconds(1);
    options.retry.max_backoff = milliseconds(5);
    return options;
}

Client client_of(ClientOptions options) {
    Result<Client> client = Client::open(std::move(options));
    EXPECT_TRUE(client) << (client ? "" : client.error().message);
    return *std::move(client);
}

float first_of(const Result<InferResult>& result) {
    EXPECT_TRUE(result) << (result ? "" : result.error().message);
    return result ? (*result)["y"].as<float>()[0] : -1;
}

void wait_and_be_slow(PeerSocket& peer) {
    (void)peer.read_request();
    peer.wait_closed();
}

TEST(Client, OptionsThatCannotBeAreNamed) {
    ClientOptions options;
    options.endpoints = {"htp://x"};
    EXPECT_NE(Client::open(options).error().message.find("\"htp://x\""), std::string::npos);
    options.endpoints.clear();
    EXPECT_FALSE(Client::open(options));
    options = {};
    options.timeout = milliseconds(0);
    EXPECT_NE(Client::open(options).error().message.find("timeout"), std::string::npos);
    options = {};
    options.retry.max_attempts = 0;
    EXPECT_FALSE(Client::open(options));
    options = {};
    options.hedge.quantile = 1;
    EXPECT_FALSE(Client::open(options));
    options = {};
    options.max_connections_per_endpoint = 0;
    EXPECT_FALSE(Client::open(options));
    options = {};
    options.endpoints = {"https://127.0.0.1"};
    options.tls.ca_file = "/no/such/file";
    EXPECT_NE(Client::open(options).error().message.find("/no/such/file"), std::string::npos);
}

TEST(Client, ConnectionIsKeptForTheNextCall) {
    const ScriptedPeer peer(answering(infer_answer({5})));
    Client client = client_of(options_of({peer.url()}));
    InferResult result;
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(client.infer(request_of(), result));
        EXPECT_EQ(result["y"].as<float>()[0], 5);
    }
    EXPECT_EQ(peer.connections(), 1);
}

TEST(Client, NoServerIsSaidSoWithItsEndpoint) {
    const std::string url = dead_url();
    Client client = client_of(options_of({url}));
    const auto result = client.infer(request_of());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(result.error().message.find("no server at " + url), std::string::npos);
    EXPECT_NE(result.error().message.find("lepton serve"), std::string::npos);
    EXPECT_EQ(client.statistics().retries, 2u);
    EXPECT_FALSE(client.server_ready());
}

TEST(Client, SlowServerEndsAtTheTimeoutThatTheMessageNames) {
    const ScriptedPeer peer(wait_and_be_slow);
    Client client = client_of(options_of({peer.url()}));
    InferRequest request = request_of();
    request.timeout = milliseconds(30);
    const auto before = Clock::now();
    const auto result = client.infer(request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_NE(result.error().message.find("no answer from " + peer.url() + " within 30 ms"),
              std::string::npos)
        << result.error().message;
    EXPECT_GE(Clock::now() - before, milliseconds(29));
    EXPECT_LT(Clock::now() - before, seconds(10));
}

TEST(Client, DeadlineThatHasPassedIsNotSent) {
    const ScriptedPeer peer(answering(infer_answer({1})));
    Client client = client_of(options_of({peer.url()}));
    InferRequest request = request_of();
    request.deadline = Clock::now() - milliseconds(1);
    const auto result = client.infer(request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_EQ(peer.connections(), 0);
}

TEST(Client, CutInMidAnswerIsTriedAgainOnce) {
    const ScriptedPeer peer({[](PeerSocket& socket) {
                                 (void)socket.read_request();
                                 socket.send(infer_answer({1}).substr(0, 150));
                             },
                             answering(infer_answer({2}))});
    Client client = client_of(options_of({peer.url()}));
    EXPECT_EQ(first_of(client.infer(request_of())), 2);
    EXPECT_EQ(client.statistics().retries, 1u);
}

TEST(Client, CutAgainIsAnErrorThatSaysWhatHappened) {
    const ScriptedPeer peer([](PeerSocket& socket) {
        (void)socket.read_request();
        socket.send(infer_answer({1}).substr(0, 150));
    });
    Client client = client_of(options_of({peer.url()}));
    const auto result = client.infer(request_of());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(result.error().message.find("in the middle of the answer"), std::string::npos);
    EXPECT_NE(result.error().message.find(peer.url()), std::string::npos);
    EXPECT_EQ(peer.connections(), 2);
}

TEST(Client, GarbageIsNotTriedAgain) {
    const ScriptedPeer peer(answering("SSH-2.0-OpenSSH\r\n\r\n"));
    Client client = client_of(options_of({peer.url()}));
    const auto result = client.infer(request_of());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInternal);
    EXPECT_EQ(peer.connections(), 1);
}

TEST(Client, IdleConnectionThatTheServerClosedIsReplacedUnseen) {
    std::promise<void> closed;
    const ScriptedPeer peer({[&closed](PeerSocket& socket) {
                                 (void)socket.read_request();
                                 socket.send(infer_answer({1}));
                                 socket.reset();
                                 closed.set_value();
                             },
                             answering(infer_answer({2}))});
    ClientOptions options = options_of({peer.url()});
    options.retry.max_attempts = 1;  // This is not a retry.
    Client client = client_of(options);
    EXPECT_EQ(first_of(client.infer(request_of())), 1);
    closed.get_future().wait();
    EXPECT_EQ(first_of(client.infer(request_of())), 2);
}

TEST(Client, RefusalIsTriedAgainAfterTheTimeThatTheServerNames) {
    const ScriptedPeer peer([](PeerSocket& socket) {
        (void)socket.read_request();
        socket.send(http_answer("503 Unavailable", "Retry-After: 0\r\n", R"({"error":"warming"})"));
        (void)socket.read_request();
        socket.send(infer_answer({3}));
        socket.wait_closed();
    });
    Client client = client_of(options_of({peer.url()}));
    EXPECT_EQ(first_of(client.infer(request_of())), 3);
    EXPECT_EQ(peer.connections(), 1);
}

TEST(Client, RetryAfterBeyondTheDeadlineEndsTheCallAtOnce) {
    const ScriptedPeer peer(
        answering(http_answer("429 Too Many", "Retry-After: 60\r\n", R"({"error":"queue full"})")));
    Client client = client_of(options_of({peer.url()}));
    const auto before = Clock::now();
    const auto result = client.infer(request_of());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kOverloaded);
    EXPECT_EQ(result.error().message, "queue full");
    EXPECT_LT(Clock::now() - before, seconds(10));
}

TEST(Client, BudgetBoundsRetriesOfManyCalls) {
    ClientOptions options = options_of({dead_url()});
    options.retry.budget_ratio = 0.1;
    options.retry.budget_burst = 3;
    Client client = client_of(options);
    for (int i = 0; i < 50; ++i) EXPECT_FALSE(client.infer(request_of()));
    EXPECT_LE(client.statistics().retries, 3u + 5u);
}

TEST(Client, WhatTheServerRefusesForGoodIsNotTriedAgain) {
    const ScriptedPeer peer(answering(http_answer("404 No", "", R"({"error":"no model \"m\""})")));
    Client client = client_of(options_of({peer.url()}));
    const auto result = client.infer(request_of());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kModelNotFound);
    EXPECT_EQ(result.error().message, "no model \"m\"");
    EXPECT_EQ(client.statistics().retries, 0u);
}

TEST(Client, ModelUnloadedBetweenCallsIsNotFound) {
    const ScriptedPeer peer([](PeerSocket& socket) {
        (void)socket.read_request();
        socket.send(infer_answer({1}));
        const std::string gone = http_answer("404 No", "", R"({"error":"no model \"m\""})");
        while (!socket.read_request().empty()) socket.send(gone);
    });
    Client client = client_of(options_of({peer.url()}));
    InferResult result;
    ASSERT_TRUE(client.infer(request_of(), result));
    const auto gone = client.infer(request_of(), result);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, ErrorCode::kModelNotFound);
    EXPECT_TRUE(result.outputs().empty()) << "nothing of the answer before";
    EXPECT_EQ(peer.connections(), 1);
}

TEST(Client, LivingEndpointAnswersForADeadOne) {
    const ScriptedPeer peer(answering(infer_answer({1})));
    Client client = client_of(options_of({dead_url(), peer.url()}));
    for (int i = 0; i < 40; ++i) EXPECT_EQ(first_of(client.infer(request_of())), 1);
    // Ejected after few failures: most calls do not meet the dead one at all.
    EXPECT_LE(client.statistics().retries, 5u);
}

TEST(Client, HedgeWinsWhereTheFirstIsSlow) {
    const ScriptedPeer slow([](PeerSocket& socket) {
        for (int i = 0; i < 200; ++i) {
            if (socket.read_request().find("slow") != std::string::npos) break;
            socket.send(infer_answer({1}));
        }
        socket.wait_closed();
    });
    const ScriptedPeer fast(answering(infer_answer({2})));
    ClientOptions options = options_of({slow.url(), fast.url()});
    options.hedge = {.enabled = true, .min_samples = 20, .budget_ratio = 1};
    Client client = client_of(options);
    for (int i = 0; i < 60; ++i) EXPECT_TRUE(client.infer(request_of()));
    // Whichever endpoint is drawn first, the fast one answers.
    for (int i = 0; i < 8; ++i) EXPECT_EQ(first_of(client.infer(request_of("slow"))), 2);
    EXPECT_GE(client.statistics().hedges_won, 1u);
}

TEST(Client, HedgeGoesToTheSameEndpointWhereThatIsAllowed) {
    const auto slow_at_last = [](PeerSocket& socket) {
        for (std::string request = socket.read_request(); !request.empty();
             request = socket.read_request()) {
            if (request.find("slow") != std::string::npos) break;
            socket.send(infer_answer({1}));
        }
        socket.wait_closed();
    };
    const ScriptedPeer peer({slow_at_last, answering(infer_answer({2}))});
    ClientOptions options = options_of({peer.url()});
    options.hedge = {.enabled = true, .min_samples = 20, .budget_ratio = 1, .same_endpoint = true};
    Client client = client_of(options);
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(client.infer(request_of()));
    EXPECT_EQ(first_of(client.infer(request_of("slow"))), 2);
    EXPECT_GE(client.statistics().hedges_won, 1u);
}

TEST(Client, BusyConnectionsAreWaitedFor) {
    const ScriptedPeer peer(answering(infer_answer({1})));
    ClientOptions options = options_of({peer.url()});
    options.max_connections_per_endpoint = 2;
    Client client = client_of(options);
    std::vector<std::thread> threads;
    std::atomic<int> answered{0};
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (int n = 0; n < 50; ++n) answered += client.infer(request_of()).has_value() ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(answered, 400);
    EXPECT_LE(peer.connections(), 2);
}

TEST(Client, BusyConnectionsAreWaitedForNoLongerThanTheDeadline) {
    const ScriptedPeer peer(wait_and_be_slow);
    ClientOptions options = options_of({peer.url()});
    options.max_connections_per_endpoint = 1;
    Client client = client_of(options);
    auto first = client.infer_future(request_of());
    ASSERT_TRUE(eventually([&] { return peer.connections() > 0; }));
    InferRequest request = request_of();
    request.timeout = milliseconds(20);
    const auto result = client.infer(request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kDeadlineExceeded);
    EXPECT_NE(result.error().message.find("raise max_connections_per_endpoint"), std::string::npos)
        << result.error().message;
}

TEST(Client, ReadinessIsNoError) {
    const ScriptedPeer peer([](PeerSocket& socket) {
        for (std::string request = socket.read_request(); !request.empty();
             request = socket.read_request()) {
            const bool live = request.starts_with("GET /v2/health/live ");
            socket.send(live ? http_answer("200 OK", "", "{}")
                             : http_answer("503 Unavailable", "", R"({"error":"draining"})"));
        }
    });
    Client client = client_of(options_of({peer.url()}));
    EXPECT_EQ(client.server_live().value(), true);
    EXPECT_EQ(client.server_ready().value(), false);
    EXPECT_EQ(client.model_ready("m").value(), false);
    EXPECT_EQ(client.statistics().retries, 0u);
}

TEST(Client, ModelsAreListed) {
    const ScriptedPeer peer(answering(http_answer("200 OK", "", R"({"models":["a","b"]})")));
    Client client = client_of(options_of({peer.url()}));
    EXPECT_EQ(client.models().value(), (std::vector<std::string>{"a", "b"}));
}

TEST(Client, ServerThatListsNoModelsIsUnsupported) {
    const ScriptedPeer peer(answering(http_answer("200 OK", "", R"({"name":"other"})")));
    Client client = client_of(options_of({peer.url()}));
    EXPECT_EQ(client.models().error().code, ErrorCode::kUnsupported);
}

TEST(ClientAsync, CallbacksAndFuturesAreAnswered) {
    const ScriptedPeer peer(answering(infer_answer({7})));
    Client client = client_of(options_of({peer.url()}));
    std::vector<std::future<Result<InferResult>>> futures;
    futures.reserve(200);
    for (int i = 0; i < 200; ++i) futures.push_back(client.infer_future(request_of()));
    for (auto& future : futures) EXPECT_EQ(first_of(future.get()), 7);
}

TEST(ClientAsync, CallbackMayStartTheNextCallWithTheSameStorage) {
    const ScriptedPeer peer(answering(infer_answer({7})));
    Client client = client_of(options_of({peer.url()}));
    std::promise<void> done;
    int left = 100;
    const InferRequest request = request_of();
    Client::Callback again;
    again = [&](Result<InferResult> result) {
        EXPECT_EQ(first_of(result), 7);
        if (--left == 0) {
            done.set_value();
        } else {
            client.infer_async(request, again, *std::move(result));
        }
    };
    client.infer_async(request, again);
    done.get_future().wait();
    EXPECT_EQ(peer.connections(), 1);
}

TEST(ClientAsync, CancelledCallEndsAndItsConnectionIsClosed) {
    std::promise<void> asked;
    std::promise<void> closed;
    const ScriptedPeer peer([&](PeerSocket& socket) {
        (void)socket.read_request();
        asked.set_value();
        socket.wait_closed();
        closed.set_value();
    });
    Client client = client_of(options_of({peer.url()}));
    std::promise<Result<InferResult>> promise;
    const CallHandle handle = client.infer_async(
        request_of(),
        [&promise](Result<InferResult> result) { promise.set_value(std::move(result)); });
    asked.get_future().wait();
    handle.cancel();
    EXPECT_EQ(promise.get_future().get().error().code, ErrorCode::kCancelled);
    closed.get_future().wait();
    handle.cancel();  // Has no effect, and does no harm.
}

TEST(ClientAsync, DeadlineHolds) {
    const ScriptedPeer peer(wait_and_be_slow);
    Client client = client_of(options_of({peer.url()}));
    InferRequest request = request_of();
    request.timeout = milliseconds(20);
    EXPECT_EQ(client.infer_future(request).get().error().code, ErrorCode::kDeadlineExceeded);
}

TEST(ClientAsync, ClosingTheClientEndsItsCalls) {
    const ScriptedPeer peer(wait_and_be_slow);
    std::vector<std::future<Result<InferResult>>> futures;
    CallHandle handle;
    {
        Client client = client_of(options_of({peer.url()}));
        for (int i = 0; i < 5; ++i) futures.push_back(client.infer_future(request_of()));
        handle = client.infer_async(request_of(), [](const Result<InferResult>&) {});
    }
    for (auto& future : futures) {
        EXPECT_EQ(future.get().error().code, ErrorCode::kCancelled);
    }
    handle.cancel();
}

TEST(ClientAsync, ManyCallsWaitForFewConnections) {
    const ScriptedPeer peer(answering(infer_answer({7})));
    ClientOptions options = options_of({peer.url()});
    options.max_connections_per_endpoint = 2;
    Client client = client_of(options);
    std::vector<std::future<Result<InferResult>>> futures;
    futures.reserve(300);
    for (int i = 0; i < 300; ++i) futures.push_back(client.infer_future(request_of()));
    for (int i = 0; i < 50; ++i) EXPECT_EQ(first_of(client.infer(request_of())), 7);
    for (auto& future : futures) EXPECT_EQ(first_of(future.get()), 7);
    EXPECT_LE(peer.connections(), 2);
}

}  // namespace
}  // namespace lepton
