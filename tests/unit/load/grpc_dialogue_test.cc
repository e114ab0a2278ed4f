#include "grpc_dialogue.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "question.h"

namespace lepton::bench {
namespace {

// A server made of nghttp2, to which the dialogue's frames must make sense.
class Server {
public:
    explicit Server(std::uint32_t window) {
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
        nghttp2_session_server_new(&session_, callbacks, this);
        nghttp2_session_callbacks_del(callbacks);
        const nghttp2_settings_entry entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
        nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &entry, 1);
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server() { nghttp2_session_del(session_); }

    // Passes bytes to and fro until both are silent; what the dialogue heard last.
    Heard talk(Dialogue& dialogue) {
        Heard heard = Heard::kPart;
        while (true) {
            const auto bytes = dialogue.unsent();
            const std::string sent(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            dialogue.sent(sent.size());
            const auto used = nghttp2_session_mem_recv(
                session_, reinterpret_cast<const std::uint8_t*>(sent.data()), sent.size());
            EXPECT_EQ(used, static_cast<ssize_t>(sent.size()));
            const std::uint8_t* frames = nullptr;
            const ssize_t size = nghttp2_session_mem_send(session_, &frames);
            if (size == 0 && sent.empty()) return heard;
            for (ssize_t i = 0; i < size; ++i) {  // Byte by byte: any cut must do.
                dialogue.space()[0] = static_cast<std::byte>(frames[i]);
                const Heard next = dialogue.hear(1);
                if (next != Heard::kPart) heard = next;
            }
        }
    }

    std::string answer;  // With gRPC's prefix.
    std::string_view status = "0";
    std::vector<std::string> requests;

private:
    static int on_data(nghttp2_session*,
                       std::uint8_t,
                       std::int32_t,
                       const std::uint8_t* data,
                       std::size_t size,
                       void* self) {
        static_cast<Server*>(self)->body_.append(reinterpret_cast<const char*>(data), size);
        return 0;
    }
    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && frame->hd.stream_id != 0) {
            static_cast<Server*>(self)->reply(frame->hd.stream_id);
        }
        return 0;
    }
    static nghttp2_nv field(std::string_view name, std::string_view value) {
        const auto bytes = [](std::string_view text) {
            return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
        };
        return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
    }
    static ssize_t read(nghttp2_session* session,
                        std::int32_t stream,
                        std::uint8_t* space,
                        std::size_t room,
                        std::uint32_t* flags,
                        nghttp2_data_source* source,
                        void*) {
        auto& server = *static_cast<Server*>(source->ptr);
        const std::size_t count = std::min(room, server.answer.size() - server.answered_);
        std::memcpy(space, server.answer.data() + server.answered_, count);
        server.answered_ += count;
        if (server.answered_ < server.answer.size()) return static_cast<ssize_t>(count);
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        constexpr std::string_view name = "grpc-status";
        const nghttp2_nv trailer = field(name, server.status);
        nghttp2_submit_trailer(session, stream, &trailer, 1);
        return static_cast<ssize_t>(count);
    }
    void reply(std::int32_t stream) {
        requests.push_back(std::move(body_));
        body_.clear();
        answered_ = 0;
        constexpr std::string_view name = ":status";
        constexpr std::string_view value = "200";
        const nghttp2_nv head = field(name, value);
        nghttp2_data_provider provider{};
        provider.source.ptr = this;
        provider.read_callback = read;
        nghttp2_submit_response(session_, stream, &head, 1, &provider);
    }

    nghttp2_session* session_ = nullptr;
    std::string body_;
    std::size_t answered_ = 0;
};

std::string framed(const std::string& message) {
    std::string prefix(5, '\0');
    prefix[3] = static_cast<char>(message.size() >> 8);
    prefix[4] = static_cast<char>(message.size());
    return prefix + message;
}

std::string raw_output(std::size_t bytes) {  // Field 6 of ModelInferResponse.
    std::string message{'\x32', static_cast<char>(bytes)};
    return message.append(bytes, 'y');
}

Question question(const std::string& shape, std::size_t output_bytes) {
    return {.model = "m",
            .inputs = {parse_tensor(std::string("x:FP32:").append(shape))},
            .output_bytes = output_bytes};
}

TEST(GrpcDialogue, EachCallIsUnderstoodAndItsAnswerVerified) {
    Server server(65535);
    server.answer = framed(raw_output(40));
    const Question asked = question("1x128", 40);
    GrpcDialogue dialogue(asked, "h");
    for (int i = 0; i < 3 * kAnswersToVerify; ++i) {
        dialogue.ask();
        EXPECT_EQ(server.talk(dialogue), Heard::kAnswer);
    }
    ASSERT_EQ(server.requests.size(), 3U * kAnswersToVerify);
    for (const std::string& request : server.requests) {
        EXPECT_EQ(request, framed(protobuf_body(asked)));
    }
}

TEST(GrpcDialogue, RequestsLargerThanTheWindowWaitForItToOpen) {
    Server server(70'000);
    server.answer = framed(raw_output(4));
    const Question asked = question("1x50000", 4);
    GrpcDialogue dialogue(asked, "h");
    for (int i = 0; i < 2; ++i) {
        dialogue.ask();
        ASSERT_EQ(server.talk(dialogue), Heard::kAnswer);
        EXPECT_EQ(server.requests.back().substr(5), protobuf_body(asked));
    }
}

TEST(GrpcDialogue, FailedCallsAndWrongSizesAreRefused) {
    Server server(65535);
    server.answer = framed(raw_output(39));
    GrpcDialogue dialogue(question("1x4", 40), "h");
    dialogue.ask();
    EXPECT_EQ(server.talk(dialogue), Heard::kRefused);
    server.answer = framed(raw_output(40));
    server.status = "8";
    dialogue.ask();
    EXPECT_EQ(server.talk(dialogue), Heard::kRefused);
    server.status = "0";
    dialogue.ask();
    EXPECT_EQ(server.talk(dialogue), Heard::kAnswer);
}

}  // namespace
}  // namespace lepton::bench
