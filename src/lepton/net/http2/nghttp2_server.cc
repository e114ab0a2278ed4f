#include "lepton/net/http2/nghttp2_server.h"

#include <algorithm>
#include <cstring>

#include "lepton/core/check.h"

namespace lepton::net {
namespace {

// The size of DATA frames that we send, if the client takes frames that large.
constexpr std::size_t kMaxFrameBytes = std::size_t{256} << 10;
constexpr std::size_t kFrameHeadBytes = 9;

// Streams reset by the client, as a token bucket (CVE-2023-44487). A client whose deadlines expire
// resets streams in earnest, so the bound is far above nghttp2's 33 per second; what a reset stream
// still costs is bounded by the session.
constexpr std::uint64_t kResetBurst = 10'000;
constexpr std::uint64_t kResetsPerSecond = 1'000;

FrameListener& of(void* listener) { return *static_cast<FrameListener*>(listener); }

Http2Exchange* exchange_of(nghttp2_session* session, std::int32_t stream_id) {
    return static_cast<Http2Exchange*>(nghttp2_session_get_stream_user_data(session, stream_id));
}

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* listener) noexcept {
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        of(listener).on_begin_request(frame->hd.stream_id);
    }
    return 0;
}

int on_header(nghttp2_session* session,
              const nghttp2_frame* frame,
              const std::uint8_t* name,
              std::size_t name_size,
              const std::uint8_t* value,
              std::size_t value_size,
              std::uint8_t /*flags*/,
              void* listener) noexcept {
    Http2Exchange* exchange = exchange_of(session, frame->hd.stream_id);
    return of(listener).on_field(exchange, text_of(name, name_size), text_of(value, value_size))
               ? 0
               : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

// nghttp2 would leave the field out and go on; RFC 9113 section 8.2.1 has the request refused.
int on_invalid_header(nghttp2_session*,
                      const nghttp2_frame*,
                      const std::uint8_t* /*name*/,
                      std::size_t /*name_size*/,
                      const std::uint8_t* /*value*/,
                      std::size_t /*value_size*/,
                      std::uint8_t /*flags*/,
                      void*) noexcept {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* listener) noexcept {
    of(listener).on_frame(*frame);
    return 0;
}

int on_data(nghttp2_session*,
            std::uint8_t /*flags*/,
            std::int32_t stream_id,
            const std::uint8_t* data,
            std::size_t size,
            void* listener) noexcept {
    of(listener).on_data(stream_id, std::as_bytes(std::span(data, size)));
    return 0;
}

int on_stream_close(nghttp2_session*,
                    std::int32_t stream_id,
                    std::uint32_t /*error*/,
                    void* listener) noexcept {
    of(listener).on_stream_closed(stream_id);
    return 0;
}

int on_frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* listener) noexcept {
    const bool carries_reply = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries_reply && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        of(listener).on_stream_sent(frame->hd.stream_id);
    }
    return 0;
}

int on_frame_not_sent(nghttp2_session*,
                      const nghttp2_frame* frame,
                      int /*error*/,
                      void* listener) noexcept {
    if (frame->hd.type == NGHTTP2_HEADERS) of(listener).on_head_not_sent(frame->hd.stream_id);
    return 0;
}

int on_send_data(nghttp2_session*,
                 nghttp2_frame*,
                 const std::uint8_t* frame_head,
                 std::size_t count,
                 nghttp2_data_source* source,
                 void* listener) noexcept {
    auto& exchange = *static_cast<Http2Exchange*>(source->ptr);
    const auto head = std::as_bytes(std::span(frame_head, kFrameHeadBytes));
    return of(listener).on_send_body(exchange, head, count) ? 0 : NGHTTP2_ERR_WOULDBLOCK;
}

ssize_t choose_frame_bytes(nghttp2_session*,
                           std::uint8_t /*type*/,
                           std::int32_t /*stream_id*/,
                           std::int32_t session_window,
                           std::int32_t stream_window,
                           std::uint32_t max_frame_bytes,
                           void*) noexcept {
    const auto window = static_cast<std::size_t>(std::min(session_window, stream_window));
    return static_cast<ssize_t>(std::min({window, std::size_t{max_frame_bytes}, kMaxFrameBytes}));
}

struct CallbacksDeleter {
    void operator()(nghttp2_session_callbacks* callbacks) const {
        nghttp2_session_callbacks_del(callbacks);
    }
};
std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter> make_callbacks() {
    nghttp2_session_callbacks* made = nullptr;
    LEPTON_CHECK(nghttp2_session_callbacks_new(&made) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(made, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, on_frame_sent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(made, on_frame_not_sent);
    nghttp2_session_callbacks_set_send_data_callback(made, on_send_data);
    nghttp2_session_callbacks_set_data_source_read_length_callback(made, choose_frame_bytes);
    return std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter>(made);
}

struct OptionDeleter {
    void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
std::unique_ptr<nghttp2_option, OptionDeleter> make_options() {
    nghttp2_option* made = nullptr;
    LEPTON_CHECK(nghttp2_option_new(&made) == 0);
    nghttp2_option_set_no_auto_window_update(made, 1);
    nghttp2_option_set_no_closed_streams(made, 1);  // StreamOrder keeps enough of them.
    // gRPC clients send metadata as their callers wrote them; RequestHead takes the blanks off.
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(made, 1);
    nghttp2_option_set_stream_reset_rate_limit(made, kResetBurst, kResetsPerSecond);
    return std::unique_ptr<nghttp2_option, OptionDeleter>(made);
}

void* take_zeroed(std::size_t count, std::size_t bytes, void* cache) noexcept {
    void* block = static_cast<BlockCache*>(cache)->take(count * bytes);
    return block == nullptr ? nullptr : std::memset(block, 0, count * bytes);
}

nghttp2_mem memory_of(BlockCache& blocks) {
    return {&blocks,
            [](std::size_t bytes, void* cache) noexcept {
                return static_cast<BlockCache*>(cache)->take(bytes);
            },
            [](void* block, void* cache) noexcept {
                static_cast<BlockCache*>(cache)->give_back(block);
            },
            take_zeroed,
            [](void* block, std::size_t bytes, void* cache) noexcept {
                return static_cast<BlockCache*>(cache)->resize(block, bytes);
            }};
}

}  // namespace

Nghttp2Ptr make_nghttp2_server(FrameListener& listener, BlockCache& memory) {
    // nghttp2 copies both into the session.
    static const auto callbacks = make_callbacks();
    static const auto options = make_options();
    nghttp2_mem blocks = memory_of(memory);
    nghttp2_session* made = nullptr;
    LEPTON_CHECK(nghttp2_session_server_new3(
                     &made, callbacks.get(), &listener, options.get(), &blocks) == 0);
    return Nghttp2Ptr(made);
}

ssize_t read_body_callback(nghttp2_session* /*session*/,
                           std::int32_t /*stream_id*/,
                           std::uint8_t* /*buffer*/,
                           std::size_t room,
                           std::uint32_t* flags,
                           nghttp2_data_source* source,
                           void* listener) noexcept {
    return of(listener).on_read_body(*static_cast<Http2Exchange*>(source->ptr), room, *flags);
}

}  // namespace lepton::net
