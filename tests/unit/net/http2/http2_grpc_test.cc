#include <gtest/gtest.h>

#include "fakes/told_state.h"
#include "lepton/net/gzip.h"
#include "unit/net/http2/http2_peer.h"

namespace lepton::net::test {
namespace {

std::string zipped(std::string_view text) {
    memory::BufferPool pool;
    memory::Buffer out = pool.take(0);
    EXPECT_TRUE(net::gzip(std::as_bytes(std::span(text)), out));
    return std::string(out.text());
}

std::string unzipped(std::string_view packed) {
    memory::BufferPool pool;
    memory::Buffer out = pool.take(0);
    EXPECT_TRUE(gunzip(std::as_bytes(std::span(packed)), std::size_t{1} << 24, out));
    return std::string(out.text());
}

void answer_in_stream(Exchange& exchange) {
    exchange.reply.last = !exchange.message.has_body;
    exchange.reply.has_body = exchange.message.has_body;
    if (exchange.message.has_body) exchange.reply.body.append(exchange.message.body.bytes());
    exchange.send();
}

TEST(Http2Grpc, UnaryCallIsHandledOnceAndEndsInTrailers) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        EXPECT_TRUE(exchange.message.grpc);
        EXPECT_TRUE(exchange.message.has_body);
        EXPECT_EQ(exchange.message.path, "/pkg.Service/Method");
        EXPECT_EQ(exchange.message.body.text(), "question");
        exchange.reply.body.append("answer");
        exchange.reply.fields.add("server-timing", "net;dur=1");
        exchange.send();
    };
    const ClientStream& stream = peer.call(framed("question"));
    EXPECT_EQ(find(stream.head, ":status"), "200");
    EXPECT_EQ(find(stream.head, "content-type"), "application/grpc");
    EXPECT_EQ(find(stream.head, "grpc-accept-encoding"), "identity,deflate,gzip");
    EXPECT_EQ(find(stream.head, "grpc-encoding"), "");
    EXPECT_EQ(stream.body, framed("answer"));
    EXPECT_EQ(find(stream.trailers, "grpc-status"), "0");
    EXPECT_EQ(find(stream.trailers, "server-timing"), "net;dur=1");
    EXPECT_EQ(stream.error, 0u);
    EXPECT_EQ(peer.handler.handled, 1);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Grpc, HalfCloseAfterTheLastReplyIsNotDelivered) {
    Http2Peer peer;
    const std::int32_t id = peer.start(Http2Peer::grpc_fields(), framed("x"), false);
    peer.pump();
    Exchange& exchange = peer.handler.next();
    peer.more(id, "", true);
    exchange.send();
    peer.pump();
    EXPECT_EQ(peer.handler.handled, 1);
    EXPECT_EQ(find(peer.streams[id].trailers, "grpc-status"), "0");
}

TEST(Http2Grpc, UnaryAnswerNeedNotWaitForTheHalfClose) {
    Http2Peer peer;
    peer.handler.answer = echo;
    const std::int32_t id = peer.start(Http2Peer::grpc_fields(), framed("x"), false);
    peer.pump();
    EXPECT_EQ(find(peer.streams[id].trailers, "grpc-status"), "0");
    EXPECT_TRUE(peer.streams[id].closed);
    EXPECT_EQ(peer.streams[id].error, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Grpc, CallWithoutAMessageIsDeliveredAtItsHalfClose) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        EXPECT_FALSE(exchange.message.has_body);
        exchange.reply.has_body = false;
        exchange.reply.grpc_status = 3;
        exchange.send();
    };
    EXPECT_EQ(find(peer.call("").head, "grpc-status"), "3");
    EXPECT_EQ(peer.handler.handled, 1);
}

TEST(Http2Grpc, EmptyMessageIsAMessage) {
    Http2Peer peer;
    peer.handler.answer = echo;
    const ClientStream& stream = peer.call(framed(""));
    EXPECT_EQ(stream.body, framed(""));
    EXPECT_EQ(peer.handler.handled, 1);
}

