#include "lepton/net/http1/http1_protocol.h"

#include <algorithm>
#include <array>
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

#include "lepton/core/check.h"
#include "lepton/net/http1/http1_parser.h"
#include "lepton/net/progress.h"
#include "lepton/net/promised_bytes.h"

namespace lepton::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr std::size_t kReadBytes = std::size_t{8} << 10;
// The maximum of a body that is read at once: twenty clients that upload are twenty such copies.
constexpr std::size_t kBodyReadBytes = std::size_t{64} << 10;
// What every answer begins with.
constexpr std::string_view kAnswerStart = "HTTP/1.1 ";
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

// Framing bytes that a client may send with each byte of a chunked body, beyond a first allowance;
// a chunk of one byte needs 5. https://github.com/golang/go/issues/64433
constexpr std::size_t kFramingPerByte = 16;

// Whether a request line is one, of a version that is not spoken here.
bool has_other_version(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (last == std::string_view::npos || line.find(' ', first + 1) != last) return false;
    const std::string_view version = line.substr(last + 1);
    const auto is_digit = [&](std::size_t at) { return version[at] >= '0' && version[at] <= '9'; };
    return version.size() == 8 && version.starts_with("HTTP/") && is_digit(5) &&
           version[6] == '.' && is_digit(7) && version != "HTTP/1.0" && version != "HTTP/1.1";
}

int status_of(const boost::beast::error_code& error) {
    if (error == http::error::header_limit) return 431;
    if (error == http::error::body_limit) return 413;
    return 400;
}

// One connection, which is its own only exchange: read, hand over, write, and again. It is long
// because reading, the ways of writing an answer and the time-outs are states of one machine.
class Http1Protocol final : public WireProtocol, private Exchange {
public:
    Http1Protocol(Wire& wire, memory::Buffer received, Clock::time_point now)
        : wire_(wire), input_(std::move(received)) {
        message.body = wire.pool().take(0);
        reply.body = wire.pool().take(0);
        scratch = wire.pool().take(0);
        loop = &wire.loop();
        peer = &wire.peer();
        last_read_ = now;
        receiving_.restart(now);
        begin_message();
        on_bytes(now);
    }

