#include "lepton/net/http2/http2_protocol.h"

#include <algorithm>
#include <array>
#include <deque>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "lepton/core/block_cache.h"
#include "lepton/core/check.h"
#include "lepton/net/allowance.h"
#include "lepton/net/http2/exchange_list.h"
#include "lepton/net/http2/frame_output.h"
#include "lepton/net/http2/frame_scanner.h"
#include "lepton/net/http2/nghttp2_server.h"
#include "lepton/net/http2/receive_window.h"
#include "lepton/net/http2/reply_writer.h"
#include "lepton/net/http2/request_reader.h"
#include "lepton/net/http2/stream_order.h"

namespace lepton::net {
namespace {

constexpr std::size_t kSmallestRead = std::size_t{16} << 10;
constexpr std::size_t kLargestRead = std::size_t{128} << 10;
// What a read may take before others have their turn; the time is looked at after so many frames.
constexpr auto kLongestWork = std::chrono::milliseconds(1);
constexpr int kFramesUntimed = 16;
// Exchanges per stream allowed, counting those whose stream is gone but whose handler is at work:
// what a client that resets streams as fast as it opens them can make us hold.
constexpr std::size_t kExchangesPerStream = 2;

constexpr int kGrpcDeadlineExceeded = 4;
constexpr int kGrpcResourceExhausted = 8;
constexpr int kGrpcUnavailable = 14;

// Its acknowledgement tells that the client has seen our notice of shutdown.
constexpr std::array<std::uint8_t, 8> kDrainPing = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

// Frames that bring no request on, such as WINDOW_UPDATE, PING, PRIORITY, empty DATA and those of
// unknown types: what a client may send at once, and a second. Each DATA frame of ours earns it the
// updates of windows that it leads to, each stream a word on its priority. Heads above the limit
// cost more, those that a few bytes blow up (RFC 7541 section 7.3) most of all.
constexpr double kChatterBurst = 10'000;
constexpr double kChatterPerSecond = 1'000;
constexpr double kEarnedByData = 4;
constexpr double kEarnedByHead = 2;
constexpr double kLargeHeadCost = 100;
constexpr double kBlownUpHeadCost = 5'000;
// SETTINGS may move the windows of all streams, of which each costs a fifth of a frame.
constexpr double kSettingsCostOfStream = 0.2;
// How far above the limit fields are decoded, in order to answer that they are too large.
constexpr std::size_t kDecodedLimits = 4;

Refusal shutting_down() { return {503, kGrpcUnavailable, "server is shutting down"}; }

// One connection. A turn of it: bytes in (nghttp2 calls back, messages go to the handler), then
// settle(): whatever frames have come of it leave in one write. Confined to its loop.
//
// It is long because one connection's frames, its streams' ends and its time-outs change the same
// state in any order. What stands by itself has a file: reading requests, writing replies, the
// windows, the list of exchanges, the frames' heads.
class Http2Protocol final : public WireProtocol,
                            private Http2Exchange::Connection,
                            private FrameListener,
                            private RequestReader::Host,
                            private Task {
public:
    Http2Protocol(Wire& wire, std::span<const std::byte> received, Clock::time_point now);

    std::span<std::byte> read_space() override;
    void on_read(std::size_t count, Clock::time_point now) override;
    [[nodiscard]] bool has_unread() const override { return !unread_.empty(); }
    void on_writable() override;
    [[nodiscard]] Clock::time_point read_deadline() const override;
    void on_timeout(Clock::time_point now) override;
    [[nodiscard]] bool owes_answer() const override { return with_handler_ > 0; }
    [[nodiscard]] bool resting() const override {
        return greeted_ && head_stream_ == 0 && exchanges_.size() == 0 && !ended_ &&
               unread_.empty();
    }
    [[nodiscard]] Clock::time_point waits_since() const override { return last_data_; }
    bool shrink() override;
    void end_resting() override { end(NGHTTP2_NO_ERROR); }
    void on_closed() override;
    [[nodiscard]] bool idle() const override { return exchanges_.size() == 0 && !settle_queued_; }
    void on_drain() override;
    void on_last_call() override;
    void abandon() override;

private:
    void begin_session();
    // Leaves in unread_ what would take too long.
    void receive(std::span<const std::byte> bytes, Clock::time_point now);

    // From nghttp2.
    void on_begin_request(std::int32_t stream_id) override;
    bool on_field(Http2Exchange* exchange, std::string_view name, std::string_view value) override;
    void on_frame(const nghttp2_frame& frame) override;
    void on_data(std::int32_t stream_id, std::span<const std::byte> data) override;
    void on_stream_closed(std::int32_t stream_id) override;
    void on_stream_sent(std::int32_t stream_id) override;
    void on_head_not_sent(std::int32_t stream_id) override;
    ssize_t on_read_body(Http2Exchange& exchange, std::size_t room, std::uint32_t& flags) override {
        return writer_.read(session_.get(), exchange, room, flags);
    }
    bool on_send_body(Http2Exchange& exchange,
                      std::span<const std::byte> frame_head,
                      std::size_t count) override;
    void on_begin_frame(const FrameScanner::FrameHead& head);
    void on_head(Http2Exchange& exchange, bool ends);
    void on_ping(const nghttp2_frame& frame);
    [[nodiscard]] Clock::time_point due(const Http2Exchange& exchange) const;
    void spend(double cost);

    // From the handler and the reader of requests.
    void on_send(Http2Exchange& exchange) override;
    void deliver(Http2Exchange& exchange) override;
    void hand_over(Http2Exchange& exchange);
    bool resume_deferred();
    // The client does not take its answers: it gets no further ones made.
    [[nodiscard]] bool is_stuck() const {
        return exchanges_.unsent_bytes() > wire_.limits().max_unsent_bytes;
    }
    void unpack(Http2Exchange& exchange) override;
    void on_unpacked(Http2Exchange& exchange) override;
    void refuse(Http2Exchange& exchange, const Refusal& refusal) override;
    [[nodiscard]] std::size_t spare_bytes() const override { return window_.spare_bytes(); }

    // What `take` returns; or all of `given`, where the memory for it cannot be had.
    template <class Take>
    std::size_t within_memory(Http2Exchange& exchange, std::size_t given, const Take& take);
    void answer(Http2Exchange& exchange);
    void reset_stream(Http2Exchange& exchange, std::uint32_t code);
    void lose(Http2Exchange& exchange);
    void lose_all();
    // `written`: when the last of the reply went out; the epoch: it is thrown away.
    void close_exchange(Http2Exchange& exchange, Clock::time_point written = {});

    void run() noexcept override;  // At the end of a turn.
    void settle_soon();
    void settle();
    void open_windows();
    void resume_calls();
    bool refuse_if_stuck();
    void produce();
    bool finish_written();
    void end_open_calls();
    void end(std::uint32_t code);
    void end_if_done();

    [[nodiscard]] Http2Exchange* exchange_of(std::int32_t stream_id) {
        return static_cast<Http2Exchange*>(
            nghttp2_session_get_stream_user_data(session_.get(), stream_id));
    }

    Wire& wire_;
    BlockCache blocks_;  // Before session_, whose memory it is.
    Nghttp2Ptr session_;
    ExchangeList exchanges_;
    ReceiveWindow window_;
    RequestReader reader_;
    ReplyWriter writer_;
    FrameOutput output_;

    memory::Buffer input_;
    std::span<const std::byte> unread_;  // Of input_.
    std::size_t next_read_bytes_ = kSmallestRead;
    std::vector<Http2Exchange*> finished_;  // Their last frame is in output_.
    std::vector<Http2Exchange*> resumed_;   // Have answered a message and may have a further one.
    std::deque<Http2Exchange*> deferred_;   // Have a message, which waits for others' answers.
    std::size_t with_handler_ = 0;          // Messages whose reply is due.

    Clock::time_point now_;  // The time of the latest read.
    Clock::time_point
        begun_at_;  // When the connection began, then the head that is being received.
    Clock::time_point last_data_;   // When a stream last made progress.
    std::int32_t head_stream_ = 0;  // Whose head is being received.
    FrameScanner scanner_;
    StreamOrder order_;
    Allowance chatter_{kChatterBurst, kChatterPerSecond};
    std::size_t field_bytes_ = 0;  // Decoded of the head or trailers at hand.
    bool greeted_ = false;         // The client's preface is complete.
    bool entered_ = false;         // nghttp2 or settle() is on the stack.
    bool answered_now_ = false;    // There is something a client waits for.
    bool settle_queued_ = false;
    bool broken_ = false;  // nghttp2 ran out of memory.
    bool draining_ = false;
    bool overspent_ = false;  // Its end for that is on its way out.
    bool last_called_ = false;
    bool kept_waiting_ = false;  // The connection's window was left shut.
    bool ended_ = false;
    bool closed_ = false;
};

Http2Protocol::Http2Protocol(Wire& wire, std::span<const std::byte> received, Clock::time_point now)
    : wire_(wire),
      session_(make_nghttp2_server(*this, blocks_)),
      exchanges_(*this, wire.loop(), wire.pool(), wire.limits().max_streams),
      window_(exchanges_, wire.limits().max_body_bytes),
      reader_(*this, wire.limits()),
      output_(wire),
      begun_at_(now),
      last_data_(now) {
    begin_session();
    receive(received, now);
    while (has_unread()) receive(std::exchange(unread_, {}), now);  // They are not ours to keep.
}

// Tensors are large against HTTP/2's default windows, which would cost a round trip per 64 KiB. The
// default of 16 KiB per frame is kept: with frames of 1 MiB a Python gRPC client needed a tenth
// more for an echo of 600 KiB, and four tenths more for one of 8 MiB.
void Http2Protocol::begin_session() {
    const Limits& limits = wire_.limits();
    const std::array<nghttp2_settings_entry, 3> settings = {{
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<std::uint32_t>(limits.max_streams)},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, ReceiveWindow::kOfStream},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.max_head_bytes)},
    }};
    const int submitted = nghttp2_submit_settings(
        session_.get(), NGHTTP2_FLAG_NONE, settings.data(), settings.size());
    const int opened = nghttp2_session_set_local_window_size(
        session_.get(), NGHTTP2_FLAG_NONE, 0, ReceiveWindow::kOfConnection);
    LEPTON_CHECK(submitted == 0 && opened == 0);
}

