#include "grpc_session.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "lepton/core/check.h"

namespace lepton::client {
namespace {

constexpr std::int32_t kLargestWindow = 0x7fffffff;
// Of a DATA frame, as we tell the server and hold ourselves to: fewer, larger frames.
constexpr std::uint32_t kFrameBytes = 256U << 10;
constexpr std::size_t kFrameHeadBytes = 9;

std::string_view text_of(const std::uint8_t* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

nghttp2_mem memory_of(BlockCache& blocks) {
    return {&blocks,
            [](std::size_t bytes, void* cache) noexcept {
                return static_cast<BlockCache*>(cache)->take(bytes);
            },
            [](void* block, void* cache) noexcept {
                static_cast<BlockCache*>(cache)->give_back(block);
            },
            [](std::size_t count, std::size_t bytes, void* cache) noexcept {
                void* const block = static_cast<BlockCache*>(cache)->take(count * bytes);
                return block == nullptr ? nullptr : std::memset(block, 0, count * bytes);
            },
            [](void* block, std::size_t bytes, void* cache) noexcept {
                return static_cast<BlockCache*>(cache)->resize(block, bytes);
            }};
}

}  // namespace

// The C functions that nghttp2 calls; `user` is the session.
struct GrpcSession::Callbacks {
    static GrpcSession& of(void* user) { return *static_cast<GrpcSession*>(user); }

    static int on_header(nghttp2_session* /*session*/,
                         const nghttp2_frame* frame,
                         const std::uint8_t* name,
                         std::size_t name_size,
                         const std::uint8_t* value,
                         std::size_t value_size,
                         std::uint8_t /*flags*/,
                         void* user) noexcept {
        if (frame->hd.stream_id == of(user).stream_) {
            of(user).listener_.on_field(text_of(name, name_size), text_of(value, value_size));
        }
        return 0;
    }

    static int on_data(nghttp2_session* /*session*/,
                       std::uint8_t /*flags*/,
                       std::int32_t stream,
                       const std::uint8_t* data,
                       std::size_t size,
                       void* user) noexcept {
        if (stream == of(user).stream_) {
            of(user).listener_.on_data(std::as_bytes(std::span(data, size)));
        }
        return 0;
    }

    static int on_frame(nghttp2_session* /*session*/,
                        const nghttp2_frame* frame,
                        void* user) noexcept {
        const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
            frame->hd.stream_id == of(user).stream_) {
            of(user).listener_.on_end();
        }
        return 0;
    }

    static int on_close(nghttp2_session* /*session*/,
                        std::int32_t stream,
                        std::uint32_t code,
                        void* user) noexcept {
        if (stream == of(user).stream_) {
            of(user).stream_ = 0;
            of(user).listener_.on_closed(code);
        }
        return 0;
    }

    static ssize_t send(nghttp2_session* /*session*/,
                        const std::uint8_t* data,
                        std::size_t size,
                        int /*flags*/,
                        void* user) noexcept {
        if (of(user).is_full()) return NGHTTP2_ERR_WOULDBLOCK;
        of(user).frames_.append(std::as_bytes(std::span(data, size)));
        return static_cast<ssize_t>(size);
    }

    // Says how much of the body the next frame has; send_body() then takes it.
    static ssize_t read_body(nghttp2_session* /*session*/,
                             std::int32_t stream,
                             std::uint8_t* /*buffer*/,
                             std::size_t room,
                             std::uint32_t* flags,
                             nghttp2_data_source* /*source*/,
                             void* user) noexcept {
        // A stream that was given up has no body any more.
        if (stream != of(user).stream_) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        const std::size_t left = of(user).request_.left();
        *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
        if (left <= room) *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(std::min(left, room));
    }

