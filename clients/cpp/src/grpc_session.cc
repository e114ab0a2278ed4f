#include "grpc_session.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace lepton::client {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t kLargestWindow = 0x7fffffff;
constexpr std::uint32_t kDefaultWindow = 65535;
constexpr std::uint32_t kUpdateAfter = kLargestWindow / 2;
constexpr std::uint32_t kLastStream = 0x7fffffff;
// The largest frame, for the server and for us: fewer, larger frames than by default.
constexpr std::size_t kFrameBytes = std::size_t{256} << 10;
// Bound of the frames that are assembled: headers, settings.
constexpr std::size_t kMostGathered = std::size_t{64} << 10;
// Bound of the replies to settings and pings that wait to be sent: more is a flood.
constexpr std::size_t kMostWaiting = std::size_t{64} << 10;

void put_big_endian(std::uint64_t value, std::byte* to, std::size_t count) {
    for (std::size_t i = count; i-- > 0; value >>= 8) to[i] = static_cast<std::byte>(value);
}

std::uint32_t big_endian(Bytes bytes) {
    std::uint32_t value = 0;
    for (const std::byte byte : bytes) value = value << 8 | std::to_integer<std::uint32_t>(byte);
    return value;
}

// Removes the padding of a HEADERS or DATA frame; returns false where it is longer than the
// payload.
bool strip_padding(Bytes& payload) {
    if (payload.empty()) return false;
    const auto padding = std::to_integer<std::size_t>(payload.front());
    payload = payload.subspan(1);
    if (padding > payload.size()) return false;
    payload = payload.first(payload.size() - padding);
    return true;
}

}  // namespace

GrpcSession::GrpcSession(GrpcSessionListener& listener, GrpcRequest& request)
    : listener_(listener), request_(request) {
    constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    frames_.append(std::as_bytes(std::span(kPreface)));
    constexpr std::array<std::pair<std::uint32_t, std::size_t>, 3> kSettings{
        {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kLargestWindow},
         {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameBytes}}};
    constexpr std::size_t kSettingBytes = 6;
    append_head({.length = kSettings.size() * kSettingBytes, .type = NGHTTP2_SETTINGS});
    for (const auto& [id, value] : kSettings) {
        std::array<std::byte, kSettingBytes> setting;
        put_big_endian(std::uint64_t{id} << 32 | value, setting.data(), setting.size());
        frames_.append(setting);
    }
    append_window_update(0, kLargestWindow - kDefaultWindow);
}

void GrpcSession::append_head(const Head& head) {
    std::array<std::byte, kHeadBytes> bytes;
    put_big_endian(head.length, bytes.data(), 3);
    bytes[3] = std::byte{head.type};
    bytes[4] = std::byte{head.flags};
    put_big_endian(head.stream, bytes.data() + 5, 4);
    frames_.append(bytes);
}

void GrpcSession::append_window_update(std::uint32_t stream, std::uint32_t increment) {
    append_head({.length = 4, .type = NGHTTP2_WINDOW_UPDATE, .stream = stream});
    std::array<std::byte, 4> bytes;
    put_big_endian(increment, bytes.data(), bytes.size());
    frames_.append(bytes);
}

bool GrpcSession::takes_streams() const {
    return !going_away_ && next_stream_ <= kLastStream && max_streams_ > 0;
}

void GrpcSession::open(std::span<const nghttp2_nv> fields, std::string_view timeout) {
    stream_ = next_stream_;
    next_stream_ += 2;
    stream_window_ = initial_window_;
    heard_on_stream_ = 0;
    Bytes block = hpack_.encode(request_.path(), fields, timeout);
    std::uint8_t type = NGHTTP2_HEADERS;
    do {
        const std::size_t size = std::min(block.size(), max_frame_bytes_);
        const bool last = size == block.size();
        append_head({.length = size,
                     .type = type,
                     .flags = last ? std::uint8_t{NGHTTP2_FLAG_END_HEADERS} : std::uint8_t{0},
                     .stream = stream_});
        frames_.append(block.first(size));
        block = block.subspan(size);
        type = NGHTTP2_CONTINUATION;
    } while (!block.empty());
    pump();
}

void GrpcSession::pump() {
    if (stream_ == 0) return;
    while (request_.left() > 0 && !frames_.full()) {
        const std::int64_t window = std::min(connection_window_, stream_window_);
        if (window <= 0) return;
        std::size_t size = std::min(
            {request_.left(), max_frame_bytes_, kFrameBytes, static_cast<std::size_t>(window)});
        connection_window_ -= static_cast<std::int64_t>(size);
        stream_window_ -= static_cast<std::int64_t>(size);
        const bool last = size == request_.left();
        append_head({.length = size,
                     .type = NGHTTP2_DATA,
                     .flags = last ? std::uint8_t{NGHTTP2_FLAG_END_STREAM} : std::uint8_t{0},
                     .stream = stream_});
        while (size > 0) {
            const Bytes piece = request_.take(size);
            frames_.refer(piece);
            size -= piece.size();
        }
    }
}