std::span<std::byte> Http2Protocol::read_space() {
    if (input_.capacity() != next_read_bytes_) input_ = wire_.pool().take(next_read_bytes_);
    return {input_.data(), input_.capacity()};
}

void Http2Protocol::on_read(std::size_t count, Clock::time_point now) {
    if (count == 0) return receive(std::exchange(unread_, {}), now);
    receive({input_.data(), count}, now);
    // A quiet connection holds little memory, one that carries tensors needs few reads.
    if (count == input_.capacity()) {
        next_read_bytes_ = std::min(4 * next_read_bytes_, kLargestRead);
    } else if (count < kSmallestRead) {
        next_read_bytes_ = kSmallestRead;
    }
}

void Http2Protocol::receive(std::span<const std::byte> bytes, Clock::time_point now) {
    if (closed_ || ended_) return;
    now_ = now;
    entered_ = true;
    ssize_t taken = 0;
    Clock::time_point since{};
    for (int frames = 1; !bytes.empty() && taken >= 0 && !overspent_; ++frames) {
        const FrameScanner::Piece piece = scanner_.next(bytes);
        if (piece.begun) on_begin_frame(*piece.begun);
        taken = nghttp2_session_mem_recv(
            session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), piece.bytes);
        bytes = bytes.subspan(piece.bytes);
        if (frames % kFramesUntimed != 0 || taken < 0) continue;
        const Clock::time_point time = Clock::now();
        if (since == Clock::time_point{}) since = time;
        if (time - since < kLongestWork) continue;
        unread_ = bytes;
        break;
    }
    entered_ = false;
    if (taken < 0) {
        end(taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
            : taken == NGHTTP2_ERR_FLOODED        ? NGHTTP2_ENHANCE_YOUR_CALM
                                                  : NGHTTP2_INTERNAL_ERROR);
    } else if (answered_now_) {
        settle();
    } else {
        settle_soon();
    }
}

