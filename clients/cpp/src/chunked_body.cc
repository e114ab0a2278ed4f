#include "chunked_body.h"

#include <algorithm>
#include <cstring>

namespace lepton::client {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{16} << 10;
constexpr std::uint64_t kMaxChunk = std::uint64_t{1} << 48;

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

tl::unexpected<Error> bad() {
    return fail(ErrorCode::kInternal,
                "the answer is not HTTP/1.1 as it should be: its chunks are malformed");
}

}  // namespace

Result<> ChunkedBody::decode(std::span<std::byte> bytes) {
    std::size_t at = data_size_;
    while (at < bytes.size()) {
        if (state_ == State::kDone) {
            overrun_ = true;
            break;
        }
        if (state_ == State::kData) {
            const auto count =
                static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - at));
            if (at != data_size_) {
                std::memmove(bytes.data() + data_size_, bytes.data() + at, count);
            }
            data_size_ += count;
            at += count;
            left_ -= count;
            if (left_ == 0) state_ = State::kDataEnd;
            continue;
        }
        LEPTON_RETURN_IF_ERROR(take(static_cast<char>(bytes[at])));
        ++at;
    }
    return {};
}

Result<> ChunkedBody::take(char c) {
    switch (state_) {
        case State::kSize:
            if (const int digit = hex_digit(c); digit >= 0) {
                left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
                has_digit_ = true;
                if (left_ > kMaxChunk) return bad();
                return {};
            }
            if (!has_digit_) return bad();
            has_digit_ = false;
            if (c == '\r') {
                state_ = State::kSizeEnd;
            } else if (c == ';' || c == ' ' || c == '\t') {
                state_ = State::kExtension;
            } else {
                return bad();
            }
            return {};
        case State::kExtension:
            if (++line_bytes_ > kMaxLineBytes) return bad();
            if (c == '\r') state_ = State::kSizeEnd;
            return {};
        case State::kSizeEnd:
            if (c != '\n') return bad();
            state_ = left_ == 0 ? State::kTrailerStart : State::kData;
            return {};
        case State::kDataEnd:
            if (c != '\r') return bad();
            state_ = State::kDataLineFeed;
            return {};
        case State::kDataLineFeed:
            if (c != '\n') return bad();
            state_ = State::kSize;
            return {};
        case State::kTrailerStart:
            state_ = c == '\r' ? State::kLastLineFeed : State::kTrailer;
            return {};
        case State::kTrailer:
            if (++line_bytes_ > kMaxLineBytes) return bad();
            if (c == '\n') state_ = State::kTrailerStart;
            return {};
        case State::kLastLineFeed:
            if (c != '\n') return bad();
            state_ = State::kDone;
            return {};
        case State::kData:
        case State::kDone:
            break;
    }
    return {};
}

}  // namespace lepton::client
