#include "unit/client/grpc_peer.h"

#include <algorithm>
#include <cstring>

namespace lepton::client {
namespace {

std::vector<nghttp2_nv> to_nv(const Fields& fields) {
    std::vector<nghttp2_nv> all;
    for (const auto& [name, value] : fields) {
        const auto bytes = [](const std::string& text) {
            return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
        };
        all.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    return all;
}

}  // namespace

std::string framed(std::string_view message) {
    std::string bytes(1, '\0');
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes.push_back(static_cast<char>(message.size() >> shift));
    }
    return bytes.append(message);
}

struct GrpcPeer::Callbacks {
    static GrpcPeer& of(void* user) { return *static_cast<GrpcPeer*>(user); }

    static int on_header(nghttp2_session*,
                         const nghttp2_frame* frame,
                         const std::uint8_t* name,
                         std::size_t name_size,
                         const std::uint8_t* value,
                         std::size_t value_size,
                         std::uint8_t,
                         void* user) {
        of(user).asked_[frame->hd.stream_id].fields.emplace(
            std::string(reinterpret_cast<const char*>(name), name_size),
            std::string(reinterpret_cast<const char*>(value), value_size));
        return 0;
    }

    static int on_data(nghttp2_session*,
                       std::uint8_t,
                       std::int32_t stream,
                       const std::uint8_t* data,
                       std::size_t size,
                       void* user) {
        of(user).asked_[stream].body.append(reinterpret_cast<const char*>(data), size);
        return 0;
    }

    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        GrpcPeer& self = of(user);
        const std::int32_t stream = frame->hd.stream_id;
        if (frame->hd.type == NGHTTP2_HEADERS) self.streams_.push_back(stream);
        if (frame->hd.type == NGHTTP2_RST_STREAM) {
            self.asked_[stream].reset = frame->rst_stream.error_code;
        }
        const bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
        if (may_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
            self.asked_[stream].complete = true;
        }
        return 0;
    }

    static ssize_t send(
        nghttp2_session*, const std::uint8_t* data, std::size_t size, int, void* user) {
        of(user).out_.append(reinterpret_cast<const char*>(data), size);
        return static_cast<ssize_t>(size);
    }

    static ssize_t read_body(nghttp2_session* session,
                             std::int32_t stream,
                             std::uint8_t* buffer,
                             std::size_t room,
                             std::uint32_t* flags,
                             nghttp2_data_source*,
                             void* user) {
        Reply& reply = of(user).replies_[stream];
        const std::size_t count = std::min(room, reply.body.size() - reply.sent);
        std::memcpy(buffer, reply.body.data() + reply.sent, count);
        reply.sent += count;
        if (reply.sent < reply.body.size()) return static_cast<ssize_t>(count);
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!reply.trailers.empty()) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            const auto trailers = to_nv(reply.trailers);
            nghttp2_submit_trailer(session, stream, trailers.data(), trailers.size());
        }
        return static_cast<ssize_t>(count);
    }
};

GrpcPeer::GrpcPeer(Options options) : options_(options) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
    nghttp2_session_callbacks_set_send_callback(callbacks, Callbacks::send);
    nghttp2_session_server_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.window};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &window, 1);
}

GrpcPeer::~GrpcPeer() { nghttp2_session_del(session_); }

bool GrpcPeer::hear(Exchange& client) {
    bool any = false;
    while (true) {
        std::string bytes;
        for (const iovec& span : client.to_send()) {
            bytes.append(static_cast<const char*>(span.iov_base), span.iov_len);
            if (bytes.size() >= options_.step) break;
        }
        bytes.resize(std::min(bytes.size(), options_.step));
        if (bytes.empty()) return any;
        any = true;
        nghttp2_session_mem_recv(
            session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
        client.sent(bytes.size());
    }
}

bool GrpcPeer::speak_to(Exchange& client) {
    nghttp2_session_send(session_);
    out_ += std::exchange(raw_, {});
    const bool any = !out_.empty();
    std::string_view rest = out_;
    while (!rest.empty()) {
        const std::span<std::byte> space = client.space();
        const std::size_t count = std::min({rest.size(), space.size(), options_.step});
        std::memcpy(space.data(), rest.data(), count);
        rest.remove_prefix(count);
        client.received(count);
    }
    out_.clear();
    return any;
}

void GrpcPeer::talk_to(Exchange& client) {
    bool moved = true;
    while (moved) {
        moved = hear(client);
        moved = speak_to(client) || moved;
    }
}

void GrpcPeer::answer(std::int32_t stream, std::string message, Fields trailers) {
    answer_with(stream,
                {{":status", "200"}, {"content-type", "application/grpc"}},
                framed(message),
                std::move(trailers));
}

void GrpcPeer::answer_with(std::int32_t stream, Fields head, std::string body, Fields trailers) {
    replies_[stream] = {std::move(body), 0, std::move(trailers)};
    nghttp2_data_provider provider{};
    provider.read_callback = Callbacks::read_body;
    const auto fields = to_nv(head);
    nghttp2_submit_response(session_, stream, fields.data(), fields.size(), &provider);
}

void GrpcPeer::refuse(std::int32_t stream, Fields trailers) {
    Fields head{{":status", "200"}, {"content-type", "application/grpc"}};
    head.insert(head.end(), trailers.begin(), trailers.end());
    const auto fields = to_nv(head);
    nghttp2_submit_response(session_, stream, fields.data(), fields.size(), nullptr);
}

void GrpcPeer::reset(std::int32_t stream, std::uint32_t code) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, code);
}

void GrpcPeer::go_away(std::int32_t last_stream) {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_stream, NGHTTP2_NO_ERROR, nullptr, 0);
}

}  // namespace lepton::client