void GrpcSession::reset() {
    if (stream_ == 0) return;
    append_head({.length = 4, .type = NGHTTP2_RST_STREAM, .stream = stream_});
    std::array<std::byte, 4> code;
    put_big_endian(NGHTTP2_CANCEL, code.data(), code.size());
    frames_.append(code);
    stream_ = 0;
}

bool GrpcSession::received(Bytes bytes) {
    while (!bytes.empty()) {
        if (head_read_ < kHeadBytes) {
            const std::size_t part = std::min(kHeadBytes - head_read_, bytes.size());
            std::copy_n(bytes.data(), part, head_bytes_.data() + head_read_);
            head_read_ += part;
            bytes = bytes.subspan(part);
            if (head_read_ < kHeadBytes) return true;
            if (!begin_frame()) return false;
        }
        const Bytes part = bytes.first(std::min(left_, bytes.size()));
        bytes = bytes.subspan(part.size());
        left_ -= part.size();
        if (head_.type == NGHTTP2_DATA) {
            if (!take_data(part)) return false;
        } else if (left_ > 0 || !payload_.empty()) {
            payload_.insert(payload_.end(), part.begin(), part.end());
        }
        if (left_ > 0) return true;
        head_read_ = 0;
        if (head_.type == NGHTTP2_DATA) {
            if (head_.has(NGHTTP2_FLAG_END_STREAM) && head_.stream == stream_) end_stream();
            continue;
        }
        if (!on_frame(payload_.empty() ? part : Bytes(payload_))) return false;
        payload_.clear();
    }
    return frames_.copied() < kMostWaiting;
}

bool GrpcSession::begin_frame() {
    const Bytes bytes = head_bytes_;
    head_ = {.length = big_endian(bytes.first(3)),
             .type = std::to_integer<std::uint8_t>(bytes[3]),
             .flags = std::to_integer<std::uint8_t>(bytes[4]),
             .stream = big_endian(bytes.subspan(5)) & kLastStream};
    left_ = head_.length;
    padding_ = 0;
    padding_known_ = !head_.has(NGHTTP2_FLAG_PADDED);
    if (!heard_settings_ && head_.type != NGHTTP2_SETTINGS) return false;
    heard_settings_ = true;
    if (block_stream_ != 0 && head_.type != NGHTTP2_CONTINUATION) return false;
    if (head_.type != NGHTTP2_DATA) return head_.length <= kMostGathered;
    // The stream was opened; a server may still send on one that was given up.
    const bool was_opened = head_.stream % 2 == 1 && head_.stream < next_stream_;
    return was_opened && head_.length <= kFrameBytes && (padding_known_ || head_.length > 0);
}

bool GrpcSession::take_data(Bytes part) {
    const auto size = static_cast<std::uint32_t>(part.size());
    heard_on_connection_ += size;
    if (heard_on_connection_ >= kUpdateAfter) {
        append_window_update(0, heard_on_connection_);
        heard_on_connection_ = 0;
    }
    if (!padding_known_ && !part.empty()) {
        padding_known_ = true;
        padding_ = std::to_integer<std::size_t>(part.front());
        if (padding_ >= head_.length) return false;
        part = part.subspan(1);
    }
    if (head_.stream != stream_) return true;
    heard_on_stream_ += size;
    if (heard_on_stream_ >= kUpdateAfter) {
        append_window_update(stream_, heard_on_stream_);
        heard_on_stream_ = 0;
    }
    // Padding is at the end of the frame, part of which may be here while the rest is to come.
    const std::size_t padding_here = padding_ > left_ ? padding_ - left_ : 0;
    const Bytes data = part.first(part.size() - std::min(padding_here, part.size()));
    if (!data.empty()) listener_.on_data(data);
    return true;
}

bool GrpcSession::on_frame(Bytes payload) {
    switch (head_.type) {
        case NGHTTP2_HEADERS:
            return on_headers(payload);
        case NGHTTP2_CONTINUATION:
            return on_continuation(payload);
        case NGHTTP2_SETTINGS:
            return on_settings(payload);
        case NGHTTP2_RST_STREAM:
            return on_reset(payload);
        case NGHTTP2_PING:
            return on_ping(payload);
        case NGHTTP2_GOAWAY:
            return on_goaway(payload);
        case NGHTTP2_WINDOW_UPDATE:
            return on_window_update(payload);
        case NGHTTP2_PUSH_PROMISE:
            return false;  // Our settings forbid it.
        default:
            return true;  // PRIORITY, and what later versions may add.
    }
}

