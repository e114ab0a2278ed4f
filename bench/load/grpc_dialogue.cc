#include "grpc_dialogue.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <stdexcept>

namespace lepton::bench {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t kFrameHeadBytes = 9;
constexpr std::size_t kMessagePrefixBytes = 5;
constexpr std::uint32_t kLargestWindow = 0x7fffffff;
constexpr std::uint32_t kDefaultWindow = 65535;
constexpr std::uint32_t kUpdateAfter = kLargestWindow / 4;

void append_u16(std::string& out, std::uint32_t value) {
    out.push_back(static_cast<char>(value >> 8));
    out.push_back(static_cast<char>(value));
}

void append_u32(std::string& out, std::uint32_t value) {
    append_u16(out, value >> 16);
    append_u16(out, value & 0xffff);
}

std::uint32_t read_big_endian(std::string_view bytes) {
    std::uint32_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
}

nghttp2_nv field(std::string_view name, std::string_view value) {
    const auto bytes = [](std::string_view text) {
        return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

int to_number(const nghttp2_nv& header) {
    int number = -1;
    const auto* const text = reinterpret_cast<const char*>(header.value);
    std::from_chars(text, text + header.valuelen, number);
    return number;
}

std::string_view name_of(const nghttp2_nv& header) {
    return {reinterpret_cast<const char*>(header.name), header.namelen};
}

}  // namespace

GrpcDialogue::GrpcDialogue(const Question& question, std::string_view authority)
    : output_bytes_(question.output_bytes), in_(4096) {
    const std::string message = protobuf_body(question);
    body_.push_back(0);  // Not compressed.
    append_u32(body_, static_cast<std::uint32_t>(message.size()));
    body_ += message;
    encode_headers("/inference.GRPCInferenceService/ModelInfer", authority);

    nghttp2_hd_inflater* inflater = nullptr;
    if (nghttp2_hd_inflate_new(&inflater) != 0) throw std::bad_alloc();
    inflater_.reset(inflater);

    out_.reserve(2 * body_.size() + 4096);
    out_ = kPreface;
    append_frame_head({.length = 12, .type = NGHTTP2_SETTINGS, .flags = 0, .stream = 0});
    append_u16(out_, NGHTTP2_SETTINGS_ENABLE_PUSH);
    append_u32(out_, 0);
    append_u16(out_, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    append_u32(out_, kLargestWindow);
    append_window_update(0, kLargestWindow - kDefaultWindow);
}

void GrpcDialogue::encode_headers(std::string_view path, std::string_view authority) {
    const std::array fields{field(":method", "POST"),
                            field(":scheme", "http"),
                            field(":path", path),
                            field(":authority", authority),
                            field("te", "trailers"),
                            field("content-type", "application/grpc"),
                            field("user-agent", "lepton-load")};
    nghttp2_hd_deflater* deflater = nullptr;
    if (nghttp2_hd_deflate_new(&deflater, NGHTTP2_DEFAULT_HEADER_TABLE_SIZE) != 0) {
        throw std::bad_alloc();
    }
    for (std::string* block : {&first_headers_, &headers_}) {
        std::array<std::uint8_t, 1024> space;
        const ssize_t size = nghttp2_hd_deflate_hd(
            deflater, space.data(), space.size(), fields.data(), fields.size());
        if (size < 0) throw std::runtime_error("headers do not fit");
        block->assign(reinterpret_cast<const char*>(space.data()), static_cast<std::size_t>(size));
    }
    nghttp2_hd_deflate_del(deflater);
}

void GrpcDialogue::append_frame_head(const FrameHead& head) {
    out_.push_back(static_cast<char>(head.length >> 16));
    append_u16(out_, static_cast<std::uint32_t>(head.length & 0xffff));
    out_.push_back(static_cast<char>(head.type));
    out_.push_back(static_cast<char>(head.flags));
    append_u32(out_, head.stream);
}

void GrpcDialogue::append_window_update(std::uint32_t stream, std::uint32_t increment) {
    append_frame_head({.length = 4, .type = NGHTTP2_WINDOW_UPDATE, .flags = 0, .stream = stream});
    append_u32(out_, increment);
}

void GrpcDialogue::ask() {
    const std::string& headers = stream_ == 0 ? first_headers_ : headers_;
    stream_ = stream_ == 0 ? 1 : stream_ + 2;
    append_frame_head({.length = headers.size(),
                       .type = NGHTTP2_HEADERS,
                       .flags = NGHTTP2_FLAG_END_HEADERS,
                       .stream = stream_});
    out_ += headers;
    stream_window_ = initial_stream_window_;
    body_sent_ = 0;
    answer_bytes_ = 0;
    answer_.clear();
    http_status_ = 0;
    grpc_status_ = -1;
    append_data();
}

void GrpcDialogue::append_data() {
    while (body_sent_ < body_.size()) {
        const std::int64_t window = std::min(connection_window_, stream_window_);
        if (window <= 0) return;
        const std::size_t size = std::min(
            {body_.size() - body_sent_, max_frame_bytes_, static_cast<std::size_t>(window)});
        std::uint8_t flags = NGHTTP2_FLAG_NONE;
        if (body_sent_ + size == body_.size()) flags = NGHTTP2_FLAG_END_STREAM;
        append_frame_head(
            {.length = size, .type = NGHTTP2_DATA, .flags = flags, .stream = stream_});
        out_.append(body_, body_sent_, size);
        body_sent_ += size;
        connection_window_ -= static_cast<std::int64_t>(size);
        stream_window_ -= static_cast<std::int64_t>(size);
    }
}

void GrpcDialogue::sent(std::size_t count) {
    unsent_from_ += count;
    if (unsent_from_ < out_.size()) return;
    out_.clear();
    unsent_from_ = 0;
}

std::span<std::byte> GrpcDialogue::space() {
    if (heard_ == in_.size()) in_.resize(2 * in_.size());
    return std::as_writable_bytes(std::span(in_)).subspan(heard_);
}

Heard GrpcDialogue::hear(std::size_t count) {
    heard_ += count;
    bool ended = false;
    std::string_view rest(in_.data(), heard_);
    while (rest.size() >= kFrameHeadBytes) {
        const FrameHead head{.length = read_big_endian(rest.substr(0, 3)),
                             .type = static_cast<std::uint8_t>(rest[3]),
                             .flags = static_cast<std::uint8_t>(rest[4]),
                             .stream = read_big_endian(rest.substr(5, 4)) & kLargestWindow};
        if (rest.size() < kFrameHeadBytes + head.length) break;
        ended = on_frame(head, rest.substr(kFrameHeadBytes, head.length)) || ended;
        rest.remove_prefix(kFrameHeadBytes + head.length);
    }
    std::memmove(in_.data(), rest.data(), rest.size());
    heard_ = rest.size();
    return ended ? verdict() : Heard::kPart;
}

bool GrpcDialogue::on_frame(const FrameHead& head, std::string_view content) {
    switch (head.type) {
        case NGHTTP2_HEADERS:
            return on_headers(head, content);
        case NGHTTP2_DATA:
            on_data(head, content);
            return (head.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        case NGHTTP2_SETTINGS:
            on_settings(head, content);
            return false;
        case NGHTTP2_WINDOW_UPDATE:
            on_window_update(head, content);
            return false;
        case NGHTTP2_PING:
            if ((head.flags & NGHTTP2_FLAG_ACK) != 0) return false;
            append_frame_head(
                {.length = 8, .type = NGHTTP2_PING, .flags = NGHTTP2_FLAG_ACK, .stream = 0});
            out_ += content;
            return false;
        case NGHTTP2_RST_STREAM:
            grpc_status_ = -1;
            body_sent_ = body_.size();
            return true;
        case NGHTTP2_GOAWAY:
            throw std::runtime_error("the server is going away");
        case NGHTTP2_PUSH_PROMISE:
        case NGHTTP2_CONTINUATION:
            throw std::runtime_error("a frame that this client does not expect");
        default:
            return false;
    }
}

bool GrpcDialogue::on_headers(const FrameHead& head, std::string_view block) {
    constexpr int kUnexpected = NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_PRIORITY;
    if ((head.flags & kUnexpected) != 0 || (head.flags & NGHTTP2_FLAG_END_HEADERS) == 0) {
        throw std::runtime_error("a frame of headers that this client does not expect");
    }
    while (true) {
        nghttp2_nv header;
        int flags = 0;
        const ssize_t used =
            nghttp2_hd_inflate_hd2(inflater_.get(),
                                   &header,
                                   &flags,
                                   reinterpret_cast<const std::uint8_t*>(block.data()),
                                   block.size(),
                                   1);
        if (used < 0) throw std::runtime_error("headers that cannot be decompressed");
        block.remove_prefix(static_cast<std::size_t>(used));
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            if (name_of(header) == ":status") http_status_ = to_number(header);
            if (name_of(header) == "grpc-status") grpc_status_ = to_number(header);
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            nghttp2_hd_inflate_end_headers(inflater_.get());
            break;
        }
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && block.empty()) break;
    }
    return (head.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

void GrpcDialogue::on_data(const FrameHead& head, std::string_view content) {
    if ((head.flags & NGHTTP2_FLAG_PADDED) != 0) throw std::runtime_error("padded data");
    answer_bytes_ += content.size();
    if (left_to_verify_ > 0) answer_ += content;
    heard_since_update_ += static_cast<std::uint32_t>(content.size());
    if (heard_since_update_ < kUpdateAfter) return;
    append_window_update(0, heard_since_update_);
    heard_since_update_ = 0;
}

void GrpcDialogue::on_settings(const FrameHead& head, std::string_view content) {
    if ((head.flags & NGHTTP2_FLAG_ACK) != 0) return;
    for (; content.size() >= 6; content.remove_prefix(6)) {
        const std::uint32_t value = read_big_endian(content.substr(2, 4));
        switch (read_big_endian(content.substr(0, 2))) {
            case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE:
                stream_window_ += static_cast<std::int64_t>(value) - initial_stream_window_;
                initial_stream_window_ = value;
                break;
            case NGHTTP2_SETTINGS_MAX_FRAME_SIZE:
                max_frame_bytes_ = value;
                break;
            case NGHTTP2_SETTINGS_HEADER_TABLE_SIZE:
                // The prepared headers rely on the table that both sides start with.
                if (value < NGHTTP2_DEFAULT_HEADER_TABLE_SIZE) {
                    throw std::runtime_error("the server's header table is too small");
                }
                break;
            default:
                break;
        }
    }
    append_frame_head(
        {.length = 0, .type = NGHTTP2_SETTINGS, .flags = NGHTTP2_FLAG_ACK, .stream = 0});
    if (stream_ != 0) append_data();
}

void GrpcDialogue::on_window_update(const FrameHead& head, std::string_view content) {
    const std::uint32_t increment = read_big_endian(content) & kLargestWindow;
    if (head.stream == 0) connection_window_ += increment;
    if (head.stream != 0 && head.stream == stream_) stream_window_ += increment;
    if (stream_ != 0) append_data();
}

Heard GrpcDialogue::verdict() {
    if (body_sent_ < body_.size()) throw std::runtime_error("answered before all was sent");
    if (http_status_ != 200 || grpc_status_ != 0) return Heard::kRefused;
    if (answer_bytes_ < kMessagePrefixBytes) return Heard::kRefused;
    if (left_to_verify_ == 0) return Heard::kAnswer;
    --left_to_verify_;
    const bool right =
        output_bytes_ == 0 ||
        output_bytes_of_protobuf(answer_.substr(kMessagePrefixBytes)) == output_bytes_;
    return right ? Heard::kAnswer : Heard::kRefused;
}

}  // namespace lepton::bench
