#include "lepton/net/http1_session.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

#include "lepton/net/http1_parser.h"
#include "lepton/net/progress.h"
#include "lepton/net/promised_bytes.h"

namespace lepton::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::size_t kReadBytes = std::size_t{8} << 10;
// Pipelined bytes kept while a request runs; a client that sends more waits in its own socket.
constexpr std::size_t kPipelineBytes = std::size_t{64} << 10;
// What the buffers of one message keep for the next one, and what they keep while there is none.
constexpr std::size_t kKeptBytes = std::size_t{1} << 20;
constexpr std::size_t kRestingBytes = std::size_t{1} << 10;

constexpr std::string_view kAbandoned =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
    "content-length: 35\r\nconnection: close\r\n\r\n"
    R"({"error":"server is shutting down"})";

std::span<const std::byte> as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

int status_of(const boost::beast::error_code& error) {
    if (error == http::error::header_limit) return 431;
    if (error == http::error::body_limit) return 413;
    if (error == http::error::bad_version) return 505;
    return 400;
}

class Http1Session final : public WireSession, private Exchange {
public:
    Http1Session(Wire& wire, memory::Buffer received, Clock::time_point now)
        : wire_(wire), input_(std::move(received)) {
        message.body = wire.pool().take(0);
        reply.body = wire.pool().take(0);
        scratch = wire.pool().take(0);
        call.loop = &wire.loop();
        receiving_.restart(now);
        begin_message();
        on_bytes(now);
    }

    std::span<std::byte> read_space() override;
    void on_read(std::size_t count, Clock::time_point now) override;
    [[nodiscard]] Clock::time_point read_deadline() const override { return read_deadline_; }
    void on_timeout(Clock::time_point now) override;
    [[nodiscard]] bool owes_answer() const override {
        return state_ == State::kHandling && !abandoned_;
    }
    [[nodiscard]] bool resting() const override {
        return state_ == State::kHead && begin_ == input_.size() &&
               message.begun == Clock::time_point{};
    }
    [[nodiscard]] Clock::time_point waits_since() const override { return receiving_.since(); }
    bool shrink() override;
    void end_resting() override;
    void on_closed() override;
    [[nodiscard]] bool idle() const override { return state_ != State::kHandling; }
    void on_drain() override { draining_ = true; }
    void on_last_call() override;
    void abandon() override;

private:
    enum class State : std::uint8_t {
        kHead,      // Reading a message's head, or waiting for one.
        kBody,      // Reading a body of known length into message.body.
        kChunks,    // Reading a chunked body.
        kHandling,  // The handler has it.
        kEnded,     // Nothing more will be read.
    };

    void send() override;

    void begin_message();
    void on_bytes(Clock::time_point now);
    void take_bytes(Clock::time_point now);
    bool parse_head(Clock::time_point now);
    bool parse_chunks(Clock::time_point now);
    bool take_body(Clock::time_point now);
    void handle(Clock::time_point now);
    void refuse(int status, std::string_view reason);
    void write_reply();
    // For a body: it must go on, and come to its end.
    [[nodiscard]] Clock::time_point body_deadline() const {
        return std::min(receiving_.since() + wire_.limits().body_idle_timeout,
                        message.begun + wire_.limits().request_timeout);
    }
    // Drops `count` bytes that were parsed.
    void consume(std::size_t count) {
        begin_ += count;
        if (begin_ == input_.size()) {
            input_.clear();
            begin_ = 0;
        }
    }
    // Whether the line at hand says HTTP, whatever the version.
    [[nodiscard]] bool names_http() const {
        const std::string_view text = input_.text().substr(begin_);
        return text.substr(0, text.find('\n')).find(" HTTP/") != std::string_view::npos;
    }
    [[nodiscard]] asio::const_buffer unparsed() const {
        return {input_.data() + begin_, input_.size() - begin_};
    }

    Wire& wire_;
    memory::Buffer input_;  // [begin_, size) is still to be parsed.
    std::size_t begin_ = 0;
    std::size_t read_at_ = 0;      // Where in input_ the outstanding read puts its bytes,
    bool read_into_body_ = false;  // unless it goes straight to the end of message.body.
    std::optional<Http1Parser> parser_;
    State state_ = State::kHead;
    std::size_t body_bytes_ = 0;  // In kBody: Content-Length.
    Progress receiving_;
    Clock::time_point read_deadline_ = kNoDeadline;
    std::string head_;      // Of the reply.
    bool parsing_ = false;  // on_bytes is on the stack: send() must not enter it again.
    bool keep_alive_ = true;
    bool draining_ = false;
    bool abandoned_ = false;  // Answered in place of the handler, which still has it.
    bool closed_ = false;
};

