#include "chunked_body.h"

#include <gtest/gtest.h>

#include <string>

namespace lepton::client {
namespace {

struct Decoded {
    bool valid = true;
    bool done = false;
    bool overrun = false;
    std::string data;
};

// Decodes the text as it arrives, `step` bytes at a time.
Decoded decode(std::string_view text, std::size_t step) {
    ChunkedBody body;
    std::string buffer;
    Decoded decoded;
    for (; decoded.valid && !text.empty(); text.remove_prefix(std::min(step, text.size()))) {
        buffer.resize(body.data_size());
        buffer += text.substr(0, step);
        decoded.valid = body.decode(std::as_writable_bytes(std::span(buffer.data(), buffer.size())))
                            .has_value();
    }
    decoded.done = body.done();
    decoded.overrun = body.overrun();
    decoded.data = buffer.substr(0, body.data_size());
    return decoded;
}

TEST(ChunkedBody, DataIsTheSameHoweverItIsCut) {
    const std::string_view text = "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n";
    for (std::size_t step = 1; step <= text.size(); ++step) {
        const Decoded decoded = decode(text, step);
        EXPECT_TRUE(decoded.valid && decoded.done && !decoded.overrun) << step;
        EXPECT_EQ(decoded.data, "abc0123456789") << step;
    }
}

TEST(ChunkedBody, IsNotDoneBeforeItsEnd) {
    const std::string_view text = "3\r\nabc\r\n0\r\n\r\n";
    for (std::size_t size = 1; size < text.size(); ++size) {
        EXPECT_FALSE(decode(text.substr(0, size), size).done) << size;
    }
}

TEST(ChunkedBody, BytesBehindTheEndAreSeen) { EXPECT_TRUE(decode("0\r\n\r\nHTTP", 100).overrun); }

TEST(ChunkedBody, MalformedChunksAreRefused) {
    for (const std::string_view text : {"x\r\n",
                                        "\r\n",
                                        "3 abc\n\r\nabcd",
                                        "1\r\nab\r\n",
                                        "fffffffffffffffffff\r\n",
                                        "3\nabc\r\n"}) {
        const Decoded decoded = decode(text, 1);
        EXPECT_FALSE(decoded.valid && decoded.done) << text;
    }
    EXPECT_FALSE(decode("fffffffffffffffffff\r\n", 1).valid);
    EXPECT_FALSE(decode("1\r\nab\r\n", 1).valid);
}

TEST(ChunkedBody, EndlessExtensionIsRefused) {
    EXPECT_FALSE(decode("1;" + std::string(100'000, 'x'), 1000).valid);
}

}  // namespace
}  // namespace lepton::client
