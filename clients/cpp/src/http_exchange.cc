#include "http_exchange.h"

#include <algorithm>
#include <cstring>

namespace lepton::client {
namespace {

constexpr std::size_t kFirstRoom = std::size_t{8} << 10;
constexpr int kOk = 200;
constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;
constexpr int kTooManyRequests = 429;
constexpr int kBadGateway = 502;
constexpr int kUnavailable = 503;

constexpr std::string_view kCutShort =
    "the connection was closed in the middle of the answer; the server may have been stopped, see "
    "its log";
constexpr std::string_view kCutBefore =
    "the connection was closed without an answer; the server may have been stopped, see its log";

// Says that something answers, such as a proxy or a web server, but not as an inference server
// does; with the beginning of what it says.
std::string what_a_stranger_says(int status, std::string_view body) {
    constexpr std::size_t kShown = 200;
    std::string text(body.substr(0, kShown));
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < ' ') c = ' ';
    }
    std::string said = "no inference server: it answers with status " + std::to_string(status);
    if (!text.empty()) said += ", and says: " + text;
    return said;
}

}  // namespace

ErrorCode error_code_of_http(int status) {
    if (status == kTooManyRequests) return ErrorCode::kOverloaded;
    if (status == kBadGateway) return ErrorCode::kUnavailable;
    for (const ErrorTraits& traits : all_error_traits()) {
        if (traits.http_status == status) return traits.code;
    }
    return status / 100 == 4 ? ErrorCode::kInvalidArgument : ErrorCode::kInternal;
}

Result<> HttpExchange::begin(const Operation& operation, Answer& answer) {
    failed_ = false;
    if (Result<> written = request_.write(operation); !written) {
        request_.clear();
        return written;
    }
    answer_ = &answer;
    answer_->result.contents().clear();
    bytes().reserve(kFirstRoom);
    kind_ = operation.kind;
    state_ = State::kHead;
    searched_ = 0;
    return {};
}

std::span<std::byte> HttpExchange::space() {
    if (state_ == State::kIdle) return unasked_;
    if (state_ == State::kSized) {
        return bytes().room().first(body_at_ + body_bytes_ - bytes().size());
    }
    if (bytes().room().empty()) bytes().reserve(bytes().size() + kFirstRoom);
    return bytes().room();
}

void HttpExchange::received(std::size_t count) {
    if (state_ == State::kIdle) {
        reusable_ = false;  // A server speaks only when it is asked.
        return;
    }
    bytes().grow_by(count);
    switch (state_) {
        case State::kHead:
            receive_head();
            return;
        case State::kSized:
            if (bytes().size() == body_at_ + body_bytes_) finish();
            return;
        case State::kChunked:
            receive_chunks();
            return;
        case State::kUntilEnd:
            body_bytes_ = bytes().size() - body_at_;
            if (body_bytes_ > max_answer_bytes_) {
                end_with(Failure::Cause::kProtocol,
                         {ErrorCode::kInternal, "the answer is longer than the client takes"});
            }
            return;
        case State::kIdle:
            return;
    }
}

void HttpExchange::receive_head() {
    const std::string_view text{reinterpret_cast<const char*>(bytes().data()), bytes().size()};
    const std::size_t head_bytes = find_head(text, searched_);
    if (head_bytes == 0) {
        searched_ = text.size();
        if (searched_ > kMaxHeadBytes) {
            end_with(Failure::Cause::kProtocol,
                     {ErrorCode::kInternal, "the answer has a head of more than 64 KiB"});
        }
        return;
    }
    Result<HttpHead> head = parse_head(text.substr(0, head_bytes));
    if (!head) {
        end_with(Failure::Cause::kProtocol, std::move(head).error());
        return;
    }
    head_ = *head;
    if (head_.status < kOk) {
        // This was an interim answer (RFC 9110 §15.2): the real one follows.
        std::memmove(bytes().data(), bytes().data() + head_bytes, bytes().size() - head_bytes);
        bytes().resize(bytes().size() - head_bytes);
        searched_ = 0;
        if (bytes().size() > 0) receive_head();
        return;
    }
    answer_->result.contents().timing = parse_server_timing(head_.server_timing);
    head_.server_timing = {};  // Its text goes away when the storage grows.
    place_body(head_bytes);
}

void HttpExchange::place_body(std::size_t head_bytes) {
    constexpr std::size_t kAlign = ByteBuffer::kAlignment;
    constexpr int kNoContent = 204;
    constexpr int kNotModified = 304;
    body_at_ = head_bytes;
    if (head_.status == kNoContent || head_.status == kNotModified) head_.content_length = 0;
    if (head_.chunked) {
        state_ = State::kChunked;
        chunks_ = {};
        receive_chunks();
        return;
    }
    if (!head_.content_length) {
        state_ = State::kUntilEnd;
        head_.keep_alive = false;
        body_bytes_ = bytes().size() - body_at_;
        return;
    }
    if (*head_.content_length > max_answer_bytes_) {
        end_with(Failure::Cause::kProtocol,
                 {ErrorCode::kInternal,
                  "the answer has " + std::to_string(*head_.content_length) +
                      " bytes, the client takes " + std::to_string(max_answer_bytes_) +
                      "; raise max_answer_bytes"});
        return;
    }
    state_ = State::kSized;
    body_bytes_ = static_cast<std::size_t>(*head_.content_length);
    const std::size_t json_bytes =
        std::min<std::uint64_t>(head_.json_bytes.value_or(body_bytes_), body_bytes_);
    body_at_ += (kAlign - (body_at_ + json_bytes) % kAlign) % kAlign;
    const std::size_t here = bytes().size() - head_bytes;
    bytes().reserve(body_at_ + std::max(body_bytes_, here) + JsonAnswer::tail_bytes(json_bytes));
    std::memmove(bytes().data() + body_at_, bytes().data() + head_bytes, here);
    bytes().resize(body_at_ + here);
    if (here > body_bytes_) {
        // More than the answer came, and nobody knows what the rest answers.
        head_.keep_alive = false;
        bytes().resize(body_at_ + body_bytes_);
    }
    if (here >= body_bytes_) finish();
}