    std::span<std::byte> read_space() override;
    void on_read(std::size_t count, Clock::time_point now) override;
    void on_writable() override;
    [[nodiscard]] Clock::time_point read_deadline() const override { return read_deadline_; }
    void on_timeout(Clock::time_point now) override;
    bool on_end() override;
    void probe() override;
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
    void go_on();
    bool skip_empty_lines();
    void take_bytes(Clock::time_point now);
    bool parse_head(Clock::time_point now);
    bool parse_chunks(Clock::time_point now);
    bool take_body(Clock::time_point now);
    void handle(Clock::time_point now);
    void refuse(const boost::beast::error_code& error);
    void refuse(int status, std::string_view reason);
    void send_part();
    void write_part();
    void write_reply();
    void write_head();
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
    [[nodiscard]] std::string_view line_at_hand() const {
        const std::string_view text = input_.text().substr(begin_);
        return text.substr(0, text.find_first_of("\r\n"));
    }
    // The client does not read its answers: it gets no further ones made.
    [[nodiscard]] bool is_stuck() const {
        return wire_.unsent_bytes() > wire_.limits().max_unsent_bytes;
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
    std::size_t head_bytes_ = 0;   // Parsed of the head, with empty lines before it.
    std::size_t body_bytes_ = 0;   // In kBody: Content-Length.
    std::size_t chunk_bytes_ = 0;  // In kChunks: parsed so far, framing and content.
    Clock::time_point last_read_;
    Progress receiving_;
    Clock::time_point read_deadline_ = kNoDeadline;
    std::string head_;           // The reply's head.
    bool answer_begun_ = false;  // kAnswerStart was sent before the answer was there.
    bool in_parts_ = false;      // The answer's head and parts of its body were sent.
    bool chunked_ = false;       // These are chunks, as a client of HTTP/1.1 knows them.
    bool in_chunk_ = false;      // The latest one's end was not sent yet.
    bool peer_ended_ = false;    // The client has shut its side.
    bool parsing_ = false;       // on_bytes is on the stack: send() must not enter it again.
    bool keep_alive_ = true;
    bool draining_ = false;
    bool abandoned_ = false;  // Answered in place of the handler, or cut off; it still has it.
    bool closed_ = false;
};

std::span<std::byte> Http1Protocol::read_space() {
    read_into_body_ = state_ == State::kBody && begin_ == input_.size();
    if (read_into_body_) {
        return {message.body.data() + message.body.size(),
                std::min({message.body.capacity() - message.body.size(),
                          body_bytes_ - message.body.size(),
                          kBodyReadBytes})};
    }
    if (begin_ > 0) {
        std::memmove(input_.data(), input_.data() + begin_, input_.size() - begin_);
        input_.resize(input_.size() - begin_);
        begin_ = 0;
    }
    if (input_.size() >= kPipelineBytes && (state_ == State::kHandling || is_stuck())) return {};
    if (input_.empty() && input_.capacity() > 2 * kReadBytes) input_ = wire_.pool().take(0);
    input_.reserve(std::max(kReadBytes, input_.size() + kReadBytes / 2));
    read_at_ = input_.size();
    return {input_.data() + read_at_, input_.capacity() - read_at_};
}

void Http1Protocol::on_read(std::size_t count, Clock::time_point now) {
    last_read_ = now;
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

void Http1Protocol::begin_message() {
    Exchange::reset();
    if (std::max({message.body.capacity(), reply.body.capacity(), scratch.capacity()}) >
        kKeptBytes) {
        Exchange::shrink(wire_.pool(), kKeptBytes);
    }
    parser_.emplace(message, wire_.limits());
    state_ = State::kHead;
    head_bytes_ = chunk_bytes_ = 0;
    in_parts_ = in_chunk_ = false;
    read_deadline_ = kNoDeadline;
}

// Goes on for as long as the bytes at hand complete something.
void Http1Protocol::on_bytes(Clock::time_point now) {
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

void Http1Protocol::take_bytes(Clock::time_point now) {
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

// After an answer, or when the client has taken what it owed to take.
void Http1Protocol::go_on() {
    on_bytes(Clock::now());
    const bool reads = state_ != State::kHandling && state_ != State::kEnded;
    if (peer_ended_ && reads && !is_stuck()) {
        state_ = State::kEnded;  // What is there is no whole request, and never will be.
        read_deadline_ = kNoDeadline;
        return wire_.close_when_sent();
    }
    wire_.resume_reading();
}

// RFC 9112 section 2.2: some clients send one behind the body before. Returns whether a request
// line may have begun.
bool Http1Protocol::skip_empty_lines() {
    constexpr std::string_view kEmptyLine = "\r\n";
    while (input_.text().substr(begin_).starts_with(kEmptyLine)) {
        consume(kEmptyLine.size());
        head_bytes_ += kEmptyLine.size();
    }
    return begin_ < input_.size() && input_.text().substr(begin_) != kEmptyLine.substr(0, 1);
}

bool Http1Protocol::parse_head(Clock::time_point now) {
    if (begin_ == input_.size() || is_stuck()) return false;
    boost::beast::error_code error;
    if (parser_->got_some() || skip_empty_lines()) {
        // What was sent while the request before was at work has waited since the latest read, or
        // for longer.
        if (message.begun == Clock::time_point{}) message.begun = last_read_;
        const std::size_t taken = parser_->put(unparsed(), error);
        consume(taken);
        head_bytes_ += taken;
    } else if (begin_ < input_.size()) {
        error = http::error::need_more;
    } else if (head_bytes_ <= wire_.limits().max_head_bytes) {
        return false;  // It may stay idle after the empty line.
    }
    // Beast bounds what it is given at a time.
    if (head_bytes_ > wire_.limits().max_head_bytes) error = http::error::header_limit;
    if (error == http::error::need_more) {
        if (read_deadline_ == kNoDeadline) read_deadline_ = now + wire_.limits().head_timeout;
        return false;
    }
    if (error == http::error::bad_version &&
        line_at_hand().find(" HTTP/") == std::string_view::npos) {
        // Not HTTP at all: whoever speaks otherwise would not understand an answer either.
        state_ = State::kEnded;
        read_deadline_ = kNoDeadline;
        wire_.close_when_sent();
        return false;
    }
    if (error) {
        refuse(error);
        return false;
    }
    keep_alive_ = parser_->keep_alive() && !draining_;
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

bool Http1Protocol::take_body(Clock::time_point now) {
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

bool Http1Protocol::parse_chunks(Clock::time_point now) {
    if (begin_ == input_.size()) return false;
    boost::beast::error_code error;
    const std::size_t taken = parser_->put(unparsed(), error);
    consume(taken);
    chunk_bytes_ += taken;
    if (error && error != http::error::need_more) {
        refuse(error);
        return false;
    }
    // The rest of the bytes are sizes with any number of zeros, extensions, and trailers.
    const std::size_t seen = chunk_bytes_ + (parser_->is_done() ? 0 : input_.size() - begin_);
    const std::size_t most = wire_.limits().max_head_bytes + kFramingPerByte * message.body.size();
    if (seen - message.body.size() > most) {
        refuse(400, "its chunks' sizes, extensions and trailers are longer than a head may be");
        return false;
    }
    if (parser_->is_done()) {
        handle(now);
        return state_ == State::kHead;
    }
    read_deadline_ = body_deadline();
    return !error;
}

void Http1Protocol::handle(Clock::time_point now) {
    state_ = State::kHandling;
    read_deadline_ = kNoDeadline;
    message.received = now;
    wire_.handler().handle(*this);
}

void Http1Protocol::refuse(const boost::beast::error_code& error) {
    const Http1Parser::Fault& fault = parser_->fault();
    if (error == http::error::bad_version && has_other_version(line_at_hand())) {
        refuse(505, error.message());
    } else if (error == http::error::bad_value && !fault.reason.empty()) {
        refuse(fault.status, fault.reason);
    } else {
        refuse(status_of(error), error.message());
    }
}

// The protocol is broken or the message is too large: one answer, and the connection ends, because
// where the next message would begin is unknown.
void Http1Protocol::refuse(int status, std::string_view reason) {
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

void Http1Protocol::send() {
    if (!reply.last) return send_part();
    Clock::time_point written{};
    if (!closed_ && !abandoned_) {
        write_reply();
        written = Clock::now();
        receiving_.restart(written);
    }
    sent(written);
    if (!keep_alive_ || draining_ || closed_) {
        state_ = State::kEnded;
        if (!closed_) wire_.close_when_sent();
        return;
    }
    begin_message();
    if (!parsing_) go_on();
}

// A part of the answer. A client that does not take them learns from the missing end that what it
// got is not all.
void Http1Protocol::send_part() {
    LEPTON_CHECK(held);
    if (closed_ || abandoned_) return reply.clear();
    write_part();
    reply.clear();
    if (!is_stuck()) return;
    abandoned_ = draining_ = true;
    wire_.close_when_sent();
    gone();  // May send.
}

void Http1Protocol::write_part() {
    head_.clear();
    if (!std::exchange(in_parts_, true)) {
        chunked_ = parser_->version() >= 11;
        keep_alive_ = keep_alive_ && chunked_;
        write_head();
    }
    if (message.method == Method::kHead) return wire_.write(as_bytes(head_));
    if (chunked_ && !reply.body.empty()) {
        std::array<char, 16> size;
        const char* end =
            std::to_chars(size.data(), size.data() + size.size(), reply.body.size(), 16).ptr;
        head_.append(std::exchange(in_chunk_, true) ? "\r\n" : "");
        head_.append(size.data(), static_cast<std::size_t>(end - size.data())).append("\r\n");
    }
    wire_.write(as_bytes(head_), reply.body);
    if (chunked_ && reply.last) wire_.write(as_bytes(in_chunk_ ? "\r\n0\r\n\r\n" : "0\r\n\r\n"));
}

void Http1Protocol::write_reply() {
    if (in_parts_) return write_part();
    head_.clear();
    write_head();
    if (message.method == Method::kHead) {
        wire_.write(as_bytes(head_));
    } else {
        wire_.write(as_bytes(head_), reply.body);
    }
}

void Http1Protocol::write_head() {
    char number[24];
    const auto decimal = [&number](auto value) {
        const char* end = std::to_chars(number, number + sizeof number, value).ptr;
        return std::string_view(number, static_cast<std::size_t>(end - number));
    };
    const auto text =
        http::obsolete_reason(http::int_to_status(static_cast<unsigned>(reply.status)));
    if (!std::exchange(answer_begun_, false)) head_.append(kAnswerStart);
    head_.append(decimal(reply.status)).append(" ");
    head_.append(text.data(), text.size()).append("\r\ncontent-type: ").append(reply.content_type);
    if (!in_parts_) {
        head_.append("\r\ncontent-length: ").append(decimal(reply.body.size()));
    } else if (chunked_) {
        head_.append("\r\ntransfer-encoding: chunked");
    }
    head_.append("\r\n");
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
}

bool Http1Protocol::on_end() {
    peer_ended_ = true;
    if (state_ == State::kHandling) return true;
    if (wire_.unsent_bytes() == 0) return false;
    go_on();
    return true;
}

void Http1Protocol::probe() {
    if (state_ != State::kHandling || in_parts_ || std::exchange(answer_begun_, true)) return;
    wire_.write(as_bytes(kAnswerStart));
}

void Http1Protocol::on_writable() {
    if (state_ == State::kHead && (begin_ < input_.size() || peer_ended_)) go_on();
}

void Http1Protocol::on_timeout(Clock::time_point /*now*/) {
    if (state_ == State::kHandling || state_ == State::kEnded) return;
    refuse(408, "timed out while waiting for the rest of it");
}

void Http1Protocol::on_closed() {
    closed_ = true;
    if (state_ == State::kHandling) gone();  // May send.
}

bool Http1Protocol::shrink() {
    Exchange::shrink(wire_.pool(), kRestingBytes);
    if (head_.capacity() > kRestingBytes) std::string().swap(head_);
    return input_.capacity() > 2 * kReadBytes;
}

void Http1Protocol::end_resting() {
    state_ = State::kEnded;
    read_deadline_ = kNoDeadline;
    wire_.close_when_sent();
}

void Http1Protocol::on_last_call() {
    draining_ = true;
    if (resting()) end_resting();
}

void Http1Protocol::abandon() {
    if (closed_ || state_ == State::kEnded || std::exchange(abandoned_, true)) return;
    draining_ = true;
    if (state_ != State::kHandling) return end_resting();
    // The exchange is the handler's; so none of it is used.
    const std::size_t begun = std::exchange(answer_begun_, false) ? kAnswerStart.size() : 0;
    if (!in_parts_) wire_.write(as_bytes(kAbandoned.substr(begun)));
    wire_.close_when_sent();
    gone();  // May send.
}

}  // namespace

std::unique_ptr<WireProtocol> make_http1_protocol(Wire& wire,
                                                  memory::Buffer received,
                                                  Clock::time_point now) {
    return std::make_unique<Http1Protocol>(wire, std::move(received), now);
}

}  // namespace lepton::net
