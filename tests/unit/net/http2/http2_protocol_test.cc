#include "lepton/net/http2/http2_protocol.h"

#include <gtest/gtest.h>

#include "fakes/told_state.h"
#include "unit/net/http2/http2_peer.h"

namespace lepton::net::test {
namespace {

using namespace std::chrono_literals;

TEST(Http2Protocol, RequestReachesTheHandlerWithItsPartsAndTheReplyTheClient) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        EXPECT_EQ(exchange.message.method, Method::kPost);
        EXPECT_FALSE(exchange.message.grpc);
        EXPECT_TRUE(exchange.message.has_body);
        EXPECT_EQ(exchange.message.path, "/v2/models/m/infer");
        EXPECT_EQ(exchange.message.fields.find("host"), "host:1");
        EXPECT_EQ(exchange.message.fields.find("content-type"), "application/json");
        EXPECT_EQ(exchange.message.fields.find(":path"), "");
        EXPECT_EQ(exchange.message.body.text(), "{}");
        exchange.reply.status = 201;
        exchange.reply.fields.add("server-timing", "net;dur=1");
        exchange.reply.fields.add("connection", "close");
        exchange.reply.body.append(R"({"ok":1})");
        exchange.send();
    };
    const ClientStream& stream = peer.request(kPost, "{}");
    EXPECT_EQ(find(stream.head, ":status"), "201");
    EXPECT_EQ(find(stream.head, "content-type"), "application/json");
    EXPECT_EQ(find(stream.head, "content-length"), "8");
    EXPECT_EQ(find(stream.head, "server-timing"), "net;dur=1");
    EXPECT_EQ(find(stream.head, "connection"), "");
    EXPECT_EQ(stream.body, R"({"ok":1})");
    EXPECT_TRUE(stream.closed);
    EXPECT_EQ(stream.error, 0u);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, BytesMayArriveOneByOne) {
    Http2Peer peer;
    peer.chunk_bytes = 1;
    peer.handler.answer = echo;
    EXPECT_EQ(peer.request(kPost, "hello").body, "hello");
    EXPECT_EQ(peer.call(framed("abc")).body, framed("abc"));
}

// RFC 9113, where a proxy that speaks HTTP/1.1 behind it could be made to see another request.
TEST(Http2Protocol, MalformedRequestsAreReset) {
    const Fields fields[] = {
        // 8.2.2: fields of the connection.
        {{"connection", "close"}},
        {{"connection", "keep-alive"}},
        {{"keep-alive", "timeout=5"}},
        {{"proxy-connection", "close"}},
        {{"transfer-encoding", "chunked"}},
        {{"upgrade", "h2c"}},
        {{"te", "gzip"}},
        {{"te", "trailers, deflate"}},
        // 8.2.1: names and values.
        {{"a b", "c"}},
        {{"a:b", "c"}},
        {{"", "c"}},
        {{"a", "b\r\nc: d"}},
        {{"a", "b\nc"}},
        {{"a", std::string("b\0c", 3)}},
        // 8.1.1: content-length.
        {{"content-length", "2"}, {"content-length", "2"}},
        {{"content-length", "3"}},
        {{"content-length", "1"}},
        {{"content-length", "0"}},
        {{"content-length", "+2"}},
        {{"content-length", "-2"}},
        {{"content-length", "2, 2"}},
        {{"content-length", "0x2"}},
        {{"content-length", ""}},
        {{"content-length", " 2"}},
        {{"content-length", "18446744073709551618"}},
        // 8.3.
        {{":path", "/other"}},
        {{":status", "200"}},
        {{":other", "x"}},
        {{"host", "host:1"}, {"host", "host:1"}},
    };
    for (const Fields& more : fields) {
        Http2Peer peer;
        Fields head = kPost;
        head.insert(head.end(), more.begin(), more.end());
        const ClientStream& stream = peer.request(head, "{}");
        EXPECT_TRUE(stream.closed) << more[0].first << ": " << more[0].second;
        EXPECT_EQ(stream.error, NGHTTP2_PROTOCOL_ERROR) << more[0].first << ": " << more[0].second;
        EXPECT_EQ(peer.handler.handled, 0) << more[0].first << ": " << more[0].second;
    }
}

TEST(Http2Protocol, HostsThatDifferAreRefused) {
    Http2Peer peer;
    peer.handler.answer = echo;
    Fields head = kPost;
    head.emplace_back("host", "other");
    EXPECT_EQ(find(peer.request(head, "{}").head, ":status"), "400");
    head.back().second = "host:1";
    EXPECT_EQ(find(peer.request(head, "{}").head, ":status"), "200");
    EXPECT_EQ(peer.handler.handled, 1);
}

TEST(Http2Protocol, FieldsThatAreAllowedAreTaken) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        EXPECT_EQ(exchange.message.fields.find("my-header"), "blanks  inside");
        EXPECT_EQ(exchange.message.fields.find("empty"), "");
        exchange.send();
    };
    Fields head = kPost;
    head.emplace_back("te", "trailers");
    head.emplace_back("content-length", "2");
    head.emplace_back("my-header", " \tblanks  inside ");
    head.emplace_back("empty", " ");
    EXPECT_EQ(find(peer.request(head, "{}").head, ":status"), "200");
    EXPECT_EQ(peer.handler.handled, 1);
}