TEST(Http2Grpc, ErrorWithoutABodyIsTrailersOnly) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        exchange.reply.has_body = false;
        exchange.reply.grpc_status = 8;
        exchange.reply.grpc_message = "queue is 100% full\xc3\xa9";
        exchange.reply.fields.add("grpc-retry-pushback-ms", "10");
        exchange.send();
    };
    const ClientStream& stream = peer.call(framed("x"));
    EXPECT_EQ(find(stream.head, ":status"), "200");
    EXPECT_EQ(find(stream.head, "grpc-status"), "8");
    EXPECT_EQ(find(stream.head, "grpc-message"), "queue is 100%25 full%C3%A9");
    EXPECT_EQ(find(stream.head, "grpc-retry-pushback-ms"), "10");
    EXPECT_TRUE(stream.trailers.empty());
    EXPECT_TRUE(peer.data_frames.empty());
    EXPECT_TRUE(stream.ended);
}

TEST(Http2Grpc, MessagesOfAStreamAreHandledInOrderOneAtATime) {
    Http2Peer peer;
    const std::int32_t id =
        peer.start(Http2Peer::grpc_fields(), framed("a") + framed("b") + framed("c"), true);
    peer.pump();
    std::string expected;
    for (const char* text : {"a", "b", "c"}) {
        ASSERT_EQ(peer.handler.waiting.size(), 1u);
        Exchange& exchange = peer.handler.next();
        EXPECT_EQ(exchange.message.body.text(), text);
        EXPECT_TRUE(exchange.reply.body.empty());
        answer_in_stream(exchange);
        peer.pump();
        expected += framed(text);
        EXPECT_EQ(peer.streams[id].body, expected);
        EXPECT_FALSE(peer.streams[id].ended);
    }
    ASSERT_EQ(peer.handler.waiting.size(), 1u);
    answer_in_stream(peer.handler.next());
    peer.pump();
    EXPECT_EQ(find(peer.streams[id].trailers, "grpc-status"), "0");
    EXPECT_EQ(peer.handler.handled, 4);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Grpc, StreamAnsweredAtOnceWorksWhateverTheSizeOfReads) {
    for (const std::size_t chunk : {1u, 3u, 7u, 1000u}) {
        Http2Peer peer;
        peer.chunk_bytes = chunk;
        peer.handler.answer = answer_in_stream;
        std::string messages;
        for (int i = 0; i < 20; ++i)
            messages += framed(std::string(static_cast<std::size_t>(i), 'm'));
        const ClientStream& stream = peer.call(messages);
        EXPECT_EQ(stream.body, messages);
        EXPECT_EQ(find(stream.trailers, "grpc-status"), "0");
        EXPECT_EQ(peer.handler.handled, 21);
    }
}