    static int send_body(nghttp2_session* /*session*/,
                         nghttp2_frame* frame,
                         const std::uint8_t* head,
                         std::size_t size,
                         nghttp2_data_source* /*source*/,
                         void* user) noexcept {
        GrpcSession& self = of(user);
        if (frame->hd.stream_id != self.stream_) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        if (self.is_full()) return NGHTTP2_ERR_WOULDBLOCK;
        self.frames_.append(std::as_bytes(std::span(head, kFrameHeadBytes)));
        while (size > 0) {
            const std::span<const std::byte> piece = self.request_.take(size);
            self.frames_.refer(piece);
            size -= piece.size();
        }
        return 0;
    }

    static ssize_t choose_frame_bytes(nghttp2_session* /*session*/,
                                      std::uint8_t /*type*/,
                                      std::int32_t /*stream*/,
                                      std::int32_t session_window,
                                      std::int32_t stream_window,
                                      std::uint32_t max_frame_bytes,
                                      void* /*user*/) noexcept {
        const auto window = static_cast<std::uint32_t>(std::min(session_window, stream_window));
        return static_cast<ssize_t>(std::min({window, max_frame_bytes, kFrameBytes}));
    }

    // Both for the life of the process; nghttp2 copies them into each session.
    static const nghttp2_option& options();
    static const nghttp2_session_callbacks& all() {
        static const nghttp2_session_callbacks* const made = [] {
            nghttp2_session_callbacks* callbacks = nullptr;
            LEPTON_CHECK(nghttp2_session_callbacks_new(&callbacks) == 0);
            nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
            nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
            nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
            nghttp2_session_callbacks_set_send_callback(callbacks, send);
            nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
            nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks,
                                                                           choose_frame_bytes);
            return callbacks;
        }();
        return *made;
    }
};

// nghttp2's own checks of header fields are left out: the listener takes each value for what it may
// be, so that they are a tenth of what a small call costs here and buy nothing.
const nghttp2_option& GrpcSession::Callbacks::options() {
    static const nghttp2_option* const made = [] {
        nghttp2_option* option = nullptr;
        LEPTON_CHECK(nghttp2_option_new(&option) == 0);
        nghttp2_option_set_no_http_messaging(option, 1);
        return option;
    }();
    return *made;
}

GrpcSession::GrpcSession(GrpcSessionListener& listener, GrpcRequest& request)
    : listener_(listener), request_(request) {
    nghttp2_mem memory = memory_of(blocks_);
    LEPTON_CHECK(nghttp2_session_client_new3(
                     &session_, &Callbacks::all(), this, &Callbacks::options(), &memory) == 0);
    const std::array<nghttp2_settings_entry, 3> settings{
        {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kLargestWindow},
         {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameBytes}}};
    LEPTON_CHECK(nghttp2_submit_settings(
                     session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
    LEPTON_CHECK(
        nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kLargestWindow) == 0);
}

GrpcSession::~GrpcSession() {
    stream_ = 0;
    nghttp2_session_del(session_);
}

bool GrpcSession::open(std::span<const nghttp2_nv> fields) {
    nghttp2_data_provider body{};
    body.read_callback = Callbacks::read_body;
    const std::int32_t stream =
        nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), &body, nullptr);
    if (stream < 0) return false;
    stream_ = stream;
    pump();
    return true;
}

void GrpcSession::reset() {
    if (stream_ == 0) return;
    LEPTON_CHECK(nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream_, NGHTTP2_CANCEL) ==
                 0);
    stream_ = 0;
}

bool GrpcSession::is_full() { return has_more_ = frames_.full(); }

void GrpcSession::pump() {
    has_more_ = false;
    LEPTON_CHECK(nghttp2_session_send(session_) == 0);
}

bool GrpcSession::received(std::span<const std::byte> bytes) {
    const ssize_t taken = nghttp2_session_mem_recv(
        session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    return taken == static_cast<ssize_t>(bytes.size());
}

bool GrpcSession::takes_streams() const {
    return nghttp2_session_check_request_allowed(session_) != 0;
}

bool GrpcSession::listens() const { return nghttp2_session_want_read(session_) != 0; }

}  // namespace lepton::client
