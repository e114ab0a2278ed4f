#include "lepton/net/http1_session.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "fakes/fake_loop.h"

namespace lepton::net {
namespace {

using namespace std::chrono_literals;

class FakeWire final : public Wire {
public:
    explicit FakeWire(Handler& handler) : handler_(handler) {}
    void write(std::span<const std::byte> head, std::span<const std::byte> body) override {
        for (const auto piece : {head, body}) {
            written.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        }
    }
    [[nodiscard]] std::size_t unsent_bytes() const override { return 0; }
    void close_when_sent() override { closed = true; }
    [[nodiscard]] EventLoop& loop() override { return loop_; }
    [[nodiscard]] memory::BufferPool& pool() override { return *used_pool_; }
    void use(memory::BufferPool& pool) { used_pool_ = &pool; }
    [[nodiscard]] Handler& handler() override { return handler_; }
    [[nodiscard]] const Limits& limits() const override { return limits_; }

    std::string written;
    bool closed = false;
    Limits limits_{.max_head_bytes = 1024, .max_body_bytes = 4096};

private:
    Handler& handler_;
    fakes::FakeLoop loop_;
    memory::BufferPool pool_;
    memory::BufferPool* used_pool_ = &pool_;
};

// Answers each request with its method's number, path, query and body; or keeps it for later.
class EchoHandler final : public Handler {
public:
    void handle(Exchange& exchange) noexcept override {
        ++handled;
        open = &exchange;
        if (answer_at_once) answer();
    }
    void answer() {
        open->reply.body.append(open->message.path + "?" + open->message.query + " ");
        open->reply.body.append(open->message.body.text());
        open->send();
    }
    bool answer_at_once = true;
    int handled = 0;
    Exchange* open = nullptr;
};

class Http1Session : public testing::Test {
protected:
    void start(std::string_view first) {
        memory::Buffer received = wire_.pool().take(4096);
        received.append(first);
        session_ = make_http1_session(wire_, std::move(received), Clock::now());
    }
    // As the connection does it: a read is outstanding at all times.
    void feed(std::string_view bytes, std::size_t at_most = SIZE_MAX) {
        while (!bytes.empty()) {
            const std::span<std::byte> space = session_->read_space();
            ASSERT_FALSE(space.empty());
            const std::size_t count = std::min({space.size(), bytes.size(), at_most});
            std::memcpy(space.data(), bytes.data(), count);
            bytes.remove_prefix(count);
            session_->on_read(count, Clock::now());
        }
    }