bool GrpcSession::on_headers(Bytes payload) {
    constexpr std::size_t kPriorityBytes = 5;
    if (head_.stream % 2 == 0 || head_.stream >= next_stream_) return false;
    if (head_.has(NGHTTP2_FLAG_PADDED) && !strip_padding(payload)) return false;
    if (head_.has(NGHTTP2_FLAG_PRIORITY)) {
        if (payload.size() < kPriorityBytes) return false;
        payload = payload.subspan(kPriorityBytes);
    }
    const bool ends_stream = head_.has(NGHTTP2_FLAG_END_STREAM);
    if (head_.has(NGHTTP2_FLAG_END_HEADERS)) return read_headers(payload, ends_stream);
    block_.assign(payload.begin(), payload.end());
    block_stream_ = head_.stream;
    block_ends_stream_ = ends_stream;
    return true;
}

bool GrpcSession::on_continuation(Bytes payload) {
    if (block_stream_ == 0 || head_.stream != block_stream_) return false;
    // An empty frame that ends nothing could be repeated forever.
    const bool last = head_.has(NGHTTP2_FLAG_END_HEADERS);
    if (!last && payload.empty()) return false;
    if (block_.size() + payload.size() > kMostGathered) return false;
    block_.insert(block_.end(), payload.begin(), payload.end());
    if (!last) return true;
    block_stream_ = 0;
    return read_headers(block_, block_ends_stream_);
}

// Blocks of streams that nobody listens to are read too: each changes the decoder's table.
bool GrpcSession::read_headers(Bytes block, bool ends_stream) {
    const bool ours = head_.stream == stream_;
    const bool read = hpack_.decode(block, [&](std::string_view name, std::string_view value) {
        if (ours) listener_.on_field(name, value);
    });
    if (read && ours && ends_stream) end_stream();
    return read;
}

void GrpcSession::end_stream() {
    listener_.on_end();
    // The stream is still open if the server did not wait for all of the request and the listener
    // did not call reset(): the server does not want the rest, and we do not wait for more.
    stream_ = 0;
}

bool GrpcSession::on_settings(Bytes payload) {
    constexpr std::size_t kSettingBytes = 6;
    if (head_.stream != 0) return false;
    if (head_.has(NGHTTP2_FLAG_ACK)) return payload.empty();
    if (payload.size() % kSettingBytes != 0) return false;
    for (; !payload.empty(); payload = payload.subspan(kSettingBytes)) {
        if (!on_setting(big_endian(payload.first(2)), big_endian(payload.subspan(2, 4)))) {
            return false;
        }
    }
    append_head({.length = 0, .type = NGHTTP2_SETTINGS, .flags = NGHTTP2_FLAG_ACK});
    pump();
    return true;
}

bool GrpcSession::on_setting(std::uint32_t id, std::uint32_t value) {
    constexpr std::uint32_t kLeastFrame = 1U << 14;
    constexpr std::uint32_t kMostFrame = (1U << 24) - 1;
    switch (id) {
        case NGHTTP2_SETTINGS_HEADER_TABLE_SIZE:
            hpack_.limit_table(value);
            return true;
        case NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS:
            max_streams_ = value;
            return true;
        case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE:
            if (value > kLargestWindow) return false;
            stream_window_ += std::int64_t{value} - initial_window_;
            initial_window_ = value;
            return true;
        case NGHTTP2_SETTINGS_MAX_FRAME_SIZE:
            max_frame_bytes_ = value;
            return value >= kLeastFrame && value <= kMostFrame;
        default:
            return true;
    }
}

bool GrpcSession::on_reset(Bytes payload) {
    if (payload.size() != 4 || head_.stream == 0) return false;
    if (head_.stream != stream_) return true;
    stream_ = 0;
    listener_.on_reset(big_endian(payload));
    return true;
}

bool GrpcSession::on_ping(Bytes payload) {
    if (payload.size() != 8 || head_.stream != 0) return false;
    if (head_.has(NGHTTP2_FLAG_ACK)) return true;
    append_head({.length = 8, .type = NGHTTP2_PING, .flags = NGHTTP2_FLAG_ACK});
    frames_.append(payload);
    return true;
}

bool GrpcSession::on_goaway(Bytes payload) {
    if (payload.size() < 8 || head_.stream != 0) return false;
    going_away_ = true;
    const std::uint32_t last = big_endian(payload.first(4)) & kLastStream;
    if (stream_ <= last) return true;
    // RFC 9113, section 6.8: the server did not look at higher streams.
    stream_ = 0;
    listener_.on_reset(NGHTTP2_REFUSED_STREAM);
    return true;
}

bool GrpcSession::on_window_update(Bytes payload) {
    if (payload.size() != 4) return false;
    const std::uint32_t increment = big_endian(payload) & kLargestWindow;
    if (increment == 0) return false;
    if (head_.stream != 0 && head_.stream != stream_) return true;
    std::int64_t& window = head_.stream == 0 ? connection_window_ : stream_window_;
    window += increment;
    if (window > kLargestWindow) return false;
    pump();
    return true;
}

}  // namespace lepton::client
