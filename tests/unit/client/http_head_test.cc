#include "http_head.h"

#include <gtest/gtest.h>

namespace lepton::client {
namespace {

using std::chrono::milliseconds;

Result<HttpHead> parse(std::string_view text) {
    EXPECT_EQ(find_head(text, 0), text.size());
    return parse_head(text);
}

TEST(HttpHead, FieldsOfAnInferenceAnswerAreRead) {
    const auto head = parse(
        "HTTP/1.1 200 OK\r\ncontent-length: 120\r\nINFERENCE-HEADER-CONTENT-LENGTH:  80 \r\n"
        "Server-Timing: queue;dur=1\r\nX-Other: \r\n\r\n");
    ASSERT_TRUE(head);
    EXPECT_EQ(head->status, 200);
    EXPECT_EQ(head->content_length, 120u);
    EXPECT_EQ(head->json_bytes, 80u);
    EXPECT_EQ(head->server_timing, "queue;dur=1");
    EXPECT_TRUE(head->keep_alive);
    EXPECT_FALSE(head->chunked);
}

TEST(HttpHead, EndIsFoundWhereItCameInPieces) {
    const std::string_view text = "HTTP/1.1 200 OK\r\n\r\nbody";
    EXPECT_EQ(find_head(text.substr(0, 18), 0), 0u);
    EXPECT_EQ(find_head(text, 18), 19u);
}

TEST(HttpHead, ConnectionIsNotKeptWhereTheServerSaysSo) {
    EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n")->keep_alive);
    EXPECT_FALSE(parse("HTTP/1.0 200 OK\r\n\r\n")->keep_alive);
    EXPECT_TRUE(parse("HTTP/1.1 200\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
}

TEST(HttpHead, RetryAfterIsInSecondsAndBounded) {
    EXPECT_EQ(parse("HTTP/1.1 429 \r\nRetry-After: 2\r\n\r\n")->retry_after, milliseconds(2000));
    EXPECT_EQ(parse("HTTP/1.1 429 \r\nRetry-After: 99999999999\r\n\r\n")->retry_after,
              milliseconds(3'600'000));
    EXPECT_FALSE(
        parse("HTTP/1.1 429 \r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n\r\n")->retry_after);
}

TEST(HttpHead, WhatCouldBeFramedInTwoWaysIsRefused) {
    EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"));
    EXPECT_FALSE(
        parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"));
    EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"));
    EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n"));
    EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"));
    EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\n"));
}

TEST(HttpHead, WhatIsNotHttpIsShownWithoutItsControlCharacters) {
    for (const std::string_view text : {"HTTP/2 200\r\n\r\n",
                                        "SSH-2.0-\x1b[31m\r\n\r\n",
                                        "HTTP/1.1 20\r\n\r\n",
                                        "HTTP/1.1 2000\r\n\r\n",
                                        "HTTP/1.1 0a0 \r\n\r\n",
                                        "\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\n folded\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\n: x\r\n\r\n"}) {
        const auto head = parse_head(text);
        ASSERT_FALSE(head) << text;
        EXPECT_EQ(head.error().code, ErrorCode::kInternal);
        EXPECT_EQ(head.error().message.find('\x1b'), std::string::npos);
    }
}

}  // namespace
}  // namespace lepton::client