std::span<std::byte> Http1Session::read_space() {
    read_into_body_ = state_ == State::kBody && begin_ == input_.size();
    if (read_into_body_) {
        return {message.body.data() + message.body.size(),
                std::min(message.body.capacity(), body_bytes_) - message.body.size()};
    }
    if (begin_ > 0) {
        std::memmove(input_.data(), input_.data() + begin_, input_.size() - begin_);
        input_.resize(input_.size() - begin_);
        begin_ = 0;
    }
    if (input_.size() >= kPipelineBytes && state_ == State::kHandling) return {};
    if (input_.empty() && input_.capacity() > 2 * kReadBytes) input_ = wire_.pool().take(0);
    input_.reserve(std::max(kReadBytes, input_.size() + kReadBytes / 2));
    read_at_ = input_.size();
    return {input_.data() + read_at_, input_.capacity() - read_at_};
}

void Http1Session::on_read(std::size_t count, Clock::time_point now) {
    if (read_into_body_) {
        message.body.resize(message.body.size() + count);
    } else {
        // What lay before read_at_ may have been parsed while the read was outstanding.
        if (input_.size() < read_at_) {
            std::memmove(input_.data() + input_.size(), input_.data() + read_at_, count);
        }
        input_.resize(input_.size() + count);
    }
    receiving_.on_bytes(count, now, wire_.limits().least_bytes(wire_.limits().body_idle_timeout));
    on_bytes(now);
}

void Http1Session::begin_message() {
    Exchange::reset();
    if (std::max({message.body.capacity(), reply.body.capacity(), scratch.capacity()}) >
        kKeptBytes) {
        Exchange::shrink(wire_.pool(), kKeptBytes);
    }
    call.context = nullptr;
    parser_.emplace(message, wire_.limits());
    state_ = State::kHead;
    read_deadline_ = kNoDeadline;
}

// Goes on for as long as the bytes at hand complete something.
void Http1Session::on_bytes(Clock::time_point now) {
    if (std::exchange(parsing_, true)) return;
    try {
        take_bytes(now);
    } catch (const std::bad_alloc&) {
        message.body.release();
        message.body = wire_.pool().take(0);
        refuse(503, {});
    }
    parsing_ = false;
}

void Http1Session::take_bytes(Clock::time_point now) {
    bool progress = true;
    while (progress) {
        switch (state_) {
            case State::kHead:
                progress = parse_head(now);
                break;
            case State::kBody:
                progress = take_body(now);
                break;
            case State::kChunks:
                progress = parse_chunks(now);
                break;
            case State::kHandling:
            case State::kEnded:
                progress = false;
                break;
        }
    }
}

bool Http1Session::parse_head(Clock::time_point now) {
    if (begin_ == input_.size()) return false;
    if (message.begun == Clock::time_point{}) message.begun = now;
    boost::beast::error_code error;
    consume(parser_->put(unparsed(), error));
    if (error == http::error::need_more) {
        if (read_deadline_ == kNoDeadline) read_deadline_ = now + wire_.limits().head_timeout;
        return false;
    }
    if (error == http::error::bad_version && !names_http()) {
        // Not HTTP at all: whoever speaks otherwise would not understand an answer either.
        state_ = State::kEnded;
        read_deadline_ = kNoDeadline;
        wire_.close_when_sent();
        return false;
    }
    if (error) {
        refuse(status_of(error), error.message());
        return false;
    }
    keep_alive_ = parser_->keep_alive() && !draining_;
    if (parser_->version() == 11 && message.fields.find("host").empty()) {
        refuse(400, "field \"host\" is missing");
        return false;
    }
    if (parser_->expects_continue() && input_.size() == begin_ && !parser_->is_done()) {
        wire_.write(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    receiving_.restart(now);
    read_deadline_ = body_deadline();
    if (parser_->chunked()) {
        parser_->eager(true);
        state_ = State::kChunks;
        return true;
    }
    body_bytes_ = static_cast<std::size_t>(parser_->content_length().value_or(0));
    reserve_promised(message.body, std::min<std::size_t>(body_bytes_, 1), body_bytes_);
    state_ = State::kBody;
    return true;
}

bool Http1Session::take_body(Clock::time_point now) {
    const std::size_t missing = body_bytes_ - message.body.size();
    const std::size_t here = std::min(missing, input_.size() - begin_);
    reserve_promised(message.body, std::min(missing, here + 1), body_bytes_);
    message.body.append(std::span<const std::byte>(input_.data() + begin_, here));
    consume(here);
    if (here < missing) {
        read_deadline_ = body_deadline();
        return false;
    }
    handle(now);
    return state_ == State::kHead;
}

bool Http1Session::parse_chunks(Clock::time_point now) {
    if (begin_ == input_.size()) return false;
    boost::beast::error_code error;
    consume(parser_->put(unparsed(), error));
    if (error && error != http::error::need_more) {
        refuse(status_of(error), error.message());
        return false;
    }
    if (parser_->is_done()) {
        handle(now);
        return state_ == State::kHead;
    }
    read_deadline_ = body_deadline();
    return !error;
}

void Http1Session::handle(Clock::time_point now) {
    state_ = State::kHandling;
    read_deadline_ = kNoDeadline;
    message.received = now;
    wire_.handler().handle(*this);
}

// The protocol is broken or the message is too large: one answer, and the connection ends, because
// where the next message would begin is unknown.
void Http1Session::refuse(int status, std::string_view reason) {
    keep_alive_ = false;
    reply.clear();
    reply.status = status;
    reply.body.append(status == 413   ? R"({"error":"request body exceeds the limit of )"
                      : status == 503 ? R"({"error":"no memory left for the request)"
                                      : R"({"error":"malformed HTTP/1.1 request: )");
    if (status == 413) {
        reply.body.append(std::to_string(wire_.limits().max_body_bytes));
        reply.body.append(" bytes");
    } else {
        // Beast's messages are plain words; a quotation mark is the only character to escape.
        for (const char c : reason) {
            if (c == '"') reply.body.append('\\');
            reply.body.append(c);
        }
    }
    reply.body.append(R"("})");
    write_reply();
    state_ = State::kEnded;
    read_deadline_ = kNoDeadline;
    wire_.close_when_sent();
}

