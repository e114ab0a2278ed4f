#include "grpc_session.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace lepton::client {
namespace {

enum Type : std::uint8_t {
    kData = 0,
    kHeaders = 1,
    kPriority = 2,
    kReset = 3,
    kSettings = 4,
    kPush = 5,
    kPing = 6,
    kGoaway = 7,
    kWindowUpdate = 8,
    kContinuation = 9,
};
constexpr int kEndStream = 1;
constexpr int kAck = 1;
constexpr int kEndHeaders = 4;
constexpr int kPadded = 8;
constexpr int kHasPriority = 32;

std::string big_endian(std::uint64_t value, int count) {
    std::string bytes;
    for (int i = count - 1; i >= 0; --i) bytes.push_back(static_cast<char>(value >> (8 * i)));
    return bytes;
}

std::string frame(int type, int flags, std::uint32_t stream, const std::string& payload) {
    return big_endian(payload.size(), 3) + static_cast<char>(type) + static_cast<char>(flags) +
           big_endian(stream, 4) + payload;
}

std::string setting(int id, std::uint32_t value) {
    return frame(
        kSettings, 0, 0, big_endian(static_cast<std::uint64_t>(id), 2) + big_endian(value, 4));
}

const std::string kNoSettings = frame(kSettings, 0, 0, "");
const std::string kStatus200 = "\x88";  // A field of HPACK's static table: RFC 7541, appendix A.
// A literal that is not indexed: "a: b".
const std::string kLiteral = std::string("\0\1a\1b", 5);

class GrpcSessionTest : public ::testing::Test, public GrpcSessionListener {
protected:
    GrpcSessionTest() {
        infer_.model = "m";
        set_body(10);
    }
    void set_body(std::size_t size) {
        body_.assign(size, 7);
        infer_.inputs = {make_input("x", body_, {static_cast<std::int64_t>(size)})};
        Operation operation;
        operation.request = &infer_;
        ASSERT_TRUE(request_.write(operation));
    }
    void open() {
        static const std::string name = ":method";
        static const std::string value = "POST";
        nghttp2_nv field{};
        field.name = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
        field.namelen = name.size();
        field.value = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
        field.valuelen = value.size();
        session_.open(std::span(&field, 1), "1S");
    }
    bool hear(const std::string& bytes, std::size_t step = SIZE_MAX) {
        for (std::size_t at = 0; at < bytes.size(); at += std::min(step, bytes.size() - at)) {
            const std::string part = bytes.substr(at, step);
            if (!session_.received(std::as_bytes(std::span(part)))) return false;
        }
        return true;
    }
    // All bytes that are to be sent.
    std::string said() {
        std::string bytes;
        session_.pump();
        for (const iovec& span : session_.frames().unsent()) {
            bytes.append(static_cast<const char*>(span.iov_base), span.iov_len);
        }
        session_.frames().sent(bytes.size());
        return bytes;
    }
    // Bytes of the body in DATA frames, and the length of the longest.
    std::pair<std::size_t, std::size_t> said_data() {
        const std::string bytes = said();
        std::size_t sum = 0;
        std::size_t longest = 0;
        for (std::size_t at = 0; at < bytes.size();) {
            if (bytes.compare(at, 3, "PRI") == 0) at += 24;
            std::size_t length = 0;
            for (int i = 0; i < 3; ++i) {
                length = length << 8 |
                         static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
            }
            if (bytes[at + 3] == kData) {
                sum += length;
                longest = std::max(longest, length);
            }
            at += 9 + length;
        }
        return {sum, longest};
    }