TEST(Http2Protocol, QueryIsSplitFromThePath) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        EXPECT_EQ(exchange.message.method, Method::kGet);
        EXPECT_EQ(exchange.message.path, "/v2");
        EXPECT_EQ(exchange.message.query, "a=b");
        exchange.send();
    };
    const ClientStream& stream = peer.request(kGet);
    EXPECT_EQ(find(stream.head, "content-length"), "0");
    EXPECT_EQ(find(stream.head, "content-type"), "");
}

TEST(Http2Protocol, UnusualMethodsAreOther) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        EXPECT_EQ(exchange.message.method, Method::kOther);
        exchange.send();
    };
    for (const char* method : {"TRACE", "PATCH", "BREW"}) {
        Fields fields = kGet;
        fields[0].second = method;
        EXPECT_EQ(find(peer.request(fields).head, ":status"), "200") << method;
    }
    EXPECT_EQ(peer.handler.handled, 3);
}

TEST(Http2Protocol, ConnectIsRefusedAtItsHead) {
    Http2Peer peer;
    const ClientStream& stream =
        peer.request({{":method", "CONNECT"}, {":authority", "host:1"}}, "", false);
    EXPECT_EQ(find(stream.head, ":status"), "405");
    EXPECT_TRUE(stream.closed);
    EXPECT_EQ(peer.handler.handled, 0);
}

TEST(Http2Protocol, HeadIsAnsweredWithoutABody) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        exchange.reply.body.append("12345");
        exchange.send();
    };
    Fields fields = kGet;
    fields[0].second = "HEAD";
    const ClientStream& stream = peer.request(fields);
    EXPECT_EQ(find(stream.head, "content-length"), "5");
    EXPECT_EQ(stream.body, "");
    EXPECT_TRUE(stream.ended);
}

TEST(Http2Protocol, LaterAnswersLeaveWhenTheyCome) {
    Http2Peer peer;
    ClientStream& stream = peer.request(kGet);
    EXPECT_TRUE(stream.head.empty());
    EXPECT_FALSE(peer.session->idle());
    peer.handler.next().send();
    peer.pump();
    EXPECT_EQ(find(stream.head, ":status"), "200");
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, AnswersOfOneTurnShareOneWrite) {
    Http2Peer peer;
    peer.request(kGet);
    peer.handler.next().send();
    peer.pump();
    for (int i = 0; i < 16; ++i) peer.start(Http2Peer::grpc_fields(), framed("x"), true);
    peer.pump();
    ASSERT_EQ(peer.handler.waiting.size(), 16u);
    const int before = peer.wire.writes;
    for (int i = 0; i < 16; ++i) echo(peer.handler.next());
    peer.wire.the_loop.end_turn();
    EXPECT_EQ(peer.wire.writes, before + 1);
}

TEST(Http2Protocol, MuchWorkAtOnceLeavesOthersTheirTurn) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        const Clock::time_point until = Clock::now() + 200us;
        while (Clock::now() < until) continue;
        echo(exchange);
    };
    for (int i = 0; i < 50; ++i) peer.start(kPost, "{}", true);
    peer.pump();
    EXPECT_GT(peer.pieces, 1);
    EXPECT_EQ(peer.handler.handled, 50);
    for (const auto& [id, stream] : peer.streams) EXPECT_EQ(stream.body, "{}") << id;
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, AnAnswerDoesNotWaitForOneThatTakesLonger) {
    Http2Peer peer;
    peer.start(kGet, "", true);
    peer.start(kGet, "", true);
    peer.pump();
    peer.handler.next().send();
    peer.wire.the_loop.end_turn();
    EXPECT_FALSE(peer.wire.sent.empty());
}

TEST(Http2Protocol, WrittenIsStampedAndToldOnceTheReplyIsOut) {
    Http2Peer peer;
    std::vector<Clock::time_point> told;
    peer.handler.answer = [&](Exchange& exchange) {
        EXPECT_EQ(exchange.message.received, peer.now);
        EXPECT_EQ(exchange.loop, &peer.wire.the_loop);
        exchange.state<fakes::ToldState>().sent = [&told](Clock::time_point when) {
            told.push_back(when);
        };
        exchange.send();
        EXPECT_TRUE(told.empty());
    };
    peer.request(kGet);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_GT(told[0], Clock::time_point());
}

TEST(Http2Protocol, LargeBodiesPassBothWays) {
    Http2Peer peer({}, {{NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 1 << 20}});
    peer.handler.answer = echo;
    std::string body(std::size_t{20} << 20, 'x');
    for (std::size_t i = 0; i < body.size(); i += 4096) body[i] = static_cast<char>(i >> 12);
    Fields fields = kPost;
    fields.emplace_back("content-length", std::to_string(body.size()));
    EXPECT_TRUE(peer.request(fields, body).body == body);
    EXPECT_TRUE(peer.request(kPost, body).body == body);
    EXPECT_TRUE(peer.call(framed(body)).body == framed(body));
}