void Http2Protocol::on_begin_frame(const FrameScanner::FrameHead& head) {
    if (head.type == NGHTTP2_CONTINUATION) return;
    if (head.type == NGHTTP2_HEADERS) {
        chatter_.earn(kEarnedByHead);
    } else if (head.type != NGHTTP2_RST_STREAM && (head.type != NGHTTP2_DATA || head.bytes == 0)) {
        spend(head.type == NGHTTP2_SETTINGS  // nghttp2 counts resets.
                  ? 1 + kSettingsCostOfStream * static_cast<double>(exchanges_.size())
                  : 1);
    }
    if (head.type == NGHTTP2_HEADERS) field_bytes_ = 0;
    head_stream_ = head.type == NGHTTP2_HEADERS ? head.stream_id : 0;
    if (head_stream_ != 0) begun_at_ = now_;
    if (head.type != NGHTTP2_HEADERS && head.type != NGHTTP2_DATA) return;
    const std::uint32_t error = order_.check(head.stream_id);
    if (error != NGHTTP2_NO_ERROR) nghttp2_session_terminate_session(session_.get(), error);
}

void Http2Protocol::on_begin_request(std::int32_t stream_id) {
    if (exchanges_.size() >= kExchangesPerStream * wire_.limits().max_streams ||
        window_.is_full()) {
        nghttp2_submit_rst_stream(
            session_.get(), NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_REFUSED_STREAM);
        return;
    }
    Http2Exchange& exchange = exchanges_.open(stream_id);
    exchange.peer = &wire_.peer();
    exchange.message.begun = begun_at_;
    nghttp2_session_set_stream_user_data(session_.get(), stream_id, &exchange);
}

