#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lepton/net/http2/frame_scanner.h"
#include "lepton/net/http2/request_head.h"
#include "lepton/net/http2/stream_order.h"
#include "lepton/net/outbound_body.h"

namespace lepton::net {
namespace {

std::string taken(OutboundBody& body, std::size_t count) {
    const OutboundBody::Pieces pieces = body.take(count);
    std::string out;
    for (const auto piece : {pieces.first, pieces.second}) {
        out.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    return out;
}

TEST(OutboundBody, GivesPrefixAndBodyInWhateverPieces) {
    memory::BufferPool pool;
    for (std::size_t step = 1; step < 12; ++step) {
        OutboundBody outbound(pool);
        memory::Buffer body = pool.take(0);
        body.append("abcdef");
        outbound.push(grpc_prefix(6, false), body);
        EXPECT_TRUE(body.empty());
        body.append("xyz");
        outbound.push(grpc_prefix(3, false), body);
        outbound.end();
        std::string out;
        while (const std::size_t available = outbound.available()) {
            const std::size_t count = std::min(step, available);
            EXPECT_EQ(outbound.ends_with(count), out.size() + count == 19);
            out += taken(outbound, count);
        }
        EXPECT_EQ(out, std::string("\0\0\0\0\6abcdef\0\0\0\0\3xyz", 19));
    }
}

TEST(OutboundBody, IsNotAtItsEndWhileMoreMayCome) {
    memory::BufferPool pool;
    OutboundBody outbound(pool);
    memory::Buffer body = pool.take(0);
    body.append("a");
    outbound.push(body);
    EXPECT_FALSE(outbound.ends_with(1));
    EXPECT_EQ(taken(outbound, 1), "a");
    EXPECT_EQ(outbound.available(), 0u);
    outbound.end();
    EXPECT_TRUE(outbound.ends_with(0));
    outbound.reset(0);
    EXPECT_FALSE(outbound.ended());
    body.append("b");
    outbound.push(body);
    EXPECT_EQ(taken(outbound, 1), "b");
}

TEST(RequestHead, NotesWhatTheFieldsSay) {
    RequestHead head;
    Message message;
    head.add(":method", "POST", message);
    head.add(":path", "/a?b?c", message);
    head.add(":authority", "first", message);
    head.add("host", "second", message);
    head.add("content-type", "application/grpc", message);
    head.add("content-length", "12", message);
    head.add("grpc-encoding", "gzip", message);
    head.add("grpc-accept-encoding", "identity", message);
    EXPECT_FALSE(head.accepts_gzip);
    head.add("grpc-accept-encoding", "gzip", message);
    EXPECT_TRUE(head.post);
    EXPECT_EQ(message.method, Method::kPost);
    EXPECT_EQ(message.path, "/a");
    EXPECT_EQ(message.query, "b?c");
    EXPECT_EQ(message.fields.find("host"), "first");
    EXPECT_EQ(head.content, GrpcContent::kProto);
    EXPECT_EQ(head.content_length, 12u);
    EXPECT_EQ(head.encoding, RequestHead::Encoding::kGzip);
    EXPECT_TRUE(head.accepts_gzip);
    EXPECT_TRUE(head.has_grpc_fields);
}

TEST(RequestHead, CountsAsRfc9113Does) {
    RequestHead head;
    Message message;
    head.add("abc", "defg", message);
    EXPECT_EQ(head.bytes, 32u + 7u);
}

TEST(RequestHead, HostFieldServesWhereThereIsNoAuthority) {
    RequestHead head;
    Message message;
    head.add("host", "second", message);
    EXPECT_EQ(message.fields.find("host"), "second");
}

TEST(FrameScanner, FindsEveryFrameWhateverTheSizeOfReads) {
    const std::string input =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9) +
        std::string("\0\0\3\1\4\x80\0\0\5abc", 12) + std::string("\0\1\0\0\0\0\0\1\7", 9) +
        std::string(256, 'x') + std::string("\0\0\4\3\0\0\0\0\1abcd", 13);
    for (const std::size_t step : {std::size_t{1}, std::size_t{5}, input.size()}) {
        FrameScanner scanner;
        std::vector<std::pair<int, int>> seen;
        std::size_t at = 0;
        while (at < input.size()) {
            const auto bytes = std::as_bytes(std::span(input)).subspan(at);
            const FrameScanner::Piece piece =
                scanner.next(bytes.first(std::min(step, bytes.size())));
            ASSERT_GT(piece.bytes, 0u);
            if (piece.begun) seen.emplace_back(piece.begun->type, piece.begun->stream_id);
            at += piece.bytes;
        }
        const std::vector<std::pair<int, int>> expected = {{4, 0}, {1, 5}, {0, 0x107}, {3, 1}};
        EXPECT_EQ(seen, expected) << step;
    }
}

TEST(StreamOrder, TellsSkippedAndEndedStreamsFromTheRest) {
    StreamOrder order;
    for (const std::int32_t id : {1, 3, 9, 11}) EXPECT_EQ(order.check(id), 0u) << id;
    EXPECT_EQ(order.check(5), 1u);  // PROTOCOL_ERROR
    EXPECT_EQ(order.check(7), 1u);
    EXPECT_EQ(order.check(3), 0u);
    order.on_closed(3);
    EXPECT_EQ(order.check(3), 5u);  // STREAM_CLOSED
    EXPECT_EQ(order.check(9), 0u);
    for (int i = 0; i < 8; ++i) order.on_closed(11);
    EXPECT_EQ(order.check(3), 0u);  // Forgotten.
}

}  // namespace
}  // namespace lepton::net