TEST(Http2Protocol, ASmallClientWindowOnlySlowsTheReply) {
    Http2Peer peer({}, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}});
    peer.handler.answer = echo;
    const std::string body(12'345, 'y');
    EXPECT_EQ(peer.call(framed(body)).body, framed(body));
    EXPECT_LE(*std::max_element(peer.data_frames.begin(), peer.data_frames.end()), 100u);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, NothingIsProducedForAClientThatDoesNotRead) {
    Limits limits;
    limits.max_unsent_bytes = 10'000;
    Http2Peer peer(limits);
    peer.handler.answer = [](Exchange& exchange) {
        exchange.reply.body.resize(6'000);
        exchange.send();
    };
    peer.request(kGet);
    peer.wire.kernel_takes = false;
    for (int i = 0; i < 100; ++i) peer.request(kGet);
    EXPECT_LT(peer.handler.handled, 10);
    EXPECT_LT(peer.wire.unsent, 20'000u);
    peer.wire.kernel_takes = true;
    peer.wire.unsent = 0;
    peer.session->on_writable();
    peer.pump();
    EXPECT_EQ(peer.handler.handled, 101);
    for (const auto& [id, stream] : peer.streams) EXPECT_TRUE(stream.closed) << id;
}

TEST(Http2Protocol, BodyOverTheLimitIsRefusedAsSoonAsItIsKnown) {
    Limits limits;
    limits.max_body_bytes = 1'000;
    Http2Peer peer(limits);
    const ClientStream& undeclared = peer.request(kPost, std::string(1'001, 'x'));
    EXPECT_EQ(find(undeclared.head, ":status"), "413");
    EXPECT_EQ(undeclared.body,
              R"({"error":"request body of 1001 bytes exceeds the limit of 1000"})");
    Fields fields = kPost;
    fields.emplace_back("content-length", "5000");
    const ClientStream& declared = peer.request(fields, "start", false);
    EXPECT_EQ(find(declared.head, ":status"), "413");
    EXPECT_TRUE(declared.closed);
    EXPECT_EQ(declared.error, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
    EXPECT_EQ(peer.handler.handled, 0);
    peer.handler.answer = echo;
    EXPECT_EQ(peer.request(kPost, std::string(1'000, 'x')).body.size(), 1'000u);
}

TEST(Http2Protocol, HeaderListOverTheLimitIsRefused) {
    Limits limits;
    limits.max_head_bytes = 1'000;
    Http2Peer peer(limits);
    Fields fields = kGet;
    fields.emplace_back("x-long", std::string(2'000, 'x'));
    EXPECT_EQ(find(peer.request(fields).head, ":status"), "431");
    fields = Http2Peer::grpc_fields({{"x-long", std::string(2'000, 'x')}});
    EXPECT_EQ(find(peer.request(fields, framed("")).head, "grpc-status"), "8");
    EXPECT_EQ(peer.handler.handled, 0);
    peer.handler.answer = echo;
    EXPECT_EQ(find(peer.request(kGet).head, ":status"), "200");
}

TEST(Http2Protocol, ExpectationIsMetBeforeTheBody) {
    Http2Peer peer;
    peer.handler.answer = echo;
    Fields fields = kPost;
    fields.emplace_back("expect", "100-continue");
    const std::int32_t id = peer.start(fields, "", false);
    peer.pump();
    EXPECT_EQ(peer.streams[id].informational, 100);
    peer.more(id, "body", true);
    EXPECT_EQ(peer.streams[id].body, "body");
}

TEST(Http2Protocol, ResetStreamCancelsItsCallAndTheOthersGoOn) {
    Http2Peer peer;
    const std::int32_t id = peer.start(kPost, "x", true);
    peer.pump();
    Exchange& exchange = peer.handler.next();
    EXPECT_FALSE(exchange.client_gone.load());
    nghttp2_submit_rst_stream(peer.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    peer.pump();
    EXPECT_TRUE(exchange.client_gone.load());
    EXPECT_FALSE(peer.session->idle());
    peer.handler.answer = echo;
    EXPECT_EQ(peer.request(kPost, "other").body, "other");
    exchange.send();
    EXPECT_TRUE(peer.session->idle());
}

void send_part(Exchange& exchange, std::string_view text) {
    exchange.reply.last = false;
    exchange.reply.body.append(text);
    exchange.send();
}

TEST(Http2Protocol, AnswerMayBeSentInPartsAsTheyCome) {
    Http2Peer peer;
    ClientStream& stream = peer.request(kGet);
    Exchange& exchange = peer.handler.next();
    fakes::hold(exchange, {});
    exchange.reply.status = 201;
    send_part(exchange, "one ");
    peer.pump();
    EXPECT_EQ(find(stream.head, ":status"), "201");
    EXPECT_EQ(find(stream.head, "content-length"), "");
    EXPECT_EQ(stream.body, "one ");
    EXPECT_FALSE(stream.ended);
    send_part(exchange, "");
    send_part(exchange, "two ");
    send_part(exchange, "three ");
    peer.pump();
    EXPECT_EQ(stream.body, "one two three ");
    EXPECT_FALSE(stream.ended);
    EXPECT_TRUE(peer.handler.waiting.empty());
    exchange.reply.body.append("end");
    exchange.send();
    peer.pump();
    EXPECT_EQ(stream.body, "one two three end");
    EXPECT_TRUE(stream.ended);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, PartsThatAClientDoesNotTakeAreBounded) {
    Limits limits;
    limits.max_unsent_bytes = 100'000;
    Http2Peer peer(limits, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
    ClientStream& stream = peer.request(kGet);
    Exchange& exchange = peer.handler.next();
    bool gone = false;
    fakes::hold(exchange, [&gone](Exchange&) { gone = true; });
    for (int i = 0; i < 1'000 && !gone; ++i) {
        send_part(exchange, std::string(1'000, 'x'));
        peer.pump();
    }
    EXPECT_TRUE(gone);
    EXPECT_EQ(stream.error, static_cast<std::uint32_t>(NGHTTP2_ENHANCE_YOUR_CALM));
    exchange.send();
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, CallWhoseClientIsGoneIsReportedToItsServiceOnce) {
    Http2Peer peer;
    std::vector<Clock::time_point> reported;
    const std::int32_t id = peer.start(kPost, "x", true);
    peer.pump();
    Exchange& exchange = peer.handler.next();
    exchange.state<fakes::ToldState>().sent = [&](Clock::time_point when) {
        EXPECT_TRUE(exchange.client_gone);
        reported.push_back(when);
    };
    nghttp2_submit_rst_stream(peer.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
    peer.pump();
    EXPECT_TRUE(reported.empty());
    exchange.send();
    EXPECT_EQ(reported, std::vector{Clock::time_point()});
}

TEST(Http2Protocol, ClosedConnectionCancelsAllCallsAndWaitsForTheirAnswers) {
    Http2Peer peer;
    int gone = 0;
    peer.request(kGet);
    peer.request(kPost, "half", false);
    peer.call(framed("x"), false);
    ASSERT_EQ(peer.handler.waiting.size(), 2u);
    for (Exchange* exchange : peer.handler.waiting) {
        fakes::hold(*exchange, [&gone](Exchange&) { ++gone; });
    }
    peer.disconnect();
    EXPECT_EQ(gone, 2);
    for (int i = 0; i < 2; ++i) {
        EXPECT_FALSE(peer.session->idle());
        Exchange& exchange = peer.handler.next();
        EXPECT_TRUE(exchange.client_gone.load());
        exchange.send();
    }
    EXPECT_TRUE(peer.session->idle());
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
}

TEST(Http2Protocol, ConnectionClosedBeforeTheTurnEndsIsNotIdleUntilThen) {
    Http2Peer peer;
    peer.start(kGet, "", true);
    peer.start(kGet, "", true);
    peer.pump();
    Exchange& first = peer.handler.next();
    Exchange& second = peer.handler.next();
    first.send();  // Leaves at the end of the turn.
    peer.disconnect();
    second.send();
    EXPECT_FALSE(peer.session->idle());
    peer.wire.the_loop.end_turn();
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, GoawayOfTheClientLetsItsStreamsFinish) {
    Http2Peer peer;
    ClientStream& stream = peer.request(kGet);
    nghttp2_submit_goaway(peer.client, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
    peer.pump();
    EXPECT_FALSE(peer.wire.closing);
    peer.handler.next().send();
    peer.pump();
    EXPECT_EQ(find(stream.head, ":status"), "200");
    EXPECT_TRUE(peer.wire.closing);
}

TEST(Http2Protocol, DrainFinishesWhatIsOpenAndCloses) {
    Http2Peer peer;
    ClientStream& open = peer.request(kGet);
    ClientStream& resting = peer.call("", false);  // A stream without a message yet.
    peer.session->on_drain();
    peer.pump();
    ASSERT_EQ(peer.goaways.size(), 2u);
    EXPECT_EQ(peer.goaways[0].second, 0x7fffffff);
    EXPECT_EQ(peer.goaways[1].second, 3);
    EXPECT_EQ(find(resting.head, "grpc-status"), "14");
    EXPECT_FALSE(peer.wire.closing);
    peer.handler.next().send();
    peer.pump();
    EXPECT_EQ(find(open.head, ":status"), "200");
    EXPECT_TRUE(peer.wire.closing);
}

TEST(Http2Protocol, IdleConnectionClosesOnDrain) {
    Http2Peer peer;
    peer.handler.answer = echo;
    peer.request(kGet);
    peer.session->on_drain();
    peer.pump();
    EXPECT_TRUE(peer.wire.closing);
}

TEST(Http2Protocol, LastCallDoesNotWaitForAClientThatDoesNotAnswerPings) {
    Http2Peer peer;
    ClientStream& open = peer.request(kGet);
    peer.session->on_drain();
    peer.wire.sent.clear();  // The client has not seen any of it.
    peer.session->on_last_call();
    peer.pump();
    ASSERT_FALSE(peer.goaways.empty());
    EXPECT_EQ(peer.goaways.back().second, 1);
    EXPECT_FALSE(peer.wire.closing);
    peer.handler.next().send();
    peer.pump();
    EXPECT_EQ(find(open.head, ":status"), "200");
    EXPECT_TRUE(peer.wire.closing);
}

TEST(Http2Protocol, AbandonedRequestsAreAnsweredInPlaceOfTheHandler) {
    Http2Peer peer;
    ClientStream& plain = peer.request(kGet);
    ClientStream& call = peer.call(framed("x"));
    EXPECT_TRUE(peer.session->owes_answer());
    peer.session->abandon();
    peer.pump();
    EXPECT_EQ(find(plain.head, ":status"), "503");
    EXPECT_EQ(plain.body, R"({"error":"server is shutting down"})");
    EXPECT_EQ(find(call.head, "grpc-status"), "14");
    EXPECT_TRUE(peer.wire.closing);
    peer.disconnect();
    EXPECT_FALSE(peer.session->idle());  // The handler has them still.
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(peer.handler.waiting.front()->client_gone);
        peer.handler.next().send();
    }
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, AStreamThatDripsIsTimedOutWhateverTheOthersDo) {
    Http2Peer peer;
    peer.handler.answer = echo;
    const std::int32_t slow = peer.start(kPost, "some", false);
    peer.pump();
    const Clock::time_point deadline = peer.session->read_deadline();
    EXPECT_EQ(deadline, peer.now + peer.wire.the_limits.body_idle_timeout);
    for (int i = 0; i < 9; ++i) {
        peer.now += 1s;
        peer.more(slow, "x", false);
        EXPECT_EQ(peer.request(kPost, std::string(10'000, 'x')).body.size(), 10'000u);
        EXPECT_EQ(peer.session->read_deadline(), deadline);
    }
    peer.session->on_timeout(deadline);
    peer.pump();
    EXPECT_EQ(find(peer.streams[slow].head, ":status"), "408");
    EXPECT_FALSE(peer.wire.closing);
}

TEST(Http2Protocol, AnswerThatAShutWindowKeepsIsGivenUp) {
    Http2Peer peer({}, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
    peer.handler.answer = echo;
    const ClientStream& stream = peer.request(kPost, std::string(1'000, 'x'));
    EXPECT_EQ(find(stream.head, ":status"), "200");
    ASSERT_NE(peer.session->read_deadline(), kNoDeadline);
    peer.session->on_timeout(peer.session->read_deadline());
    peer.pump();
    EXPECT_EQ(stream.error, static_cast<std::uint32_t>(NGHTTP2_CANCEL));
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
    EXPECT_TRUE(peer.session->resting());
}

TEST(Http2Protocol, FramesThatBringNothingOnAreCounted) {
    const auto frame = [](std::uint8_t type, std::uint8_t stream, std::string payload) {
        const std::string head = {0,
                                  0,
                                  static_cast<char>(payload.size()),
                                  static_cast<char>(type),
                                  0,
                                  0,
                                  0,
                                  0,
                                  static_cast<char>(stream)};
        return head + payload;
    };
    const std::string update("\0\0\0\1", 4);
    const std::string priority("\0\0\0\0\1", 5);
    for (const std::string& one : {frame(8, 0, update),
                                   frame(2, 9, priority),
                                   frame(0xfa, 0, "what"),
                                   frame(8, 1, update),
                                   frame(0, 1, "")}) {
        Http2Peer peer;
        peer.start(kPost, "some", false);
        peer.pump();
        std::string many;
        for (int i = 0; i < 9'000; ++i) many += one;
        peer.give_server(many);
        peer.give_client();
        EXPECT_TRUE(peer.goaways.empty());
        peer.give_server(many);
        peer.give_client();
        ASSERT_EQ(peer.goaways.size(), 1u) << static_cast<int>(one[3]);
        EXPECT_EQ(peer.goaways[0].first, static_cast<std::uint32_t>(NGHTTP2_ENHANCE_YOUR_CALM));
        EXPECT_TRUE(peer.wire.closing);
    }
}

// Each moves the windows of all streams that are open.
TEST(Http2Protocol, SettingsCostMoreTheMoreStreamsThereAre) {
    const std::string settings("\0\0\6\4\0\0\0\0\0\0\4\0\0\xff\xff", 15);
    std::string many;
    for (int i = 0; i < 1'000; ++i) many += settings;
    for (const int streams : {1, 100}) {
        Http2Peer peer;
        for (int i = 0; i < streams; ++i) peer.start(kPost, "some", false);
        peer.pump();
        peer.give_server(many);
        EXPECT_EQ(peer.wire.closing, streams > 1) << streams;
    }
}

TEST(Http2Protocol, UpdatesOfWindowsThatAnswersLeadToAreFree) {
    Http2Peer peer;
    peer.handler.answer = echo;
    const std::string body(std::size_t{1} << 20, 'x');
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(peer.request(kPost, body).body.size(), body.size());
        std::string updates;
        for (int k = 0; k < 128; ++k) updates += std::string("\0\0\4\10\0\0\0\0\0\0\0\0\1", 13);
        peer.give_server(updates);
    }
    EXPECT_TRUE(peer.goaways.empty());
}

// RFC 7541 section 7.3: a few bytes refer to a large field of the table again and again.
TEST(Http2Protocol, HeadsThatBlowUpAreNotDecodedToTheEnd) {
    Http2Peer peer;
    peer.handler.answer = echo;
    peer.request(kGet);
    const auto head_of = [](std::int32_t stream, const std::string& fields) {
        const auto size = fields.size();
        std::string out = {static_cast<char>(size >> 16),
                           static_cast<char>(size >> 8 & 0xff),
                           static_cast<char>(size & 0xff),
                           1,
                           5,
                           0,
                           0,
                           static_cast<char>(stream >> 8),
                           static_cast<char>(stream & 0xff)};
        return out + fields;
    };
    // ":method: GET", ":scheme: http", ":path: /", ":authority: h" by the static table; and "x:
    // aaa..." for the dynamic one.
    const std::string start = "\x82\x86\x84\x01\x01h";
    std::string large = start + "\x40\1x\x7f\x81\x1e";
    large += std::string(127 + 1 + 30 * 128, 'a');
    peer.give_server(head_of(3, large));
    peer.give_client();
    EXPECT_TRUE(peer.goaways.empty());
    const std::string blown = start + std::string(16'000, '\xbe');
    int heads = 0;
    for (std::int32_t stream = 5; !peer.wire.closing && heads < 100; stream += 2, ++heads) {
        peer.wire.sent.clear();
        peer.give_server(head_of(stream, blown));
        peer.wire.the_loop.end_turn();
    }
    EXPECT_LT(heads, 20);
    // The last words are a GOAWAY.
    ASSERT_GE(peer.wire.sent.size(), 17u);
    const std::string goaway = peer.wire.sent.substr(peer.wire.sent.size() - 17);
    EXPECT_EQ(goaway[3], 7);
    EXPECT_EQ(goaway.back(), NGHTTP2_ENHANCE_YOUR_CALM);
    EXPECT_EQ(peer.handler.handled, 2);
}

TEST(Http2Protocol, IdleConnectionGivesTheMemoryOfItsStreamsBack) {
    Http2Peer peer;
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 200; ++i) ids.push_back(peer.start(kPost, std::string(3'000, 'x'), true));
    peer.pump();
    ASSERT_EQ(peer.handler.waiting.size(), ids.size());
    EXPECT_FALSE(peer.session->resting());
    while (!peer.handler.waiting.empty()) echo(peer.handler.next());
    peer.pump();
    ASSERT_TRUE(peer.session->resting());
    const memory::BufferPool& pool = peer.wire.the_pool;
    const std::size_t in_use = pool.held_bytes() - pool.idle_bytes();
    peer.session->shrink();
    EXPECT_LT(pool.held_bytes() - pool.idle_bytes(), in_use / 4);
    peer.handler.answer = echo;
    EXPECT_EQ(peer.request(kPost, "again").body, "again");
}

TEST(Http2Protocol, RequestThatMemoryIsMissingForIsRefusedAndTheOthersGoOn) {
    Http2Peer peer;
    peer.handler.answer = echo;
    peer.wire.use_budget(1);
    EXPECT_EQ(find(peer.request(kPost, std::string(std::size_t{2} << 20, 'x')).head, ":status"),
              "503");
    const ClientStream& call = peer.call(framed(std::string(std::size_t{2} << 20, 'x')));
    EXPECT_EQ(find(call.head, "grpc-status"), "14");
    EXPECT_EQ(peer.request(kPost, "small").body, "small");
}

TEST(Http2Protocol, GarbageIsAnsweredByGoawayAndClose) {
    Http2Peer peer;
    peer.give_server("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    EXPECT_TRUE(peer.wire.closing);
    Http2Peer other;
    other.handler.answer = echo;
    other.request(kGet);
    other.give_server(std::string("\0\0\4\1\0\0\0\0\0abcd", 13));  // HEADERS on stream 0.
    other.give_client();
    ASSERT_EQ(other.goaways.size(), 1u);
    EXPECT_EQ(other.goaways[0].first, static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR));
    EXPECT_TRUE(other.wire.closing);
    other.give_server("more");
}

TEST(Http2Protocol, ProtocolErrorCancelsWhatIsWithTheHandler) {
    Http2Peer peer;
    peer.request(kGet);
    Exchange& exchange = peer.handler.next();
    peer.give_server(std::string("\0\0\4\1\0\0\0\0\0abcd", 13));
    peer.wire.the_loop.end_turn();
    EXPECT_TRUE(peer.wire.closing);
    EXPECT_TRUE(exchange.client_gone.load());
    exchange.send();
    EXPECT_TRUE(peer.session->idle());
}

// RFC 9113 section 5.1.1: "The first use of a new stream identifier implicitly closes all streams
// in the "idle" state that might have been initiated by that peer with a lower-valued stream
// identifier."
TEST(Http2Protocol, StreamThatWasSkippedCannotBeOpened) {
    Http2Peer peer;
    peer.handler.answer = echo;
    peer.request(kGet);
    nghttp2_session_set_next_stream_id(peer.client, 9);
    EXPECT_EQ(find(peer.request(kGet).head, ":status"), "200");
    peer.give_server(std::string("\0\0\1\1\5\0\0\0\5\x82", 10));
    peer.give_client();
    ASSERT_EQ(peer.goaways.size(), 1u);
    EXPECT_EQ(peer.goaways[0].first, static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR));
    EXPECT_TRUE(peer.wire.closing);
}

// RFC 9113 section 5.1: "An endpoint MAY treat receipt of any other type of frame on a closed
// stream as a connection error of type STREAM_CLOSED"; RFC 7540, which h2spec checks, said MUST.
TEST(Http2Protocol, NothingFollowsTheEndOfAStream) {
    for (const std::uint8_t type : {std::uint8_t{NGHTTP2_DATA}, std::uint8_t{NGHTTP2_HEADERS}}) {
        Http2Peer peer;
        peer.handler.answer = echo;
        peer.request(kGet);
        std::string late("\0\0\1?\5\0\0\0\1\x82", 10);
        late[3] = static_cast<char>(type);
        peer.give_server(late);
        peer.give_client();
        ASSERT_EQ(peer.goaways.size(), 1u);
        EXPECT_EQ(peer.goaways[0].first, static_cast<std::uint32_t>(NGHTTP2_STREAM_CLOSED));
    }
}

TEST(Http2Protocol, BytesThatCrossOurResetAreIgnored) {
    Limits limits;
    limits.max_body_bytes = 10;
    Http2Peer peer(limits);
    const ClientStream& refused = peer.request(kPost, "more than ten bytes", false);
    EXPECT_EQ(find(refused.head, ":status"), "413");
    EXPECT_TRUE(refused.closed);
    peer.give_server(std::string("\0\0\1\0\1\0\0\0\1x", 10));
    peer.give_client();
    EXPECT_TRUE(peer.goaways.empty());
    peer.handler.answer = echo;
    EXPECT_EQ(find(peer.request(kGet).head, ":status"), "200");
}

TEST(Http2Protocol, TooManyStreamsAreRefusedNotQueued) {
    Limits limits;
    limits.max_streams = 2;
    Http2Peer peer(limits);
    std::vector<std::int32_t> ids;
    peer.request(kGet);  // The client knows the limit from here on.
    // Cancelled streams free their place, but what the handler works on stays bounded.
    for (int i = 0; i < 10; ++i) {
        const std::int32_t id = peer.start(kGet, "", true);
        peer.pump();
        nghttp2_submit_rst_stream(peer.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        peer.pump();
        ids.push_back(id);
    }
    EXPECT_EQ(peer.handler.waiting.size(), 4u);
    EXPECT_EQ(peer.streams[ids.back()].error, static_cast<std::uint32_t>(NGHTTP2_REFUSED_STREAM));
}

TEST(Http2Protocol, RapidResetEndsTheConnection) {
    Http2Peer peer;
    peer.handler.answer = echo;
    peer.request(kGet);
    for (int i = 0; i < 12'000 && !peer.wire.closing; ++i) {
        const std::int32_t id = peer.start(kPost, "", false);
        peer.give_server(peer.client_output());
        nghttp2_submit_rst_stream(peer.client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
        peer.give_server(peer.client_output());
    }
    EXPECT_TRUE(peer.wire.closing);
}

TEST(Http2Protocol, UploadsBeyondTheBoundGiveWayToTheOldest) {
    Limits limits;
    limits.max_body_bytes = std::size_t{4} << 20;
    Http2Peer peer(limits);
    peer.handler.answer = [](Exchange& exchange) { exchange.send(); };
    const std::string body(std::size_t{3} << 20, 'x');
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 20; ++i) ids.push_back(peer.start(kPost, body, false));
    peer.pump();
    for (const std::int32_t id : ids) peer.more(id, "", true);
    int served = 0;
    int refused = 0;
    for (const std::int32_t id : ids) {
        const std::string status = find(peer.streams[id].head, ":status");
        served += status == "200";
        refused += status == "429" || peer.streams[id].error == NGHTTP2_REFUSED_STREAM;
    }
    EXPECT_EQ(find(peer.streams[ids[0]].head, ":status"), "200");
    EXPECT_GE(served, 5);
    EXPECT_GT(refused, 0);
    EXPECT_EQ(served + refused, 20);
}

TEST(Http2Protocol, ConcurrentUploadsWithinTheWindowsAllPass) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) { exchange.send(); };
    const std::string body(std::size_t{10} << 20, 'x');
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 32; ++i) ids.push_back(peer.start(kPost, body, true));
    peer.pump();
    for (const std::int32_t id : ids) {
        EXPECT_EQ(find(peer.streams[id].head, ":status"), "200") << id;
    }
}

TEST(Http2Protocol, DeadlinesCoverThePrefaceTheHeadAndTheBodyOnly) {
    Http2Peer peer;
    const Limits& limits = peer.wire.the_limits;
    peer.give_server("PRI");
    EXPECT_EQ(peer.session->read_deadline(), peer.now + limits.head_timeout);
    peer.give_server(peer.client_output().substr(3));
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);

    const std::int32_t id = peer.start(kPost, "some", false);
    const std::string bytes = peer.client_output();
    peer.now += 1s;
    peer.give_server(bytes.substr(0, 20));  // Inside HEADERS, behind the SETTINGS ack if any.
    peer.give_server(bytes.substr(20, 10));
    EXPECT_EQ(peer.session->read_deadline(), peer.now + limits.head_timeout);
    peer.now += 1s;
    peer.give_server(bytes.substr(30));
    EXPECT_EQ(peer.session->read_deadline(), peer.now + limits.body_idle_timeout);
    peer.now += limits.body_idle_timeout;
    peer.session->on_timeout(peer.session->read_deadline());
    peer.pump();
    EXPECT_EQ(find(peer.streams[id].head, ":status"), "408");
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
    EXPECT_FALSE(peer.wire.closing);
}

TEST(Http2Protocol, PrefaceThatNeverEndsIsTimedOut) {
    Http2Peer peer;
    peer.give_server("PRI * HT");
    peer.session->on_timeout(peer.session->read_deadline());
    EXPECT_TRUE(peer.wire.closing);
}

TEST(Http2Protocol, WaitingForTheHandlerIsNotTimedOut) {
    Http2Peer peer;
    peer.request(kGet);
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
    peer.call("", false);
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
}

TEST(Http2Protocol, MalformedRequestIsResetAndLeavesNoDeadline) {
    Http2Peer peer;
    peer.handler.answer = echo;
    peer.request(kGet);
    Fields fields = kGet;
    fields.emplace_back("connection", "keep-alive");  // RFC 9113 section 8.2.2: malformed.
    const ClientStream& stream = peer.request(fields);
    EXPECT_EQ(stream.error, static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR));
    EXPECT_EQ(peer.session->read_deadline(), kNoDeadline);
    EXPECT_EQ(find(peer.request(kGet).head, ":status"), "200");
}

TEST(Http2Protocol, ReplyFieldsTooLongForAFrameResetTheStream) {
    Http2Peer peer;
    peer.handler.answer = [](Exchange& exchange) {
        exchange.reply.fields.add("x-long", std::string(100'000, 'x'));
        exchange.send();
    };
    const ClientStream& stream = peer.request(kGet);
    EXPECT_TRUE(stream.closed);
    EXPECT_EQ(stream.error, static_cast<std::uint32_t>(NGHTTP2_INTERNAL_ERROR));
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, WhoDoesNotTakeItsAnswersGetsNoFurtherOnesMade) {
    constexpr std::size_t kAnswer = 100'000;
    Limits limits;
    limits.max_unsent_bytes = 3 * kAnswer;
    Http2Peer peer(limits, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
    peer.handler.answer = [](Exchange& exchange) {
        exchange.reply.body.resize(kAnswer);
        exchange.send();
    };
    std::vector<std::int32_t> streams;
    for (int i = 0; i < 10; ++i) streams.push_back(peer.start(kGet, {}, true));
    peer.pump();
    EXPECT_EQ(peer.handler.handled, 4);

    // One that is reset while it waits is not handled at all.
    nghttp2_submit_rst_stream(peer.client, NGHTTP2_FLAG_NONE, streams.back(), NGHTTP2_CANCEL);
    peer.pump();
    const nghttp2_settings_entry open = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20};
    nghttp2_submit_settings(peer.client, NGHTTP2_FLAG_NONE, &open, 1);
    nghttp2_session_set_local_window_size(peer.client, NGHTTP2_FLAG_NONE, 0, 1 << 24);
    peer.pump();
    EXPECT_EQ(peer.handler.handled, 9);
    streams.pop_back();
    for (const std::int32_t id : streams) EXPECT_EQ(peer.streams[id].body.size(), kAnswer);
    EXPECT_TRUE(peer.session->idle());
}

TEST(Http2Protocol, WhatWaitsForOthersAnswersIsLostWithItsConnection) {
    Limits limits;
    limits.max_unsent_bytes = 10;
    Http2Peer peer(limits, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
    peer.handler.answer = [](Exchange& exchange) {
        exchange.reply.body.append("more than ten");
        exchange.send();
    };
    for (int i = 0; i < 3; ++i) peer.start(kGet, {}, true);
    peer.pump();
    EXPECT_EQ(peer.handler.handled, 1);
    peer.session->abandon();
    peer.pump();
    peer.disconnect();
    EXPECT_EQ(peer.handler.handled, 1);
    EXPECT_TRUE(peer.session->idle());
}

}  // namespace
}  // namespace lepton::net::test