    EchoHandler handler_;
    FakeWire wire_{handler_};
    std::unique_ptr<WireSession> session_;
};

constexpr std::string_view kPost =
    "POST /v2/x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";

TEST_F(Http1Session, AnswersOnceTheBodyIsComplete) {
    start(kPost.substr(0, kPost.size() - 2));
    EXPECT_EQ(handler_.handled, 0);
    feed("lo");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 200 OK\r\n")) << wire_.written;
    EXPECT_TRUE(wire_.written.ends_with("content-length: 15\r\n\r\n/v2/x?y=1 hello"));
    EXPECT_FALSE(wire_.closed);
}

TEST_F(Http1Session, ByteByByteIsTheSameAsAtOnce) {
    start("P");
    feed(kPost.substr(1), 1);
    EXPECT_TRUE(wire_.written.ends_with("/v2/x?y=1 hello"));
}

TEST_F(Http1Session, PipelinedRequestsAreAnsweredInOrder) {
    start(std::string(kPost) + "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHo");
    feed("st: h\r\n\r\n");
    EXPECT_EQ(handler_.handled, 3);
    const std::size_t a = wire_.written.find("/a? ");
    EXPECT_LT(wire_.written.find("hello"), a);
    EXPECT_LT(a, wire_.written.find("/b? "));
}

TEST_F(Http1Session, NextRequestWaitsForTheAnswerToTheOneBefore) {
    handler_.answer_at_once = false;
    start(kPost);
    std::span<std::byte> outstanding = session_->read_space();
    // What comes meanwhile lands in the read that is outstanding; parsing it must wait.
    std::memcpy(outstanding.data(), kPost.data(), kPost.size());
    session_->on_read(kPost.size(), Clock::now());
    EXPECT_EQ(handler_.handled, 1);
    outstanding = session_->read_space();
    handler_.answer();
    EXPECT_EQ(handler_.handled, 2);
    // That read began before the second request was parsed, and still counts.
    std::memcpy(outstanding.data(), kPost.data(), kPost.size());
    session_->on_read(kPost.size(), Clock::now());
    handler_.answer();
    EXPECT_EQ(handler_.handled, 3);
    handler_.answer();
    EXPECT_TRUE(wire_.written.ends_with("/v2/x?y=1 hello"));
}

TEST_F(Http1Session, ReadingStopsWhenAClientPipelinesTooMuch) {
    handler_.answer_at_once = false;
    start(kPost);
    std::size_t taken = 0;
    for (auto space = session_->read_space(); !space.empty(); space = session_->read_space()) {
        std::fill(space.begin(), space.end(), std::byte{'x'});
        taken += space.size();
        session_->on_read(space.size(), Clock::now());
        ASSERT_LT(taken, std::size_t{1} << 20);
    }
    EXPECT_GT(taken, 0U);
}

TEST_F(Http1Session, ChunkedBodyIsPutTogether) {
    start("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    feed("lo\r\n1;ext=1\r\n!\r\n0\r\nTrailer: x\r\n\r\n", 3);
    EXPECT_TRUE(wire_.written.ends_with("/c? hello!"));
}

TEST_F(Http1Session, ContinueIsSaidBeforeTheBodyIsSent) {
    start("POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(wire_.written, "HTTP/1.1 100 Continue\r\n\r\n");
    feed("ok");
    EXPECT_TRUE(wire_.written.ends_with("/c? ok"));
}

TEST_F(Http1Session, HeadIsAnsweredWithoutABody) {
    start("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(wire_.written.ends_with("content-length: 4\r\n\r\n"));
}

TEST_F(Http1Session, ConnectionEndsWhenTheClientSaysSo) {
    start("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    EXPECT_NE(wire_.written.find("connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Session, Http10IsKeptAliveOnRequestOnly) {
    start("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_FALSE(wire_.closed);
    feed("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Session, BrokenRequestsGetOneClearErrorAndTheConnectionEnds) {
    struct Case {
        std::string request;
        std::string status;
    };
    const std::string big(2000, 'x');
    for (const Case& broken : {
             Case{"NOT HTTP\r\n\r\n", "400"},
             Case{"GET / HTTP/1.1\r\n\r\n", "400"},
             Case{"GET / HTTP/3.7\r\nHost: h\r\n\r\n", "505"},
             Case{"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", "400"},
             Case{"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
                  "400"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                  "400"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n",
                  "400"},
             Case{"GET / HTTP/1.1\r\nHost: h\r\nA: " + big + "\r\n\r\n", "431"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4097\r\n\r\n", "413"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + big +
                      "\r\n7d0\r\n" + big + "\r\n7d0\r\n" + big + "\r\n",
                  "413"},
         }) {
        wire_.written.clear();
        wire_.closed = false;
        start(broken.request.substr(0, 4000));
        if (broken.request.size() > 4000) feed(std::string_view(broken.request).substr(4000));
        EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 " + broken.status))
            << broken.request << wire_.written;
        EXPECT_NE(wire_.written.find(R"({"error":")"), std::string::npos);
        EXPECT_TRUE(wire_.closed);
    }
    EXPECT_EQ(handler_.handled, 0);
}

TEST_F(Http1Session, HeadThatDoesNotEndTimesOut) {
    start("GET / HTTP/1.1\r\nHost:");
    EXPECT_NE(session_->read_deadline(), kNoDeadline);
    session_->on_timeout(session_->read_deadline());
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 408"));
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Session, IdleConnectionHasNoTimeout) {
    start(kPost);
    EXPECT_EQ(session_->read_deadline(), kNoDeadline);
}

TEST_F(Http1Session, ClientThatLeavesCancelsItsRequest) {
    handler_.answer_at_once = false;
    start(kPost);
    session_->on_closed();
    EXPECT_TRUE(handler_.open->call.cancelled);
    EXPECT_FALSE(session_->idle());
    handler_.answer();
    EXPECT_TRUE(session_->idle());
    EXPECT_TRUE(wire_.written.empty());
}

TEST_F(Http1Session, DrainFinishesTheOpenRequestAndThenCloses) {
    handler_.answer_at_once = false;
    start(kPost);
    session_->on_drain();
    EXPECT_FALSE(wire_.closed);
    handler_.answer();
    EXPECT_NE(wire_.written.find("connection: close"), std::string::npos);
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Session, DrainLetsAnIdleClientHaveOneMoreRequestUntilTheLastCall) {
    start(kPost);
    session_->on_drain();
    EXPECT_FALSE(wire_.closed);
    wire_.written.clear();
    feed(kPost);
    EXPECT_NE(wire_.written.find("connection: close"), std::string::npos);
    EXPECT_TRUE(wire_.closed);

    wire_.closed = false;
    start(kPost);
    session_->on_drain();
    session_->on_last_call();
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Session, AbandonedRequestIsAnsweredInPlaceOfTheHandler) {
    handler_.answer_at_once = false;
    start(kPost);
    EXPECT_TRUE(session_->owes_answer());
    session_->abandon();
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 503 ")) << wire_.written;
    EXPECT_TRUE(wire_.written.ends_with(R"({"error":"server is shutting down"})"));
    EXPECT_TRUE(wire_.closed);
    EXPECT_FALSE(session_->owes_answer());
    EXPECT_FALSE(session_->idle());
    const std::string written = wire_.written;
    handler_.answer();
    EXPECT_TRUE(session_->idle());
    EXPECT_EQ(wire_.written, written);
}

TEST_F(Http1Session, BodyThatDripsIsASilentOne) {
    wire_.limits_.min_data_rate = 100;  // 1,000 bytes in a timeout of 10 s.
    const Clock::time_point begun = Clock::now();
    start("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000\r\n\r\n");
    const Clock::time_point deadline = session_->read_deadline();
    EXPECT_GE(deadline, begun + wire_.limits_.body_idle_timeout);
    const auto feed_at = [this](std::size_t count, Clock::time_point now) {
        ASSERT_GE(session_->read_space().size(), count);
        session_->on_read(count, now);
    };
    feed_at(999, begun + 5s);
    EXPECT_EQ(session_->read_deadline(), deadline);
    feed_at(1, begun + 6s);
    EXPECT_EQ(session_->read_deadline(), begun + 16s);
    // And however fast, it must come to its end.
    wire_.limits_.request_timeout = 8s;
    feed_at(1000, begun + 7s);
    EXPECT_LE(session_->read_deadline(), deadline);
}

TEST_F(Http1Session, MemoryIsTakenAsTheBodyComes) {
    wire_.limits_.max_body_bytes = std::size_t{1} << 30;
    start("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
    EXPECT_LE(session_->read_space().size(), std::size_t{1} << 20);
    feed(std::string(std::size_t{3} << 20, 'x'));
    EXPECT_LE(wire_.pool().held_bytes(), std::size_t{16} << 20);
}

TEST_F(Http1Session, RequestThatMemoryIsMissingForIsRefused) {
    wire_.limits_.max_body_bytes = std::size_t{1} << 30;
    memory::BufferPool spent(1);
    wire_.use(spent);
    start("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 503 ")) << wire_.written;
    EXPECT_TRUE(wire_.closed);
    session_.reset();
}

TEST_F(Http1Session, IdleConnectionGivesTheMemoryOfItsMessagesBack) {
    wire_.limits_.max_body_bytes = std::size_t{8} << 20;
    start("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 700000\r\n\r\n");
    feed(std::string(700'000, 'x'));
    EXPECT_EQ(handler_.handled, 1);
    ASSERT_TRUE(session_->resting());
    const std::size_t idle = wire_.pool().idle_bytes();
    session_->shrink();
    EXPECT_GT(wire_.pool().idle_bytes(), idle + 700'000);
    feed(kPost);
    EXPECT_TRUE(wire_.written.ends_with("/v2/x?y=1 hello"));
}

TEST_F(Http1Session, AbsoluteTargetIsTakenByItsPath) {
    start("GET http://host:1/v2?q HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(wire_.written.ends_with("/v2?q "));
}

}  // namespace
}  // namespace lepton::net