void Http1Session::send() {
    if (!closed_ && !abandoned_) {
        write_reply();
        call.timeline.written = Clock::now();
        receiving_.restart(call.timeline.written);
    }
    call.written();
    if (!keep_alive_ || draining_ || closed_) {
        state_ = State::kEnded;
        if (!closed_) wire_.close_when_sent();
        return;
    }
    begin_message();
    if (parsing_) return;
    on_bytes(Clock::now());
    wire_.resume_reading();
}

void Http1Session::write_reply() {
    char number[24];
    const auto decimal = [&number](auto value) {
        const char* end = std::to_chars(number, number + sizeof number, value).ptr;
        return std::string_view(number, static_cast<std::size_t>(end - number));
    };
    const auto text =
        http::obsolete_reason(http::int_to_status(static_cast<unsigned>(reply.status)));
    head_.assign("HTTP/1.1 ").append(decimal(reply.status)).append(" ");
    head_.append(text.data(), text.size()).append("\r\ncontent-type: ").append(reply.content_type);
    head_.append("\r\ncontent-length: ").append(decimal(reply.body.size())).append("\r\n");
    for (std::size_t i = 0; i < reply.fields.size(); ++i) {
        head_.append(reply.fields.name(i))
            .append(": ")
            .append(reply.fields.value(i))
            .append("\r\n");
    }
    if (!keep_alive_ || draining_) {
        head_.append("connection: close\r\n");
    } else if (parser_->version() == 10) {
        head_.append("connection: keep-alive\r\n");
    }
    head_.append("\r\n");
    wire_.write(
        as_bytes(head_),
        message.method == Method::kHead ? std::span<const std::byte>() : reply.body.bytes());
}

void Http1Session::on_timeout(Clock::time_point /*now*/) {
    if (state_ == State::kHandling || state_ == State::kEnded) return;
    refuse(408, "timed out while waiting for the rest of it");
}

void Http1Session::on_closed() {
    closed_ = true;
    if (state_ != State::kHandling) return;
    call.cancelled.store(true, std::memory_order_relaxed);  // Read without ordering, see InferCall.
    if (on_gone != nullptr) on_gone(*this);
}

bool Http1Session::shrink() {
    Exchange::shrink(wire_.pool(), kRestingBytes);
    if (head_.capacity() > kRestingBytes) std::string().swap(head_);
    return input_.capacity() > 2 * kReadBytes;
}

void Http1Session::end_resting() {
    state_ = State::kEnded;
    read_deadline_ = kNoDeadline;
    wire_.close_when_sent();
}

void Http1Session::on_last_call() {
    draining_ = true;
    if (resting()) end_resting();
}

void Http1Session::abandon() {
    if (closed_ || state_ == State::kEnded || std::exchange(abandoned_, true)) return;
    draining_ = true;
    if (state_ != State::kHandling) return end_resting();
    // The exchange is the handler's; so none of it is used.
    call.cancelled.store(true, std::memory_order_relaxed);  // See InferCall.
    wire_.write(as_bytes(kAbandoned));
    wire_.close_when_sent();
}

}  // namespace

std::unique_ptr<WireSession> make_http1_session(Wire& wire,
                                                memory::Buffer received,
                                                Clock::time_point now) {
    return std::make_unique<Http1Session>(wire, std::move(received), now);
}

}  // namespace lepton::net