TEST(Http2Grpc, BusyStreamStopsItsClientByTheWindowAndNotTheOthers) {
    Http2Peer peer;
    const std::string message(100'000, 'm');
    std::string messages;
    for (int i = 0; i < 100; ++i) messages += framed(message);
    const std::int32_t busy = peer.start(Http2Peer::grpc_fields(), messages, true);
    peer.pump();
    ASSERT_EQ(peer.handler.handled, 1);
    EXPECT_LT(peer.streams[busy].sent, std::size_t{5} << 20);
    Exchange& first = peer.handler.next();
    peer.handler.answer = answer_in_stream;
    const std::string large(std::size_t{20} << 20, 'l');
    EXPECT_TRUE(peer.call(framed(large)).body == framed(large));
    answer_in_stream(first);
    peer.pump();
    EXPECT_TRUE(peer.streams[busy].body == messages);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Grpc, HandlerMayPushRepliesAndEndTheCallAtAnyTime) {
    Http2Peer peer;
    int gone = 0;
    ClientStream& stream = peer.call(framed("watch"), false);
    Exchange& exchange = peer.handler.next();
    fakes::hold(exchange, [&gone](Exchange&) { ++gone; });
    std::string expected;
    for (const char* text : {"one", "two", "three"}) {
        exchange.reply.last = false;
        exchange.reply.body.append(std::string_view(text));
        exchange.send();
        expected += framed(text);
    }
    peer.pump();
    EXPECT_EQ(stream.body, expected);
    EXPECT_FALSE(stream.ended);
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
    exchange.reply.has_body = false;
    exchange.send();
    peer.pump();
    EXPECT_EQ(find(stream.trailers, "grpc-status"), "0");
    EXPECT_EQ(gone, 0);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Grpc, HalfCloseOfAnOpenCallIsToldAndNeedsNoReply) {
    Http2Peer peer;
    ClientStream& stream = peer.call(framed("watch"));
    Exchange& exchange = peer.handler.next();
    fakes::hold(exchange, [](Exchange& it) {
        it.reply.has_body = false;
        it.reply.grpc_status = 1;
        it.send();
    });
    exchange.reply.last = false;
    exchange.send();
    peer.pump();
    ASSERT_EQ(peer.handler.waiting.size(), 1u);
    EXPECT_FALSE(peer.handler.next().message.has_body);
    // What else is answered on the connection need not wait for the turn's end because of it.
    ClientStream& other = peer.request(kGet);
    peer.handler.next().send();
    peer.give_client();
    EXPECT_TRUE(other.ended);
    peer.session->on_drain();
    peer.pump();
    EXPECT_EQ(find(stream.trailers, "grpc-status"), "1");
    EXPECT_TRUE(peer.wire.closing);
}

TEST(Http2Grpc, OpenCallHearsThatItsClientIsGoneAndOwesTheLastSend) {
    Http2Peer peer;
    Exchange* gone = nullptr;
    const std::int32_t id = peer.start(Http2Peer::grpc_fields(), framed("watch"), false);
    peer.pump();
    Exchange& exchange = peer.handler.next();
    fakes::hold(exchange, [&gone](Exchange& it) { gone = &it; });
    exchange.reply.last = false;
    exchange.send();
    peer.pump();
    nghttp2_submit_rst_stream(peer.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    peer.pump();
    EXPECT_EQ(gone, &exchange);
    EXPECT_FALSE(peer.session->idle());
    exchange.reply.last = false;
    exchange.send();  // Came too late, and goes nowhere.
    EXPECT_FALSE(peer.session->idle());
    exchange.reply.last = true;
    exchange.send();
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Grpc, OpenCallThatNobodyHoldsEndsWithItsClient) {
    Http2Peer peer;
    peer.handler.answer = answer_in_stream;
    const std::int32_t id = peer.start(Http2Peer::grpc_fields(), framed("x"), false);
    peer.pump();
    EXPECT_FALSE(peer.session->idle());
    nghttp2_submit_rst_stream(peer.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    peer.pump();
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Grpc, DrainTellsOpenCallsThatTheyMayEndProperly) {
    Http2Peer peer;
    ClientStream& stream = peer.call(framed("watch"), false);
    Exchange& exchange = peer.handler.next();
    fakes::hold(exchange, [](Exchange& it) {
        it.reply.has_body = false;
        it.reply.grpc_status = 14;
        it.send();
    });
    exchange.reply.last = false;
    exchange.send();
    peer.pump();
    peer.session->on_drain();
    peer.pump();
    EXPECT_EQ(find(stream.trailers, "grpc-status"), "14");
    EXPECT_TRUE(peer.wire.closing);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Grpc, PushedRepliesOfAClientThatDoesNotReadAreBounded) {
    Limits limits;
    limits.max_unsent_bytes = 100'000;
    Http2Peer peer(limits, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
    Exchange* gone = nullptr;
    ClientStream& stream = peer.call(framed("watch"), false);
    Exchange& exchange = peer.handler.next();
    fakes::hold(exchange, [&gone](Exchange& it) { gone = &it; });
    for (int i = 0; i < 1'000 && gone == nullptr; ++i) {
        exchange.reply.last = false;
        exchange.reply.body.append(std::string(1'000, 'x'));
        exchange.send();
        peer.pump();
    }
    EXPECT_EQ(gone, &exchange);
    EXPECT_EQ(stream.error, static_cast<std::uint32_t>(NGHTTP2_ENHANCE_YOUR_CALM));
    exchange.send();
}

TEST(Http2Grpc, CompressedMessageIsInflatedAndSoIsTheAnswer) {
    Http2Peer peer;
    peer.handler.answer = answer_in_stream;
    const std::string text(50'000, 'z');
    const ClientStream& stream =
        peer.call(framed(zipped(text), true) + framed("plain") + framed(zipped(text), true),
                  true,
                  {{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "identity, gzip"}});
    EXPECT_EQ(find(stream.head, "grpc-encoding"), "gzip");
    ASSERT_GT(stream.body.size(), 5u);
    EXPECT_LT(stream.body.size(), 2'000u);
    EXPECT_EQ(stream.body[0], '\1');
    const std::string packed = zipped(text);
    EXPECT_EQ(stream.body, framed(packed, true) + framed("plain") + framed(packed, true));
    EXPECT_EQ(unzipped(packed), text);
}

TEST(Http2Grpc, AnswerIsNotCompressedForAClientThatDidNotAskForIt) {
    Http2Peer peer;
    peer.handler.answer = answer_in_stream;
    const std::string text(50'000, 'z');
    const ClientStream& deaf =
        peer.call(framed(zipped(text), true), true, {{"grpc-encoding", "gzip"}});
    EXPECT_EQ(find(deaf.head, "grpc-encoding"), "");
    EXPECT_EQ(deaf.body, framed(text));
    const ClientStream& plain = peer.call(framed(text), true, {{"grpc-accept-encoding", "gzip"}});
    EXPECT_EQ(find(plain.head, "grpc-encoding"), "");
    EXPECT_EQ(plain.body, framed(text));
}

TEST(Http2Grpc, MessageThatInflatesBeyondTheLimitIsRefused) {
    Limits limits;
    limits.max_body_bytes = 100'000;
    Http2Peer peer(limits);
    const ClientStream& stream = peer.call(
        framed(zipped(std::string(100'001, 'z')), true), true, {{"grpc-encoding", "gzip"}});
    EXPECT_EQ(find(stream.head, "grpc-status"), "3");
    EXPECT_EQ(find(stream.head, "grpc-message"),
              "compressed message holds more than the 100000 bytes allowed");
    EXPECT_EQ(peer.handler.handled, 0);
    peer.handler.answer = echo;
    const ClientStream& exact = peer.call(
        framed(zipped(std::string(100'000, 'z')), true), true, {{"grpc-encoding", "gzip"}});
    EXPECT_EQ(exact.body.size(), 100'005u);
}

TEST(Http2Grpc, CorruptGzipIsTheClientsFault) {
    Http2Peer peer;
    const ClientStream& stream =
        peer.call(framed("not gzip at all", true), true, {{"grpc-encoding", "gzip"}});
    EXPECT_EQ(find(stream.head, "grpc-status"), "3");
}

TEST(Http2Grpc, UnknownEncodingIsUnimplementedAndTheAnswerNamesTheKnownOnes) {
    Http2Peer peer;
    const ClientStream& stream = peer.call(framed("x", true), true, {{"grpc-encoding", "snappy"}});
    EXPECT_EQ(find(stream.head, "grpc-status"), "12");
    EXPECT_EQ(find(stream.head, "grpc-accept-encoding"), "identity,deflate,gzip");
    EXPECT_NE(find(stream.head, "grpc-message").find("snappy"), std::string::npos);
}

TEST(Http2Grpc, CompressedFlagWithoutAnEncodingIsInternal) {
    Http2Peer peer;
    EXPECT_EQ(find(peer.call(framed("x", true)).head, "grpc-status"), "13");
    EXPECT_EQ(find(peer.call(std::string("\7\0\0\0\1x", 6)).head, "grpc-status"), "13");
}

TEST(Http2Grpc, MessageOverTheLimitIsRefusedAtItsPrefix) {
    Limits limits;
    limits.max_body_bytes = 1'000;
    Http2Peer peer(limits);
    const ClientStream& stream = peer.call(std::string("\0\0\0\3\xe9", 5), false);
    EXPECT_EQ(find(stream.head, "grpc-status"), "3");
    EXPECT_EQ(find(stream.head, "grpc-message"),
              "gRPC message of 1001 bytes exceeds the limit of 1000");
    EXPECT_TRUE(stream.closed);
    EXPECT_EQ(stream.error, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
}

TEST(Http2Grpc, ErrorLaterInAStreamEndsItInTrailers) {
    Limits limits;
    limits.max_body_bytes = 1'000;
    Http2Peer peer(limits);
    peer.handler.answer = answer_in_stream;
    const ClientStream& stream = peer.call(framed("good") + framed(std::string(2'000, 'x')));
    EXPECT_EQ(stream.body, framed("good"));
    EXPECT_EQ(find(stream.trailers, "grpc-status"), "3");
}

TEST(Http2Grpc, CallCutShortWithinAMessageIsRefused) {
    Http2Peer peer;
    EXPECT_EQ(find(peer.call(framed("0123456789").substr(0, 9)).head, "grpc-status"), "13");
    EXPECT_EQ(find(peer.call(std::string(3, '\0')).head, "grpc-status"), "13");
    EXPECT_EQ(peer.handler.handled, 0);
}

TEST(Http2Grpc, MessageThatStopsHalfwayIsTimedOutAndAStreamAtRestIsNot) {
    Http2Peer peer;
    peer.handler.answer = answer_in_stream;
    const std::int32_t id = peer.start(Http2Peer::grpc_fields(), framed("x"), false);
    peer.pump();
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
    peer.more(id, framed("0123456789").substr(0, 8), false);
    EXPECT_EQ(peer.session->read_deadline(), peer.now + peer.wire.the_limits.body_idle_timeout);
    peer.session->on_timeout(peer.session->read_deadline());
    peer.pump();
    EXPECT_EQ(find(peer.streams[id].trailers, "grpc-status"), "4");
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
}

TEST(Http2Grpc, WrongMethodAndContentTypeAreAnsweredInHttp) {
    Http2Peer peer;
    Fields get = Http2Peer::grpc_fields();
    get[0].second = "GET";
    const ClientStream& wrong_method = peer.request(get);
    EXPECT_EQ(find(wrong_method.head, ":status"), "405");
    EXPECT_EQ(find(wrong_method.head, "allow"), "POST");
    Fields untyped = Http2Peer::grpc_fields({{"grpc-timeout", "1S"}});
    untyped.erase(untyped.begin() + 5);
    EXPECT_EQ(find(peer.request(untyped, framed("x")).head, ":status"), "415");
    Fields thrift = Http2Peer::grpc_fields();
    thrift[5].second = "application/grpc+thrift";
    EXPECT_EQ(find(peer.request(thrift, framed("x")).head, ":status"), "415");
    EXPECT_EQ(peer.handler.handled, 0);
    peer.handler.answer = echo;
    Fields proto = Http2Peer::grpc_fields();
    proto[5].second = "application/grpc+proto;charset=utf-8";
    EXPECT_EQ(peer.request(proto, framed("x")).body, framed("x"));
}

TEST(Http2Grpc, ManyCallsReuseTheExchanges) {
    Http2Peer peer;
    std::vector<const Exchange*> seen;
    peer.handler.answer = [&seen](Exchange& exchange) {
        if (std::find(seen.begin(), seen.end(), &exchange) == seen.end()) seen.push_back(&exchange);
        EXPECT_TRUE(exchange.reply.body.empty());
        EXPECT_FALSE(exchange.held);
        echo(exchange);
    };
    for (int i = 0; i < 100; ++i) {
        const std::string text = std::to_string(i);
        EXPECT_EQ(peer.call(framed(text)).body, framed(text));
    }
    EXPECT_EQ(seen.size(), 1u);
}

// A compressed message that waits to be decompressed.
class Http2GrpcAside : public testing::Test {
protected:
    Http2GrpcAside() {
        peer.wire.the_loop.holds_aside = true;
        peer.handler.answer = echo;
    }
    std::int32_t start(bool finishes = true) {
        const std::int32_t id = peer.start(Http2Peer::grpc_fields({{"grpc-encoding", "gzip"}}),
                                           framed(zipped(std::string(9000, 'z')), true),
                                           finishes);
        peer.pump();
        EXPECT_EQ(peer.handler.handled, 0);
        EXPECT_TRUE(peer.session->owes_answer());
        return id;
    }
    void finish() {
        peer.wire.the_loop.finish_aside();
        peer.pump();
    }
    Http2Peer peer;
};

TEST_F(Http2GrpcAside, IsHandledThen) {
    const std::int32_t id = start();
    finish();
    EXPECT_EQ(peer.handler.handled, 1);
    EXPECT_EQ(peer.streams[id].body, framed(std::string(9000, 'z')));
    EXPECT_EQ(find(peer.streams[id].trailers, "grpc-status"), "0");
    EXPECT_TRUE(peer.session->idle());
}

TEST_F(Http2GrpcAside, IsNotHandledWhenItsStreamWasResetMeanwhile) {
    const std::int32_t id = start();
    nghttp2_submit_rst_stream(peer.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    peer.pump();
    EXPECT_FALSE(peer.session->idle());
    finish();
    EXPECT_EQ(peer.handler.handled, 0);
    EXPECT_TRUE(peer.session->idle());
}

TEST_F(Http2GrpcAside, IsNotHandledWhenTheConnectionClosedMeanwhile) {
    start();
    peer.disconnect();
    EXPECT_FALSE(peer.session->idle());
    finish();
    EXPECT_EQ(peer.handler.handled, 0);
    EXPECT_TRUE(peer.session->idle());
}

TEST_F(Http2GrpcAside, IsNotHandledWhenTheServerGaveUpMeanwhile) {
    const std::int32_t id = start();
    peer.session->abandon();
    peer.pump();
    EXPECT_EQ(find(peer.streams[id].head, "grpc-status"), "14");
    finish();
    EXPECT_EQ(peer.handler.handled, 0);
    EXPECT_TRUE(peer.session->idle());
}

TEST_F(Http2GrpcAside, TheNextMessageWaitsForIt) {
    peer.handler.answer = answer_in_stream;
    const std::int32_t id = start(false);
    peer.more(id, framed(zipped(std::string(9000, 'y')), true) + framed("plain"), true);
    EXPECT_EQ(peer.handler.handled, 0);
    for (int i = 0; i < 3; ++i) finish();
    EXPECT_EQ(peer.streams[id].body,
              framed(std::string(9000, 'z')) + framed(std::string(9000, 'y')) + framed("plain"));
    EXPECT_TRUE(peer.session->idle());
}

// As the health service's Watch does.
TEST_F(Http2GrpcAside, TheHandlerThatKeepsTheCallOpenMayAnswerAndEndItMeanwhile) {
    Exchange* kept = nullptr;
    peer.handler.answer = [&kept](Exchange& exchange) {
        kept = &exchange;
        fakes::hold(exchange, [](Exchange& gone) {
            gone.reply.clear();
            gone.reply.has_body = false;
            gone.send();
        });
        exchange.reply.last = false;
        exchange.reply.body.append("first");
        exchange.send();
    };
    const std::int32_t id =
        peer.start(Http2Peer::grpc_fields({{"grpc-encoding", "gzip"}}), framed("plain"), false);
    peer.pump();
    peer.more(id, framed(zipped(std::string(9000, 'z')), true), false);
    ASSERT_NE(kept, nullptr);
    kept->reply.last = false;
    kept->reply.body.append("second");
    kept->send();
    peer.pump();
    EXPECT_EQ(peer.streams[id].body, framed("first") + framed("second"));
    peer.disconnect();
    EXPECT_FALSE(peer.session->idle());
    finish();
    EXPECT_EQ(peer.handler.handled, 1);
    EXPECT_TRUE(peer.session->idle());
}

TEST_F(Http2GrpcAside, ALongAnswerIsCompressedThereAndSmallOnesAreNot) {
    for (const std::size_t size : {std::size_t{9000}, std::size_t{200'000}}) {
        const Fields fields = {{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "gzip"}};
        const std::string message(size, 'z');
        const std::int32_t id = peer.start(Http2Peer::grpc_fields(fields), framed(message), true);
        peer.pump();
        EXPECT_EQ(peer.streams[id].ended, size == 9000);
        finish();
        ASSERT_EQ(peer.streams[id].body.at(0), '\1');
        EXPECT_EQ(unzipped(peer.streams[id].body.substr(5)), message);
    }
    EXPECT_TRUE(peer.session->idle());
}

TEST_F(Http2GrpcAside, WhetherAnAnswerIsCompressedIsSaidOfEach) {
    peer.handler.answer = [](Exchange& exchange) {
        for (const std::size_t size : {9000, 10}) {
            exchange.reply.last = size == 10;
            exchange.reply.body.append(std::string_view(std::string(size, 'z')));
            exchange.send();
        }
    };
    const Fields fields = {{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "gzip"}};
    const std::int32_t id = peer.start(Http2Peer::grpc_fields(fields), framed("x"), true);
    peer.pump();
    const std::string& body = peer.streams[id].body;
    EXPECT_EQ(body.front(), '\1');
    EXPECT_TRUE(body.ends_with(framed(std::string(10, 'z')))) << body.size();
}

TEST_F(Http2GrpcAside, ALongAnswerWhoseClientLeavesMeanwhileIsDropped) {
    const Fields fields = {{"grpc-encoding", "gzip"}, {"grpc-accept-encoding", "gzip"}};
    peer.start(Http2Peer::grpc_fields(fields), framed(std::string(200'000, 'z')), true);
    peer.pump();
    peer.disconnect();
    EXPECT_FALSE(peer.session->idle());
    finish();
    EXPECT_TRUE(peer.session->idle());
}

}  // namespace
}  // namespace lepton::net::test