bool Http2Protocol::on_field(Http2Exchange* exchange,
                             std::string_view name,
                             std::string_view value) {
    constexpr std::size_t kOverhead = 32;  // RFC 9113 section 6.5.2.
    const std::size_t limit = wire_.limits().max_head_bytes;
    field_bytes_ += name.size() + value.size() + kOverhead;
    if (field_bytes_ > kDecodedLimits * limit) {
        spend(kBlownUpHeadCost);
        return false;
    }
    // What follows the head as trailers means nothing to anybody here; what is over the limit is
    // refused at the head's end, and not kept until then.
    if (exchange != nullptr && !exchange->head_complete && exchange->head.bytes <= limit) {
        exchange->head.add(name, value, exchange->message);
    }
    return true;
}

void Http2Protocol::spend(double cost) {
    if (chatter_.spend(cost, now_) || std::exchange(overspent_, true)) return;
    nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Protocol::on_frame(const nghttp2_frame& frame) {
    if (frame.hd.type == NGHTTP2_SETTINGS) greeted_ = true;
    if (frame.hd.type == NGHTTP2_PING) on_ping(frame);
    if (frame.hd.type == NGHTTP2_RST_STREAM) order_.on_closed(frame.hd.stream_id);
    if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return;
    head_stream_ = 0;
    last_data_ = now_;
    Http2Exchange* exchange = exchange_of(frame.hd.stream_id);
    if (exchange == nullptr) return;
    const bool ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!exchange->head_complete) on_head(*exchange, ends);
    if (ends) reader_.on_end(*exchange);
    exchanges_.recount(*exchange);
}

void Http2Protocol::on_head(Http2Exchange& exchange, bool ends) {
    exchange.receiving.restart(now_);
    if (exchange.head.bytes > wire_.limits().max_head_bytes) spend(kLargeHeadCost);
    reader_.on_head(exchange);
    if (!exchange.head.expects_continue || ends || exchange.ignores_input()) return;
    std::array<std::uint8_t, 7> name = {':', 's', 't', 'a', 't', 'u', 's'};
    std::array<std::uint8_t, 3> value = {'1', '0', '0'};
    const nghttp2_nv status = {name.data(), value.data(), name.size(), value.size(), 0};
    nghttp2_submit_headers(
        session_.get(), NGHTTP2_FLAG_NONE, exchange.stream_id, nullptr, &status, 1, nullptr);
}