void HttpExchange::receive_chunks() {
    const std::span<std::byte> body{bytes().data() + body_at_, bytes().size() - body_at_};
    if (Result<> decoded = chunks_.decode(body); !decoded) {
        end_with(Failure::Cause::kProtocol, std::move(decoded).error());
        return;
    }
    body_bytes_ = chunks_.data_size();
    bytes().resize(body_at_ + body_bytes_);
    if (body_bytes_ > max_answer_bytes_) {
        end_with(Failure::Cause::kProtocol,
                 {ErrorCode::kInternal, "the answer is longer than the client takes"});
    } else if (chunks_.done()) {
        if (chunks_.overrun()) head_.keep_alive = false;
        finish();
    }
}

void HttpExchange::received_end() {
    reusable_ = false;
    if (state_ == State::kIdle) return;
    if (state_ == State::kUntilEnd) {
        finish();
        return;
    }
    const bool before = state_ == State::kHead && bytes().size() == 0;
    end_with(Failure::Cause::kCut,
             {ErrorCode::kUnavailable, std::string(before ? kCutBefore : kCutShort)});
}

void HttpExchange::finish() {
    state_ = State::kIdle;
    // The answer came before the whole request was sent: the rest would be read as another request.
    if (!head_.keep_alive || !request_.unsent().empty()) reusable_ = false;
    if (head_.status != kOk) {
        fail_as_answered();
        return;
    }
    if (Result<> read = read_answer(); !read) {
        // The framing was right, but the client cannot read the content.
        end_with(Failure::Cause::kProtocol, std::move(read).error());
    }
}

Result<> HttpExchange::read_answer() {
    const std::size_t json_bytes = head_.json_bytes.value_or(body_bytes_);
    if (json_bytes > body_bytes_) {
        return fail(ErrorCode::kInternal,
                    "the answer has " + std::to_string(body_bytes_) + " bytes, and says that " +
                        std::to_string(json_bytes) + " of them are JSON");
    }
    bytes().reserve(body_at_ + body_bytes_ + JsonAnswer::tail_bytes(json_bytes));
    const std::string_view json{reinterpret_cast<const char*>(bytes().data() + body_at_),
                                json_bytes};
    switch (kind_) {
        case Operation::Kind::kInfer:
            return json_.read_infer(answer_->result.contents(), body_at_, json_bytes);
        case Operation::Kind::kModelMetadata:
            return json_.read_model(json, answer_->model);
        case Operation::Kind::kListModels:
            return json_.read_models(json, answer_->models);
        case Operation::Kind::kServerLive:
        case Operation::Kind::kServerReady:
        case Operation::Kind::kModelReady:
            break;  // The status says it all.
    }
    return {};
}

void HttpExchange::fail_as_answered() {
    bytes().reserve(body_at_ + body_bytes_ + JsonAnswer::kPadding);
    const std::string_view body(reinterpret_cast<const char*>(bytes().data() + body_at_),
                                body_bytes_);
    const std::optional<std::string> said = json_.read_error(body);
    // A web server that lacks the route is no inference server that lacks the model.
    const bool nobody =
        !said && !body.empty() && (head_.status == kNotFound || head_.status == kMethodNotAllowed);
    Error error{nobody ? ErrorCode::kUnavailable : error_code_of_http(head_.status),
                said ? *said : what_a_stranger_says(head_.status, body)};
    const bool refused = head_.status == kTooManyRequests || head_.status == kUnavailable;
    const bool keep = reusable_;
    const auto retry_after = head_.retry_after;
    end_with(refused ? Failure::Cause::kRefused : Failure::Cause::kAnswered, std::move(error));
    failure_.retry_after = retry_after;
    failure_.stranger = !said;
    reusable_ = keep;
}

void HttpExchange::end_with(Failure::Cause cause, Error error) {
    state_ = State::kIdle;
    reusable_ = false;
    failed_ = true;
    failure_.cause = cause;
    failure_.error = std::move(error);
    failure_.retry_after.reset();
    failure_.stranger = false;
    answer_->result.contents().clear();
}

bool HttpExchange::abandon() {
    if (state_ != State::kIdle) reusable_ = false;
    state_ = State::kIdle;
    request_.clear();
    answer_ = nullptr;
    return reusable_;
}

}  // namespace lepton::client
