#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "dialogue.h"
#include "question.h"

namespace lepton::bench {

// Makes unary ModelInfer calls over HTTP/2, one after the other. It writes and reads frames itself,
// so that the client costs next to nothing; only header compression is nghttp2's. It respects the
// server's flow control, and lets the server send without bound.
class GrpcDialogue final : public Dialogue {
public:
    GrpcDialogue(const Question& question, std::string_view authority);

    void ask() override;
    [[nodiscard]] std::span<const std::byte> unsent() const override {
        return std::as_bytes(std::span(out_)).subspan(unsent_from_);
    }
    void sent(std::size_t count) override;
    [[nodiscard]] std::span<std::byte> space() override;
    Heard hear(std::size_t count) override;

private:
    struct FrameHead {
        std::size_t length = 0;
        std::uint8_t type = 0;
        std::uint8_t flags = 0;
        std::uint32_t stream = 0;
    };

    void append_frame_head(const FrameHead& head);
    void append_window_update(std::uint32_t stream, std::uint32_t increment);
    void append_data();  // Appends as much of the body as the windows allow.
    void encode_headers(std::string_view path, std::string_view authority);

    // Returns true when the frame ends the current call.
    bool on_frame(const FrameHead& head, std::string_view content);
    bool on_headers(const FrameHead& head, std::string_view block);
    void on_settings(const FrameHead& head, std::string_view content);
    void on_window_update(const FrameHead& head, std::string_view content);
    void on_data(const FrameHead& head, std::string_view content);
    [[nodiscard]] Heard verdict();

    struct DeleteInflater {
        void operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }
    };

    // The compressed headers of the first call, and of each later one: by then all of them are in
    // the server's table, so that they no longer change.
    std::string first_headers_;
    std::string headers_;
    std::string body_;  // Begins with gRPC's prefix of five bytes.
    std::size_t output_bytes_;

    std::string out_;
    std::size_t unsent_from_ = 0;
    std::vector<char> in_;
    std::size_t heard_ = 0;
    std::unique_ptr<nghttp2_hd_inflater, DeleteInflater> inflater_;

    // What the server allows us to send, RFC 9113 section 6.9:
    std::int64_t connection_window_ = 65535;
    std::int64_t initial_stream_window_ = 65535;
    std::int64_t stream_window_ = 0;
    std::size_t max_frame_bytes_ = 16384;
    std::uint32_t heard_since_update_ = 0;  // Counted against our own window of the connection.

    std::uint32_t stream_ = 0;  // Zero before the first call, then 1, 3, 5, ...
    std::size_t body_sent_ = 0;
    std::size_t answer_bytes_ = 0;
    std::string answer_;  // Filled only while answers are verified.
    int http_status_ = 0;
    int grpc_status_ = -1;
    int left_to_verify_ = kAnswersToVerify;
};

}  // namespace lepton::bench