    void on_field(std::string_view name, std::string_view value) override {
        heard_ += std::string(name) + "=" + std::string(value) + ";";
    }
    void on_data(std::span<const std::byte> data) override {
        heard_.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
    void on_end() override { heard_ += "."; }
    void on_reset(std::uint32_t code) override { heard_ += "!" + std::to_string(code); }

    std::vector<std::uint8_t> body_;
    InferRequest infer_;
    GrpcRequest request_;
    GrpcSession session_{*this, request_};
    std::string heard_;
};

TEST_F(GrpcSessionTest, BeginsWithPrefaceSettingsAndOneRequestInOneGo) {
    open();
    const std::string bytes = said();
    EXPECT_TRUE(bytes.starts_with("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    EXPECT_EQ(bytes[24 + 3], kSettings);
    EXPECT_TRUE(said().empty());
}

TEST_F(GrpcSessionTest, FramesOfEveryFormAreReadInWhateverPiecesTheyCome) {
    const std::string answer =
        kNoSettings +
        frame(
            kHeaders, kPadded | kHasPriority, 1, "\2" + std::string(5, '\0') + kStatus200 + "pp") +
        frame(kContinuation, 0, 1, kLiteral.substr(0, 2)) +
        frame(kContinuation, kEndHeaders, 1, kLiteral.substr(2)) + frame(kPriority, 0, 1, "12345") +
        frame(kData, 0, 1, "one,") + frame(kData, kPadded, 1, std::string("\3two,\0\0\0", 8)) +
        frame(kData, kPadded, 1, std::string("\0three,", 7)) + frame(kData, 0, 1, "") +
        frame(77, 0, 0, "of a later version") + frame(kPing, kAck, 0, "12345678") +
        frame(kWindowUpdate, 0, 0, big_endian(9, 4)) +
        frame(kHeaders, kEndHeaders | kEndStream, 1, kLiteral);
    for (std::size_t step = 1; step <= answer.size(); ++step) {
        GrpcSession fresh(*this, request_);
        heard_.clear();
        set_body(10);
        static const std::vector<nghttp2_nv> none;
        fresh.open(none, "1S");
        for (std::size_t at = 0; at < answer.size(); at += step) {
            const std::string part = answer.substr(at, step);
            ASSERT_TRUE(fresh.received(std::as_bytes(std::span(part)))) << step;
        }
        ASSERT_EQ(heard_, ":status=200;a=b;one,two,three,a=b;.") << step;
        EXPECT_TRUE(fresh.takes_streams());
    }
}

TEST_F(GrpcSessionTest, PingsAndSettingsAreAnswered) {
    said();
    ASSERT_TRUE(hear(kNoSettings + frame(kPing, 0, 0, "12345678")));
    EXPECT_EQ(said(), frame(kSettings, kAck, 0, "") + frame(kPing, kAck, 0, "12345678"));
}

TEST_F(GrpcSessionTest, BodyKeepsToTheServersFramesAndWindows) {
    set_body(200'000);
    ASSERT_TRUE(hear(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1'000)));
    open();
    EXPECT_EQ(said_data(), std::pair(std::size_t{1'000}, std::size_t{1'000}));
    // Next, the window of the connection, 65535 at first, ends it.
    ASSERT_TRUE(hear(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 300'000)));
    EXPECT_EQ(said_data(), std::pair(std::size_t{64'535}, std::size_t{16'384}));
    ASSERT_TRUE(hear(setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 50'000) +
                     frame(kWindowUpdate, 0, 0, big_endian(1'000'000, 4))));
    const auto [rest, longest] = said_data();
    EXPECT_GT(rest, 134'465u);
    EXPECT_EQ(longest, 50'000u);
    EXPECT_EQ(said_data().first, 0u);
}

TEST_F(GrpcSessionTest, WindowThatShrinksBelowNothingStopsTheBodyUntilItIsRegained) {
    set_body(100'000);
    open();
    EXPECT_EQ(said_data().first, 65'535u);
    ASSERT_TRUE(hear(kNoSettings + frame(kWindowUpdate, 0, 0, big_endian(1'000'000, 4)) +
                     setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0)));
    EXPECT_EQ(said_data().first, 0u);
    ASSERT_TRUE(hear(frame(kWindowUpdate, 0, 1, big_endian(65'535, 4))));
    EXPECT_EQ(said_data().first, 0u);
    ASSERT_TRUE(hear(frame(kWindowUpdate, 0, 1, big_endian(5, 4))));
    EXPECT_EQ(said_data().first, 5u);
}

TEST_F(GrpcSessionTest, ServerWithoutAHeaderTableGetsHeadersThatNeedNone) {
    said();
    ASSERT_TRUE(hear(setting(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0)));
    said();
    nghttp2_hd_inflater* made = nullptr;
    ASSERT_EQ(nghttp2_hd_inflate_new(&made), 0);
    nghttp2_hd_inflate_change_table_size(made, 0);
    for (int call = 0; call < 3; ++call) {
        set_body(10);
        open();
        const std::string bytes = said();
        ASSERT_EQ(bytes[3], kHeaders);
        const std::string block = bytes.substr(9, static_cast<unsigned char>(bytes[2]));
        nghttp2_nv field;
        int flags = 0;
        for (std::size_t at = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
            const ssize_t used =
                nghttp2_hd_inflate_hd2(made,
                                       &field,
                                       &flags,
                                       reinterpret_cast<const std::uint8_t*>(block.data()) + at,
                                       block.size() - at,
                                       1);
            ASSERT_GE(used, 0) << call;
            at += static_cast<std::size_t>(used);
        }
        nghttp2_hd_inflate_end_headers(made);
        session_.reset();
        said();
    }
    nghttp2_hd_inflate_del(made);
}

TEST_F(GrpcSessionTest, WhatBreaksTheProtocolEndsTheConnection) {
    const std::vector<std::pair<const char*, std::string>> cases = {
        {"not settings first", frame(kPing, 0, 0, "12345678")},
        {"settings of a stream", frame(kSettings, 0, 1, "")},
        {"settings cut", frame(kSettings, 0, 0, "12345")},
        {"acknowledged with content", kNoSettings + frame(kSettings, kAck, 0, "123456")},
        {"window too large", setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x80000000)},
        {"frames too small", setting(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16'383)},
        {"ping too short", kNoSettings + frame(kPing, 0, 0, "1234567")},
        {"ping of a stream", kNoSettings + frame(kPing, 0, 1, "12345678")},
        {"reset too short", kNoSettings + frame(kReset, 0, 1, "123")},
        {"reset of the connection", kNoSettings + frame(kReset, 0, 0, "1234")},
        {"goaway too short", kNoSettings + frame(kGoaway, 0, 0, "1234567")},
        {"window by nothing", kNoSettings + frame(kWindowUpdate, 0, 0, big_endian(0, 4))},
        {"window over its end",
         kNoSettings + frame(kWindowUpdate, 0, 0, big_endian(0x7fffffffU, 4))},
        {"push",
         kNoSettings + frame(kPush, kEndHeaders, 1, std::string("\0\0\0\2", 4) + kStatus200)},
        {"data of the connection", kNoSettings + frame(kData, 0, 0, "x")},
        {"data of a stream that is not open", kNoSettings + frame(kData, 0, 3, "x")},
        {"data of a server's stream", kNoSettings + frame(kData, 0, 2, "x")},
        {"padding over the end", kNoSettings + frame(kData, kPadded, 1, "\2x")},
        {"padding in nothing", kNoSettings + frame(kData, kPadded, 1, "")},
        {"headers of the connection", kNoSettings + frame(kHeaders, kEndHeaders, 0, kStatus200)},
        {"headers padded over the end",
         kNoSettings + frame(kHeaders, kEndHeaders | kPadded, 1, "\2\x88")},
        {"headers without their priority",
         kNoSettings + frame(kHeaders, kEndHeaders | kHasPriority, 1, "1234")},
        {"headers that are none",
         kNoSettings + frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff")},
        {"headers cut", kNoSettings + frame(kHeaders, kEndHeaders, 1, kLiteral.substr(0, 3))},
        {"continuation of nothing", kNoSettings + frame(kContinuation, kEndHeaders, 1, kStatus200)},
        {"something between headers",
         kNoSettings + frame(kHeaders, 0, 1, kStatus200) + frame(kData, 0, 1, "x")},
        {"headers of two streams",
         kNoSettings + frame(kHeaders, 0, 1, kStatus200) +
             frame(kContinuation, kEndHeaders, 3, "")},
        {"headers without end",
         kNoSettings + frame(kHeaders, 0, 1, kStatus200) + frame(kContinuation, 0, 1, "")},
    };
    for (const auto& [what, bytes] : cases) {
        for (const std::size_t step : {std::size_t{1}, SIZE_MAX}) {
            set_body(10);
            GrpcSession fresh(*this, request_);
            static const std::vector<nghttp2_nv> none;
            fresh.open(none, "1S");
            bool ok = true;
            for (std::size_t at = 0; ok && at < bytes.size();
                 at += std::min(step, bytes.size() - at)) {
                const std::string part = bytes.substr(at, step);
                ok = fresh.received(std::as_bytes(std::span(part)));
            }
            EXPECT_FALSE(ok) << what;
        }
    }
}

TEST_F(GrpcSessionTest, FloodsEndTheConnection) {
    const auto survives = [this](const std::string& frames, int times) {
        GrpcSession fresh(*this, request_);
        static const std::vector<nghttp2_nv> none;
        fresh.open(none, "1S");
        if (!fresh.received(std::as_bytes(std::span(kNoSettings)))) return false;
        for (int i = 0; i < times; ++i) {
            if (!fresh.received(std::as_bytes(std::span(frames)))) return false;
        }
        return true;
    };
    EXPECT_TRUE(survives(frame(kPing, 0, 0, "12345678"), 100));
    EXPECT_FALSE(survives(frame(kPing, 0, 0, "12345678"), 100'000));
    EXPECT_FALSE(survives(kNoSettings, 100'000));
    // Endless headers.
    EXPECT_FALSE(survives(
        frame(kHeaders, 0, 1, kStatus200) +
            [] {
                std::string all;
                for (int i = 0; i < 100; ++i) {
                    all += frame(kContinuation, 0, 1, std::string(16'000, '\x88'));
                }
                return all;
            }(),
        1));
    // Each byte of the block stands for a field of 4 KiB, which is put into the table once.
    const std::string large = std::string("\x40\1a\x7f\xa1\x1e", 6) + std::string(4'000, 'x');
    EXPECT_TRUE(survives(frame(kHeaders, kEndHeaders, 1, large), 1));
    EXPECT_FALSE(survives(frame(kHeaders, kEndHeaders, 1, large + std::string(10'000, '\xbe')), 1));
}

TEST_F(GrpcSessionTest, StreamThatWasGivenUpIsNotHeardButCountsForTheConnection) {
    open();
    said();
    session_.reset();
    EXPECT_EQ(said(), frame(kReset, 0, 1, big_endian(NGHTTP2_CANCEL, 4)));
    set_body(10);
    open();
    said();
    // Its headers change the decoder's table, which the next ones then use.
    const std::string indexed = std::string("\x40\1a\1b", 5);
    ASSERT_TRUE(hear(kNoSettings + frame(kHeaders, kEndHeaders, 1, indexed) +
                     frame(kData, kEndStream, 1, "late") + frame(kReset, 0, 1, "1234") +
                     frame(kHeaders, kEndHeaders | kEndStream, 3, "\xbe")));
    EXPECT_EQ(heard_, "a=b;.");
}

TEST_F(GrpcSessionTest, NoMoreStreamsAfterGoawayOrWhereTheServerTakesNone) {
    EXPECT_TRUE(session_.takes_streams());
    ASSERT_TRUE(hear(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0)));
    EXPECT_FALSE(session_.takes_streams());
    ASSERT_TRUE(hear(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1)));
    EXPECT_TRUE(session_.takes_streams());
    ASSERT_TRUE(hear(frame(kGoaway, 0, 0, big_endian(0, 8))));
    EXPECT_FALSE(session_.takes_streams());
}

TEST_F(GrpcSessionTest, WindowsAreReopenedBeforeALongAnswerUsesThemUp) {
    open();
    said();
    ASSERT_TRUE(hear(kNoSettings + frame(kHeaders, kEndHeaders, 1, kStatus200)));
    said();
    const std::string data = frame(kData, 0, 1, std::string(256 << 10, 'x'));
    std::string updates;
    for (int i = 0; i < 5'000 && updates.empty(); ++i) {
        ASSERT_TRUE(hear(data));
        heard_.clear();
        updates = said();
    }
    ASSERT_EQ(updates.size(), 26u);
    EXPECT_EQ(updates[3], kWindowUpdate);
    EXPECT_EQ(updates.substr(5, 4), big_endian(0, 4));
    EXPECT_EQ(updates.substr(13 + 5, 4), big_endian(1, 4));
}

}  // namespace
}  // namespace lepton::client