void Http2Protocol::on_ping(const nghttp2_frame& frame) {
    const bool ours = (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
                      std::equal(kDrainPing.begin(), kDrainPing.end(), frame.ping.opaque_data);
    if (ours && draining_) on_last_call();
}

void Http2Protocol::on_data(std::int32_t stream_id, std::span<const std::byte> data) {
    last_data_ = now_;
    window_.on_received(data.size());
    if (Http2Exchange* exchange = exchange_of(stream_id)) {
        // A message of a call may begin long after the one before.
        if (!exchange->incomplete()) exchange->receiving.restart(now_);
        exchange->receiving.on_bytes(
            data.size(), now_, wire_.limits().least_bytes(wire_.limits().body_idle_timeout));
        const std::size_t taken =
            within_memory(*exchange, data.size(), [&] { return reader_.on_data(*exchange, data); });
        exchanges_.recount(*exchange);
        window_.on_taken(session_.get(), *exchange, taken);
    } else {
        nghttp2_session_consume_stream(session_.get(), stream_id, data.size());
    }
}

void Http2Protocol::on_stream_closed(std::int32_t stream_id) {
    if (head_stream_ == stream_id) head_stream_ = 0;
    if (nghttp2_session_get_stream_remote_close(session_.get(), stream_id) == 1) {
        order_.on_closed(stream_id);
    }
    if (Http2Exchange* exchange = exchange_of(stream_id)) lose(*exchange);
}

void Http2Protocol::on_stream_sent(std::int32_t stream_id) {
    Http2Exchange* exchange = exchange_of(stream_id);
    if (exchange == nullptr) return;
    nghttp2_session_set_stream_user_data(session_.get(), stream_id, nullptr);
    finished_.push_back(exchange);
    // RFC 9113 section 8.1: the client may stop sending what nobody will read.
    if (!exchange->request_ended) {
        nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
    }
}

// For example fields that are too long. The client must not wait for what never comes.
void Http2Protocol::on_head_not_sent(std::int32_t stream_id) {
    if (Http2Exchange* exchange = exchange_of(stream_id)) {
        reset_stream(*exchange, NGHTTP2_INTERNAL_ERROR);
    }
}

bool Http2Protocol::on_send_body(Http2Exchange& exchange,
                                 std::span<const std::byte> frame_head,
                                 std::size_t count) {
    if (output_.paused()) return false;
    output_.append(frame_head, exchange.outbound, count);
    chatter_.earn(kEarnedByData);
    if (exchange.outbound.untaken_bytes() > 0) {
        exchange.sending.on_bytes(
            count, Clock::now(), wire_.limits().least_bytes(wire_.limits().write_idle_timeout));
    }
    return true;
}

void Http2Protocol::deliver(Http2Exchange& exchange) {
    exchange.message.received = now_;
    if (is_stuck() && !exchange.held) {
        exchange.deferred = true;
        deferred_.push_back(&exchange);
    } else {
        hand_over(exchange);
    }
}

// Returns whether there was one, and room for its answer.
bool Http2Protocol::resume_deferred() {
    const bool any = !deferred_.empty() && !is_stuck();
    while (!deferred_.empty() && !is_stuck()) {
        Http2Exchange& exchange = *deferred_.front();
        deferred_.pop_front();
        exchange.deferred = false;
        if (!exchange.ignores_input()) hand_over(exchange);
    }
    return any;
}

void Http2Protocol::hand_over(Http2Exchange& exchange) {
    // Whoever keeps the call open is told of its half-close, but owes no reply to that.
    if (exchange.message.has_body || !exchange.held) {
        exchange.hand_over();
        ++with_handler_;
    }
    exchanges_.recount(exchange);
    wire_.handler().handle(exchange);
}

void Http2Protocol::unpack(Http2Exchange& exchange) {
    exchange.message.received = now_;
    ++with_handler_;
    exchange.unpack(wire_.limits().max_body_bytes);
}

void Http2Protocol::on_unpacked(Http2Exchange& exchange) {
    exchange.unpacking = false;
    --with_handler_;
    if (exchange.closed) return close_exchange(exchange);
    // Lost, or answered without it: whoever keeps the call open ends it.
    if (!exchange.has_stream() || exchange.ignores_input()) return;
    if (exchange.unpack_error) {
        reader_.refuse(exchange, *exchange.unpack_error);
    } else {
        hand_over(exchange);
    }
    settle_soon();
}

void Http2Protocol::on_send(Http2Exchange& exchange) {
    if (std::exchange(exchange.with_handler, false)) --with_handler_;
    if (!exchange.has_stream()) {
        // The client is gone. Whoever keeps the call open has heard of it, and will end it.
        if (exchange.reply.last || !exchange.held) {
            close_exchange(exchange);
        } else {
            exchange.reply.clear();
        }
        return;
    }
    if (exchange.abandoned) return;  // Closed with the answer that it was given instead.
    LEPTON_CHECK(exchange.reply.last || exchange.held || exchange.message.grpc);
    LEPTON_CHECK(!exchange.answered);
    answer(exchange);
    if (exchange.ignores_input()) {
        // Nothing more is wanted of it.
    } else if (exchange.outbound.backlog_bytes() > wire_.limits().max_unsent_bytes) {
        reset_stream(exchange, NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (exchange.message.grpc && !std::exchange(exchange.resume_queued, true)) {
        resumed_.push_back(&exchange);
    }
    settle_soon();
}

void Http2Protocol::refuse(Http2Exchange& exchange, const Refusal& refusal) {
    if (exchange.held) {
        // The handler holds the exchange, and will hear that the stream is gone.
        reset_stream(exchange, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    Reply& reply = exchange.reply;
    if (exchange.message.grpc) {
        reply.has_body = false;
        reply.grpc_status = refusal.grpc_status;
        reply.grpc_message = refusal.message;
    } else {
        reply.status = refusal.http_status;
        reply.body.append(R"({"error":")");
        reply.body.append(refusal.message);
        reply.body.append(R"("})");
    }
    answer(exchange);
}

template <class Take>
std::size_t Http2Protocol::within_memory(Http2Exchange& exchange,
                                         std::size_t given,
                                         const Take& take) {
    try {
        return take();
    } catch (const std::bad_alloc&) {
        // The message of a call may be with the handler, and a further one behind it be too much.
        exchange.abandoned = exchange.with_handler;
        if (!exchange.with_handler && !exchange.unpacking) {
            exchange.message.body.release();
            exchange.packed.release();
        }
        exchange.inbox.release();
        exchange.inbox_read = 0;
        refuse(exchange, {503, kGrpcUnavailable, "no memory left for the request"});
        return given;
    }
}

void Http2Protocol::answer(Http2Exchange& exchange) {
    answered_now_ = true;
    last_data_ = Clock::now();
    if (exchange.outbound.untaken_bytes() == 0) exchange.sending.restart(last_data_);
    if (!writer_.submit(session_.get(), exchange)) {
        reset_stream(exchange, NGHTTP2_INTERNAL_ERROR);
    } else if (exchange.reply.last) {
        exchange.answered = true;
    } else {
        exchange.reply.clear();
    }
    exchanges_.recount(exchange);
}

void Http2Protocol::reset_stream(Http2Exchange& exchange, std::uint32_t code) {
    exchange.resetting = true;
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, exchange.stream_id, code);
    exchanges_.recount(exchange);
}

// The stream closed before its reply was complete.
void Http2Protocol::lose(Http2Exchange& exchange) {
    exchange.stream_id = 0;
    if (std::exchange(exchange.resume_queued, false)) std::erase(resumed_, &exchange);
    exchanges_.recount(exchange);
    if (exchange.with_handler || (exchange.held && !exchange.answered)) {
        return exchange.gone();  // May send, and so close it.
    }
    // Whoever held the exchange has done with it; others are told of a reply that nobody took.
    if (!exchange.held) exchange.gone();
    close_exchange(exchange);
}

void Http2Protocol::lose_all() {
    exchanges_.for_each([this](Http2Exchange& exchange) {
        if (exchange.has_stream()) lose(exchange);
    });
}

void Http2Protocol::close_exchange(Http2Exchange& exchange, Clock::time_point written) {
    if (exchange.with_handler || exchange.unpacking) {
        // It stays for as long as somebody works at it: the handler, where it was abandoned.
        exchange.stream_id = 0;
        exchange.closed = exchange.unpacking;
        return;
    }
    // Also of a call whose client is gone, which is how it comes to be counted.
    exchange.sent(written);
    if (exchange.resume_queued) std::erase(resumed_, &exchange);
    if (exchange.deferred) std::erase(deferred_, &exchange);
    exchanges_.close(exchange);
}

void Http2Protocol::run() noexcept {
    settle_queued_ = false;
    settle();
}

// Others of this connection's messages may be answered in the same turn, and share the write.
void Http2Protocol::settle_soon() {
    if (entered_ || closed_) return;
    if (with_handler_ == 0) {
        settle();
    } else if (!std::exchange(settle_queued_, true)) {
        wire_.loop().at_turn_end(*this);
    }
}

void Http2Protocol::settle() {
    if (entered_ || closed_ || ended_) return;
    entered_ = true;
    bool more = true;
    while (more) {
        answered_now_ = false;
        resume_calls();
        more = refuse_if_stuck();
        open_windows();
        produce();
        more |= finish_written();
        more |= resume_deferred();
        more |= !resumed_.empty();
    }
    entered_ = false;
    end_if_done();
}

void Http2Protocol::open_windows() {
    window_.update(session_.get(), wire_.unsent_bytes() <= wire_.limits().max_unsent_bytes);
    const bool keeps = window_.keeps_client_waiting();
    if (std::exchange(kept_waiting_, keeps) && !keeps) {
        // Its silence was our doing until now.
        const Clock::time_point now = Clock::now();
        exchanges_.for_each([now](Http2Exchange& exchange) { exchange.receiving.restart(now); });
    }
}

void Http2Protocol::resume_calls() {
    while (!resumed_.empty()) {
        Http2Exchange& exchange = *resumed_.back();
        resumed_.pop_back();
        exchange.resume_queued = false;
        const std::size_t unread = exchange.inbox.size() - exchange.inbox_read;
        const std::size_t taken =
            within_memory(exchange, unread, [&] { return reader_.resume(exchange); });
        exchanges_.recount(exchange);
        window_.on_taken(session_.get(), exchange, taken);
    }
}

bool Http2Protocol::refuse_if_stuck() {
    Http2Exchange* stuck = window_.stuck_exchange();
    if (stuck == nullptr) return false;
    refuse(*stuck,
           {429,
            kGrpcResourceExhausted,
            "connection holds more than the " + std::to_string(window_.most_held_bytes()) +
                " bytes allowed for unfinished requests"});
    return true;
}

void Http2Protocol::produce() {
    while (!output_.paused()) {
        const std::uint8_t* frame = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session_.get(), &frame);
        broken_ = size < 0;
        if (size <= 0) break;
        output_.append(std::as_bytes(std::span(frame, static_cast<std::size_t>(size))));
    }
    output_.flush();
}

bool Http2Protocol::finish_written() {
    if (finished_.empty()) return false;
    const Clock::time_point written = Clock::now();
    for (Http2Exchange* exchange : finished_) {
        close_exchange(*exchange, written);
    }
    finished_.clear();
    return true;
}

void Http2Protocol::on_writable() {
    output_.resume();
    settle();
}

Clock::time_point Http2Protocol::read_deadline() const {
    if (closed_ || ended_) return kNoDeadline;
    if (!greeted_ || head_stream_ != 0) return begun_at_ + wire_.limits().head_timeout;
    Clock::time_point earliest = kNoDeadline;
    exchanges_.for_each(
        [&](const Http2Exchange& exchange) { earliest = std::min(earliest, due(exchange)); });
    return earliest;
}

// When the client must have gone on with a stream.
Clock::time_point Http2Protocol::due(const Http2Exchange& exchange) const {
    const Limits& limits = wire_.limits();
    // It takes nothing of its answer: the stream's window is shut, or the connection's.
    if (exchange.has_stream() && !exchange.resetting && exchange.outbound.untaken_bytes() > 0) {
        return exchange.sending.since() + limits.write_idle_timeout;
    }
    // While we keep the client from sending, its silence is our doing.
    if (!exchange.incomplete() || exchange.owed_credit > 0 || window_.keeps_client_waiting()) {
        return kNoDeadline;
    }
    const Clock::time_point silent_until = exchange.receiving.since() + limits.body_idle_timeout;
    // A gRPC call may last, and have messages at any time.
    return exchange.message.grpc
               ? silent_until
               : std::min(silent_until, exchange.message.begun + limits.request_timeout);
}

void Http2Protocol::on_timeout(Clock::time_point now) {
    if (closed_ || ended_) return;
    if (!greeted_ || head_stream_ != 0) {
        end(NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    const Limits& limits = wire_.limits();
    const Refusal refusal = {408,
                             kGrpcDeadlineExceeded,
                             "body did not come on: less than " +
                                 std::to_string(limits.min_data_rate) + " bytes a second for " +
                                 std::to_string(limits.body_idle_timeout.count()) +
                                 " ms, or not all of it within " +
                                 std::to_string(limits.request_timeout.count()) + " ms"};
    exchanges_.for_each([&](Http2Exchange& exchange) {
        if (due(exchange) > now) return;
        if (exchange.incomplete()) {
            refuse(exchange, refusal);
        } else {
            reset_stream(exchange, NGHTTP2_CANCEL);
        }
    });
    settle();
}

bool Http2Protocol::shrink() {
    exchanges_.shrink();
    blocks_.trim();
    std::vector<Http2Exchange*>().swap(finished_);
    std::vector<Http2Exchange*>().swap(resumed_);
    next_read_bytes_ = kSmallestRead;
    return input_.capacity() > kSmallestRead;
}

void Http2Protocol::on_closed() {
    unread_ = {};
    if (!std::exchange(closed_, true)) lose_all();
}

void Http2Protocol::on_drain() {
    if (closed_ || ended_ || std::exchange(draining_, true)) return;
    // RFC 9113 section 6.8: first a notice, and the real end once the client has seen it.
    nghttp2_submit_shutdown_notice(session_.get());
    nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, kDrainPing.data());
    settle();
}

void Http2Protocol::on_last_call() {
    if (closed_ || ended_ || std::exchange(last_called_, true)) return;
    draining_ = true;
    nghttp2_submit_goaway(session_.get(),
                          NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(session_.get()),
                          NGHTTP2_NO_ERROR,
                          nullptr,
                          0);
    end_open_calls();
    settle_soon();
}

// Calls that wait for their client, or to tell it something, would keep the connection for ever.
void Http2Protocol::end_open_calls() {
    exchanges_.for_each([this](Http2Exchange& exchange) {
        if (!exchange.has_stream() || exchange.ignores_input()) return;
        if (exchange.held) {
            exchange.gone();
        } else if (exchange.message.grpc && !exchange.with_handler && !exchange.incomplete()) {
            refuse(exchange, shutting_down());
        }
    });
}

void Http2Protocol::abandon() {
    if (closed_ || ended_) return;
    exchanges_.for_each([this](Http2Exchange& exchange) {
        if (!exchange.has_stream() || exchange.ignores_input()) return;
        exchange.abandoned = exchange.with_handler;
        refuse(exchange, shutting_down());
    });
    settle();
    // Those that are answered, and whose handler need not go on.
    exchanges_.for_each([](Http2Exchange& exchange) {
        if (exchange.abandoned && !exchange.has_stream()) exchange.gone();  // May send.
    });
    if (!ended_) end(NGHTTP2_NO_ERROR);
}

// Says why, and closes. Whatever is open is lost.
void Http2Protocol::end(std::uint32_t code) {
    nghttp2_session_terminate_session(session_.get(), code);
    settle();
}

void Http2Protocol::end_if_done() {
    const bool done = broken_ || (nghttp2_session_want_read(session_.get()) == 0 &&
                                  nghttp2_session_want_write(session_.get()) == 0);
    if (!done) return;
    ended_ = true;
    unread_ = {};
    lose_all();
    wire_.close_when_sent();
}

}  // namespace

std::unique_ptr<WireProtocol> make_http2_protocol(Wire& wire,
                                                  std::span<const std::byte> received,
                                                  Clock::time_point now) {
    return std::make_unique<Http2Protocol>(wire, received, now);
}

}  // namespace lepton::net
