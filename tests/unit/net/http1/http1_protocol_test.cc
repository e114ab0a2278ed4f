#include "lepton/net/http1/http1_protocol.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "fakes/fake_loop.h"
#include "fakes/told_state.h"

namespace lepton::net {
namespace {

using namespace std::chrono_literals;

class FakeWire final : public Wire {
public:
    explicit FakeWire(Handler& handler) : handler_(handler) {}
    void write(std::span<const std::byte> head, std::span<const std::byte> body) override {
        for (const auto piece : {head, body}) {
            if (!client_reads) unsent += piece.size();
            written.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        }
    }
    [[nodiscard]] std::size_t unsent_bytes() const override { return unsent; }
    void close_when_sent() override { closed = true; }
    [[nodiscard]] EventLoop& loop() override { return loop_; }
    [[nodiscard]] memory::BufferPool& pool() override { return *used_pool_; }
    void use(memory::BufferPool& pool) { used_pool_ = &pool; }
    [[nodiscard]] Handler& handler() override { return handler_; }
    [[nodiscard]] const Limits& limits() const override { return limits_; }

    std::string written;
    std::size_t unsent = 0;
    bool client_reads = true;
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

class Http1Protocol : public testing::Test {
protected:
    void start(std::string_view first) {
        memory::Buffer received = wire_.pool().take(4096);
        received.append(first);
        session_ = make_http1_protocol(wire_, std::move(received), Clock::now());
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

    // A part of the answer that the handler owes.
    void send_part(std::string_view text) {
        handler_.open->reply.last = false;
        handler_.open->reply.body.append(text);
        handler_.open->send();
    }

    EchoHandler handler_;
    FakeWire wire_{handler_};
    std::unique_ptr<WireProtocol> session_;
};

constexpr std::string_view kPost =
    "POST /v2/x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";

TEST_F(Http1Protocol, AnswersOnceTheBodyIsComplete) {
    start(kPost.substr(0, kPost.size() - 2));
    EXPECT_EQ(handler_.handled, 0);
    feed("lo");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 200 OK\r\n")) << wire_.written;
    EXPECT_TRUE(wire_.written.ends_with("content-length: 15\r\n\r\n/v2/x?y=1 hello"));
    EXPECT_FALSE(wire_.closed);
}

TEST_F(Http1Protocol, ByteByByteIsTheSameAsAtOnce) {
    start("P");
    feed(kPost.substr(1), 1);
    EXPECT_TRUE(wire_.written.ends_with("/v2/x?y=1 hello"));
}

TEST_F(Http1Protocol, PipelinedRequestsAreAnsweredInOrder) {
    start(std::string(kPost) + "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHo");
    feed("st: h\r\n\r\n");
    EXPECT_EQ(handler_.handled, 3);
    const std::size_t a = wire_.written.find("/a? ");
    EXPECT_LT(wire_.written.find("hello"), a);
    EXPECT_LT(a, wire_.written.find("/b? "));
}

TEST_F(Http1Protocol, NextRequestWaitsForTheAnswerToTheOneBefore) {
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

TEST_F(Http1Protocol, ReadingStopsWhenAClientPipelinesTooMuch) {
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

TEST_F(Http1Protocol, ChunkedBodyIsPutTogether) {
    start("POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
    feed("lo\r\n1;ext=1\r\n!\r\n0\r\nTrailer: x\r\n\r\n", 3);
    EXPECT_TRUE(wire_.written.ends_with("/c? hello!"));
}

TEST_F(Http1Protocol, ContinueIsSaidBeforeTheBodyIsSent) {
    start("POST /c HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    EXPECT_EQ(wire_.written, "HTTP/1.1 100 Continue\r\n\r\n");
    feed("ok");
    EXPECT_TRUE(wire_.written.ends_with("/c? ok"));
}

TEST_F(Http1Protocol, HeadIsAnsweredWithoutABody) {
    start("HEAD /h HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(wire_.written.ends_with("content-length: 4\r\n\r\n"));
}

TEST_F(Http1Protocol, PartsOfAnAnswerAreChunksAndTheNextRequestWaitsForTheLast) {
    handler_.answer_at_once = false;
    start(std::string(kPost) + std::string(kPost));
    Exchange& exchange = *handler_.open;
    std::vector<Clock::time_point> sent;
    fakes::hold(exchange, {});
    exchange.state<fakes::ToldState>().sent = [&](Clock::time_point at) { sent.push_back(at); };
    send_part("one");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 200 OK\r\n")) << wire_.written;
    EXPECT_TRUE(wire_.written.ends_with("transfer-encoding: chunked\r\n\r\n3\r\none"));
    EXPECT_EQ(wire_.written.find("content-length"), std::string::npos);
    send_part("");  // Would be the end of all chunks.
    session_->probe();
    send_part(std::string(20, 'x'));
    EXPECT_TRUE(sent.empty());
    exchange.reply.body.append("end");
    exchange.send();
    const std::string parts =
        "\r\n\r\n3\r\none\r\n14\r\n" + std::string(20, 'x') + "\r\n3\r\nend\r\n0\r\n\r\n";
    EXPECT_TRUE(wire_.written.ends_with(parts)) << wire_.written;
    ASSERT_EQ(sent.size(), 1U);
    EXPECT_GT(sent[0], Clock::time_point());
    EXPECT_EQ(handler_.handled, 2);
    EXPECT_FALSE(handler_.open->held);
    handler_.answer();
    EXPECT_TRUE(wire_.written.ends_with("content-length: 15\r\n\r\n/v2/x?y=1 hello"));
}

TEST_F(Http1Protocol, PartsWithoutContentAreAnAnswerAsWell) {
    handler_.answer_at_once = false;
    start(kPost);
    fakes::hold(*handler_.open, {});
    send_part("");
    handler_.open->send();
    EXPECT_TRUE(wire_.written.ends_with("chunked\r\n\r\n0\r\n\r\n")) << wire_.written;
}

TEST_F(Http1Protocol, PartsToAnOldClientEndWithTheConnection) {
    handler_.answer_at_once = false;
    start("GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n");
    fakes::hold(*handler_.open, {});
    send_part("one");
    EXPECT_TRUE(wire_.written.ends_with("connection: close\r\n\r\none")) << wire_.written;
    EXPECT_FALSE(wire_.closed);
    handler_.open->reply.body.append("two");
    handler_.open->send();
    EXPECT_TRUE(wire_.written.ends_with("\r\n\r\nonetwo")) << wire_.written;
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Protocol, PartsOfTheAnswerToHeadAreLeftOut) {
    handler_.answer_at_once = false;
    start("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    fakes::hold(*handler_.open, {});
    send_part("one");
    handler_.open->send();
    EXPECT_TRUE(wire_.written.ends_with("transfer-encoding: chunked\r\n\r\n")) << wire_.written;
}

TEST_F(Http1Protocol, PartsThatAClientDoesNotTakeAreBoundedAndTheAnswerStaysWithoutItsEnd) {
    handler_.answer_at_once = false;
    wire_.client_reads = false;
    start(kPost);
    int gone = 0;
    fakes::hold(*handler_.open, [&gone](Exchange&) { ++gone; });
    while (gone == 0 && wire_.unsent < (std::size_t{1} << 30)) {
        send_part(std::string(100'000, 'x'));
    }
    EXPECT_EQ(gone, 1);
    EXPECT_LE(wire_.unsent, wire_.limits_.max_unsent_bytes + 200'000);
    EXPECT_TRUE(wire_.closed);
    EXPECT_FALSE(session_->owes_answer());
    send_part("too late");
    handler_.open->send();
    EXPECT_TRUE(wire_.written.ends_with("xxx"));
    session_->on_closed();
    EXPECT_EQ(gone, 1);
    EXPECT_TRUE(session_->idle());
}

TEST_F(Http1Protocol, AbandonedAnswerInPartsStaysWithoutItsEnd) {
    handler_.answer_at_once = false;
    start(kPost);
    int gone = 0;
    fakes::hold(*handler_.open, [&gone](Exchange&) { ++gone; });
    send_part("one");
    session_->abandon();
    EXPECT_EQ(gone, 1);
    EXPECT_TRUE(wire_.closed);
    handler_.open->send();
    EXPECT_TRUE(wire_.written.ends_with("3\r\none")) << wire_.written;
}

TEST_F(Http1Protocol, ConnectionEndsWhenTheClientSaysSo) {
    start("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    EXPECT_NE(wire_.written.find("connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Protocol, Http10IsKeptAliveOnRequestOnly) {
    start("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_FALSE(wire_.closed);
    feed("GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Protocol, BrokenRequestsGetOneClearErrorAndTheConnectionEnds) {
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

// RFC 9112, where it lets no doubt about where a request ends, and whom it is for. What is refused
// must end the connection: its rest would be taken for a request.
TEST_F(Http1Protocol, RequestsThatTwoReadersCouldReadDifferentlyAreRefused) {
    struct Case {
        std::string_view head;
        std::string_view status = "400";
    };
    constexpr std::string_view kInner = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    using namespace std::string_view_literals;
    for (const Case& of : {
             // 6.1 and 6.3: Transfer-Encoding. Only a known coding before the last may be "not
             // implemented"; where "chunked" is not the last one, the end is not known.
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: identity"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunkedx"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, gzip"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \"chunked\""},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked;q=1"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\x0b"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\0"sv},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \xc2\xa0"
                  "chunked"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: ,"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked", "501"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: x , Chunked", "501"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                  "Transfer-Encoding: chunked"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                  "Transfer-Encoding: identity"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding:\r\n chunked"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding\t: chunked"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\n Transfer-Encoding: chunked"},
             Case{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked"},
             Case{"POST / HTTP/1.0\r\nTransfer-Encoding: identity"},
             // 6.3: with Content-Length.
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\nContent-Length: 3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: gzip"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked"},
             // 6.2 and 6.3: Content-Length is one number.
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3,4"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3,"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ,3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -0"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0x3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\x0b"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3.0"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1e1"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \"3\""},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551616"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551619"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n 3"},
             Case{"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n 4"},
             // 3.2 and 3.2.2: Host.
             Case{"GET / HTTP/1.1"},
             Case{"GET / HTTP/1.1\r\nHost: a\r\nHost: b"},
             Case{"GET / HTTP/1.1\r\nHost: a\r\nHost: a"},
             Case{"GET / HTTP/1.1\r\nHost:\r\nHost: a"},
             Case{"GET / HTTP/1.0\r\nHost: a\r\nHost: b"},
             Case{"GET / HTTP/1.1\r\nHost: a b"},
             Case{"GET / HTTP/1.1\r\nHost: a, b"},
             Case{"GET / HTTP/1.1\r\nHost: a/b"},
             Case{"GET / HTTP/1.1\r\nHost: user@a"},
             Case{"GET / HTTP/1.1\r\nHost: a:b"},
             Case{"GET / HTTP/1.1\r\nHost: a:1:2"},
             Case{"GET / HTTP/1.1\r\nHost: [::1"},
             Case{"GET / HTTP/1.1\r\nHost: []"},
             Case{"GET / HTTP/1.1\r\nHost: http://a"},
             Case{"GET http://a/ HTTP/1.1"},
             Case{"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a"},
             // 3.2: the target.
             Case{"GET a HTTP/1.1\r\nHost: h"},
             Case{"GET http HTTP/1.1\r\nHost: h"},
             Case{"GET v2/models HTTP/1.1\r\nHost: h"},
             Case{"GET * HTTP/1.1\r\nHost: h"},
             Case{"GET http:///a HTTP/1.1\r\nHost: h"},
             Case{"GET http://:1/a HTTP/1.1\r\nHost: h"},
             Case{"GET http://u@h/a HTTP/1.1\r\nHost: h"},
             Case{"GET ftp://h/a HTTP/1.1\r\nHost: h"},
             Case{"GET x?http://h/a HTTP/1.1\r\nHost: h"},
             Case{"GET /a#b HTTP/1.1\r\nHost: h"},
             Case{"CONNECT /a HTTP/1.1\r\nHost: h"},
             Case{"GET /a /b HTTP/1.1\r\nHost: h"},
             Case{"GET  /a HTTP/1.1\r\nHost: h"},
             Case{"GET\t/a HTTP/1.1\r\nHost: h"},
             Case{"GET /a HTTP/1.1 \r\nHost: h"},
             Case{"GET /a\x01 HTTP/1.1\r\nHost: h"},
             Case{" GET /a HTTP/1.1\r\nHost: h"},
             Case{"G@T /a HTTP/1.1\r\nHost: h"},
             // 2.2 and 5: lines and fields.
             Case{"GET /a HTTP/1.1\nHost: h"},
             Case{"GET /a HTTP/1.1\rHost: h"},
             Case{"GET /a HTTP/1.1\r\nHost: h\nA: b"},
             Case{"GET /a HTTP/1.1\r\nHost: h\rA: b"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA: b\rc"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA: b\nTransfer-Encoding: chunked"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA: b\0c"sv},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA: b\x7f"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA\0: b"sv},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA : b"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\n: b"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n c"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA:\r\n b"},
             Case{"GET /a HTTP/1.1\r\nHost: h\r\nA: b\r\n "},
             Case{"GET /a HTTP/1.1\r\n A: b\r\nHost: h"},
         }) {
        wire_.written.clear();
        wire_.closed = false;
        start(std::string(of.head).append("\r\n\r\n").append(kInner));
        EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 " + std::string(of.status)))
            << of.head << '\n'
            << wire_.written;
        EXPECT_TRUE(wire_.closed) << of.head;
    }
    EXPECT_EQ(handler_.handled, 0);
}

TEST_F(Http1Protocol, ChunksThatAreNoneAreRefused) {
    using namespace std::string_view_literals;
    for (const std::string_view chunks : {
             "5\nhello\r\n0\r\n\r\n"sv,
             "5\n\r\nhello\r\n0\r\n\r\n"sv,
             "5\r\nhello0\r\n\r\n"sv,
             "5\r\nhello\n0\r\n\r\n"sv,
             "5\r\nhell\r\n0\r\n\r\n"sv,
             "0x5\r\nhello\r\n0\r\n\r\n"sv,
             "+5\r\nhello\r\n0\r\n\r\n"sv,
             "-5\r\nhello\r\n0\r\n\r\n"sv,
             " 5\r\nhello\r\n0\r\n\r\n"sv,
             "5 \r\nhello\r\n0\r\n\r\n"sv,
             "\r\nhello\r\n0\r\n\r\n"sv,
             "g\r\nhello\r\n0\r\n\r\n"sv,
             "10000000000000005\r\nhello\r\n0\r\n\r\n"sv,
             "5;\r\nhello\r\n0\r\n\r\n"sv,
             "5;a=\"\n\"\r\nhello\r\n0\r\n\r\n"sv,
             "5;a=\"\0\"\r\nhello\r\n0\r\n\r\n"sv,
             "5;a\rb\r\nhello\r\n0\r\n\r\n"sv,
             // Trailers are fields, and none of those that frame.
             "0\r\nno colon\r\n\r\n"sv,
             "0\r\nA : b\r\n\r\n"sv,
             "0\r\nA: b\r\n c\r\n\r\n"sv,
             "0\r\nA: b\0\r\n\r\n"sv,
             "0\r\nContent-Length: 3\r\n\r\n"sv,
             "0\r\nTransfer-Encoding: chunked\r\n\r\n"sv,
         }) {
        wire_.written.clear();
        wire_.closed = false;
        start(std::string("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
                  .append(chunks));
        EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 400")) << chunks << wire_.written;
        EXPECT_TRUE(wire_.closed) << chunks;
    }
    EXPECT_EQ(handler_.handled, 0);
}

TEST_F(Http1Protocol, RequestsThatOnlyLookOddAreTaken) {
    for (const std::string_view head : {
             "GET / HTTP/1.1\r\nHost:",
             "GET / HTTP/1.1\r\nHost: [::1]:8000",
             "GET / HTTP/1.1\r\nHost: a_b.c:",
             "GET / HTTP/1.1\r\nhOsT:\t h \t",
             "GET /caf\xc3\xa9?a=b:/?c HTTP/1.1\r\nHost: h",
             "OPTIONS * HTTP/1.1\r\nHost: h",
             "CONNECT h:1 HTTP/1.1\r\nHost: h:1",
             "GET HTTP://h HTTP/1.1\r\nHost: other",
             "GET https://h?q HTTP/1.1\r\nHost: h",
             "GET / HTTP/1.0",
             "GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB: \xff",
             "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 000",
             "\r\nGET / HTTP/1.1\r\nHost: h",
             "\r\n\r\nGET / HTTP/1.1\r\nHost: h",
         }) {
        wire_.written.clear();
        start(std::string(head).append("\r\n\r\n"));
        EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 200")) << head << '\n' << wire_.written;
    }
}

TEST_F(Http1Protocol, TrailersAreNotFieldsOfTheHead) {
    handler_.answer_at_once = false;
    start(
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
        "2\r\n{}\r\n0\r\nHost: b\r\nContent-Encoding: bogus\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_EQ(handler_.handled, 1);
    EXPECT_EQ(handler_.open->message.fields.size(), 2U);
    EXPECT_EQ(handler_.open->message.fields.find("host"), "h");
    EXPECT_EQ(handler_.open->message.fields.find("content-encoding").data(), nullptr);
}

TEST_F(Http1Protocol, HostOfAnAbsoluteTargetIsTheRequests) {
    handler_.answer_at_once = false;
    start("GET http://inner:1/v2 HTTP/1.1\r\nHost: outer\r\n\r\n");
    EXPECT_EQ(handler_.open->message.fields.find("host"), "inner:1");
    EXPECT_EQ(handler_.open->message.fields.size(), 1U);
}

TEST_F(Http1Protocol, FieldsAreBoundedHoweverTheyArrive) {
    // Each read ends with a line: nothing is left over that could be measured.
    start("GET / HTTP/1.1\r\n");
    std::size_t lines = 0;
    while (!wire_.closed && ++lines < 1000) feed("a:\r\n");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 431")) << wire_.written;
    EXPECT_LE(lines, 1024U / 4);

    // Each counts 32 bytes more than its text, as over HTTP/2.
    wire_.written.clear();
    wire_.closed = false;
    std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (int i = 0; i < 40; ++i) many += "a:\r\n";
    start(many + "\r\n");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 431")) << wire_.written;

    wire_.written.clear();
    wire_.closed = false;
    start("GET / HTTP/1.1\r\n");
    lines = 0;
    while (!wire_.closed && ++lines < 1000) feed("a:" + std::string(500, ' ') + "\r\n");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 431")) << wire_.written;
    EXPECT_LE(lines, 3U);
}

TEST_F(Http1Protocol, WhatIsAroundChunksIsBounded) {
    constexpr std::string_view kHead =
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct Flood {
        std::string_view start;
        std::string_view piece;
    };
    for (const Flood& flood : {Flood{"2;", "aaaa"},
                               Flood{"2;a=\"", "aaaa"},
                               Flood{"", "0000"},
                               Flood{"0\r\n", "a: b\r\n"},
                               Flood{"0\r\na:", "    "},
                               Flood{"", "1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n"}}) {
        wire_.written.clear();
        wire_.closed = false;
        start(kHead);
        feed(flood.start);
        std::size_t sent = 0;
        while (!wire_.closed && sent < 100'000) {
            feed(flood.piece);
            sent += flood.piece.size();
        }
        EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 400")) << flood.piece << wire_.written;
        EXPECT_LE(sent, 4096U) << flood.piece;
    }
    EXPECT_EQ(handler_.handled, 0);
}

TEST_F(Http1Protocol, ChunksOfOneByteAreTakenUpToTheLimitOfBodies) {
    std::string chunks = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 4096; ++i) chunks += "1;a=1\r\nx\r\n";
    start("");
    feed(chunks + "0\r\n\r\n", 1000);
    EXPECT_EQ(handler_.handled, 1);
}

TEST_F(Http1Protocol, EmptyLinesBeforeARequestAreSkippedButNotForEver) {
    start(std::string(kPost) + "\r\n");
    EXPECT_EQ(handler_.handled, 1);
    EXPECT_EQ(session_->read_deadline(), kNoDeadline);  // It may stay idle.
    feed("\r");
    feed("\n");
    feed(kPost);
    EXPECT_EQ(handler_.handled, 2);
    while (!wire_.closed) feed("\r\n");
    EXPECT_TRUE(wire_.written.find("HTTP/1.1 431") != std::string::npos);
}

TEST_F(Http1Protocol, NoRequestIsParsedWhileAnswersAreNotRead) {
    wire_.limits_.max_unsent_bytes = 100;
    wire_.client_reads = false;
    start(std::string(kPost) + std::string(kPost) + std::string(kPost));
    EXPECT_EQ(handler_.handled, 2);  // Two answers are more than 100 bytes; one is not.
    std::size_t taken = 0;
    for (auto space = session_->read_space(); !space.empty(); space = session_->read_space()) {
        std::fill(space.begin(), space.end(), std::byte{'x'});
        taken += space.size();
        session_->on_read(space.size(), Clock::now());
        ASSERT_LT(taken, std::size_t{1} << 20);
    }
    EXPECT_EQ(handler_.handled, 2);
    wire_.unsent = 0;
    session_->on_writable();
    EXPECT_EQ(handler_.handled, 3);
}

TEST_F(Http1Protocol, ClientThatHasShutItsSideGetsItsAnswers) {
    handler_.answer_at_once = false;
    start(std::string(kPost) + std::string(kPost) + "GET / HT");
    EXPECT_TRUE(session_->on_end());
    session_->probe();
    EXPECT_FALSE(handler_.open->client_gone);
    EXPECT_EQ(wire_.written, "HTTP/1.1 ");  // Which a client that is gone answers with a reset.
    handler_.answer();
    EXPECT_FALSE(wire_.closed);
    EXPECT_EQ(handler_.handled, 2);
    handler_.answer();
    EXPECT_TRUE(wire_.closed);
    const std::size_t second = wire_.written.rfind("HTTP/1.1 200 OK\r\n");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_GT(second, 0U);
    EXPECT_EQ(wire_.written.find("HTTP/1.1", 1), second);
}

TEST_F(Http1Protocol, ClientThatHasShutItsSideGetsWhatIsUnsent) {
    wire_.limits_.max_unsent_bytes = 100;
    wire_.client_reads = false;
    start(std::string(kPost) + std::string(kPost) + std::string(kPost));
    EXPECT_EQ(handler_.handled, 2);
    EXPECT_TRUE(session_->on_end());
    EXPECT_FALSE(wire_.closed);
    wire_.unsent = 0;
    session_->on_writable();
    EXPECT_EQ(handler_.handled, 3);
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Protocol, ClientThatIsOwedNothingIsDone) {
    start(kPost);
    EXPECT_FALSE(session_->on_end());
    start("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel");
    EXPECT_FALSE(session_->on_end());
}

TEST_F(Http1Protocol, PipelinedRequestHasBegunWhenItWasRead) {
    handler_.answer_at_once = false;
    const Clock::time_point before = Clock::now();
    start(std::string(kPost) + std::string(kPost));
    const Clock::time_point after = Clock::now();
    handler_.answer();
    ASSERT_EQ(handler_.handled, 2);
    EXPECT_GE(handler_.open->message.begun, before);
    EXPECT_LE(handler_.open->message.begun, after);
}

TEST_F(Http1Protocol, HeadThatDoesNotEndTimesOut) {
    start("GET / HTTP/1.1\r\nHost:");
    EXPECT_NE(session_->read_deadline(), kNoDeadline);
    session_->on_timeout(session_->read_deadline());
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 408"));
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Protocol, IdleConnectionHasNoTimeout) {
    start(kPost);
    EXPECT_EQ(session_->read_deadline(), kNoDeadline);
}

TEST_F(Http1Protocol, ClientThatLeavesCancelsItsRequest) {
    handler_.answer_at_once = false;
    start(kPost);
    session_->on_closed();
    EXPECT_TRUE(handler_.open->client_gone);
    EXPECT_FALSE(session_->idle());
    handler_.answer();
    EXPECT_TRUE(session_->idle());
    EXPECT_TRUE(wire_.written.empty());
}

TEST_F(Http1Protocol, ClientThatOnlyEndsItsSideGetsEveryAnswerWhole) {
    handler_.answer_at_once = false;
    start(std::string(kPost) + std::string(kPost));
    EXPECT_TRUE(session_->on_end());
    session_->probe();
    session_->probe();
    EXPECT_EQ(wire_.written, "HTTP/1.1 ");
    handler_.answer();
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 200 OK\r\ncontent-type"));
    EXPECT_EQ(handler_.handled, 2);
    EXPECT_FALSE(wire_.closed);
    handler_.answer();
    EXPECT_NE(wire_.written.find("helloHTTP/1.1 200 OK\r\n"), std::string::npos);
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Protocol, ClientThatEndsWithoutARequestIsOwedNothing) {
    start(kPost.substr(0, 20));
    EXPECT_FALSE(session_->on_end());
}

TEST_F(Http1Protocol, DrainFinishesTheOpenRequestAndThenCloses) {
    handler_.answer_at_once = false;
    start(kPost);
    session_->on_drain();
    EXPECT_FALSE(wire_.closed);
    handler_.answer();
    EXPECT_NE(wire_.written.find("connection: close"), std::string::npos);
    EXPECT_TRUE(wire_.closed);
}

TEST_F(Http1Protocol, DrainLetsAnIdleClientHaveOneMoreRequestUntilTheLastCall) {
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

TEST_F(Http1Protocol, AbandonedRequestIsAnsweredInPlaceOfTheHandler) {
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

TEST_F(Http1Protocol, BodyThatDripsIsASilentOne) {
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

TEST_F(Http1Protocol, MemoryIsTakenAsTheBodyComes) {
    wire_.limits_.max_body_bytes = std::size_t{1} << 30;
    start("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
    EXPECT_LE(session_->read_space().size(), std::size_t{1} << 20);
    feed(std::string(std::size_t{3} << 20, 'x'));
    EXPECT_LE(wire_.pool().held_bytes(), std::size_t{16} << 20);
}

TEST_F(Http1Protocol, RequestThatMemoryIsMissingForIsRefused) {
    wire_.limits_.max_body_bytes = std::size_t{1} << 30;
    memory::BufferPool spent(1);
    wire_.use(spent);
    start("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n");
    EXPECT_TRUE(wire_.written.starts_with("HTTP/1.1 503 ")) << wire_.written;
    EXPECT_TRUE(wire_.closed);
    session_.reset();
}

TEST_F(Http1Protocol, IdleConnectionGivesTheMemoryOfItsMessagesBack) {
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

TEST_F(Http1Protocol, AbsoluteTargetIsTakenByItsPath) {
    start("GET http://host:1/v2?q HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(wire_.written.ends_with("/v2?q "));
}

}  // namespace
}  // namespace lepton::net
