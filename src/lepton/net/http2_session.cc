#include "lepton/net/http2_session.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "lepton/core/check.h"
#include "lepton/net/block_cache.h"
#include "lepton/net/exchange_list.h"
#include "lepton/net/reply_writer.h"
#include "lepton/net/request_reader.h"

namespace lepton::net {
namespace {

// Tensors are large against HTTP/2's default windows, which would cost a round trip per 64 KiB.
// The default of 16 KiB per frame is kept: with frames of 1 MiB a Python gRPC client needed a tenth
// more for an echo of 600 KiB and four tenths more for 8 MiB.
constexpr std::uint32_t kStreamWindow = std::uint32_t{4} << 20;
constexpr std::int32_t kConnectionWindow = std::int32_t{16} << 20;
constexpr std::size_t kMaxSentFrameBytes = std::size_t{256} << 10;

constexpr std::size_t kSmallestRead = std::size_t{8} << 10;
constexpr std::size_t kLargestRead = std::size_t{128} << 10;
// Frames are gathered up to this before they are written in the middle of a turn.
constexpr std::size_t kBurstBytes = std::size_t{256} << 10;
// From this on a DATA frame's bytes are handed to the kernel from where they lie.
constexpr std::size_t kUncopiedBytes = std::size_t{32} << 10;
constexpr std::size_t kKeptOutputBytes = std::size_t{16} << 10;
// What may wait in the connection for a kernel that takes no more. Bodies wait better where they
// are.
constexpr std::size_t kWriteAhead = std::size_t{1} << 20;

// Streams reset by the client, as a token bucket (CVE-2023-44487). A client whose deadlines expire
// resets streams in earnest, so the bound is far above nghttp2's 33 per second; what a reset stream
// still costs is bounded by kOrphansPerStream.
constexpr std::uint64_t kResetBurst = 10'000;
constexpr std::uint64_t kResetsPerSecond = 1'000;
// Exchanges per stream allowed, counting those whose stream is gone but whose handler is at work.
constexpr std::size_t kOrphansPerStream = 2;
// What all streams together may hold, in largest bodies: above the first bound only the oldest
// upload is given more room in its window, so that uploads finish one after the other; above the
// second the connection's window stays shut.
constexpr std::size_t kHeldBodiesSlow = 2;
constexpr std::size_t kHeldBodiesMost = 4;

constexpr int kGrpcDeadlineExceeded = 4;
constexpr int kGrpcResourceExhausted = 8;
constexpr int kGrpcUnavailable = 14;

// Its acknowledgement tells that the client has seen our notice of shutdown.
constexpr std::array<std::uint8_t, 8> kDrainPing = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

template <auto destroy>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        destroy(object);
    }
};
using SessionPtr = std::unique_ptr<nghttp2_session, Deleter<nghttp2_session_del>>;
using CallbacksPtr =
    std::unique_ptr<nghttp2_session_callbacks, Deleter<nghttp2_session_callbacks_del>>;
using OptionPtr = std::unique_ptr<nghttp2_option, Deleter<nghttp2_option_del>>;

std::string_view view_of(const std::uint8_t* text, std::size_t size) {
    return {reinterpret_cast<const char*>(text), size};
}

// One connection. A turn of it: bytes in (nghttp2 calls back, messages go to the handler), then
// settle(): whatever frames have come of it leave in one write. Confined to its loop.
class Http2Session final : public WireSession,
                           private Http2Exchange::Connection,
                           private RequestReader::Host,
                           private Task {
public:
    Http2Session(Wire& wire, std::span<const std::byte> received, Clock::time_point now);

    std::span<std::byte> read_space() override;
    void on_read(std::size_t count, Clock::time_point now) override;
    void on_writable() override;
    [[nodiscard]] Clock::time_point read_deadline() const override;
    void on_timeout() override;
    void on_closed() override;
    [[nodiscard]] bool idle() const override { return exchanges_.size() == 0 && !settle_queued_; }
    void on_drain() override;

private:
    struct Callbacks;

    void begin_session();
    void receive(std::span<const std::byte> bytes, Clock::time_point now);

    // From nghttp2.
    void check_order(std::int32_t stream_id);
    void on_begin_head(std::int32_t stream_id);
    void on_frame(const nghttp2_frame& frame);
    void on_head(Http2Exchange& exchange, bool ends);
    void on_data(std::int32_t stream_id, std::span<const std::byte> data);
    void on_stream_sent(std::int32_t stream_id, Http2Exchange& exchange);
    void lose(Http2Exchange& exchange);
    bool send_data(const std::uint8_t* frame_head, std::size_t count, Http2Exchange& exchange);

    // From the handler and the reader of requests.
    void on_send(Http2Exchange& exchange) override;
    void deliver(Http2Exchange& exchange) override;
    void refuse(Http2Exchange& exchange, const Refusal& refusal) override;
    [[nodiscard]] std::size_t spare_bytes() const override {
        return slow_above_ - std::min(slow_above_, exchanges_.reserved_bytes());
    }

    void answer(Http2Exchange& exchange);
    void reset_stream(Http2Exchange& exchange, std::uint32_t code);
    void close_exchange(Http2Exchange& exchange);

    void run() noexcept override;  // At the end of a turn.
    void settle_soon();
    void settle();
    void resume_calls();
    bool refuse_if_stuck();
    void open_window(Http2Exchange& exchange);
    void give_credit();
    void produce();
    void write_out();
    bool finish_written();
    void end_idle_calls();
    void end(std::uint32_t code);
    void end_if_done();

    [[nodiscard]] Http2Exchange* exchange_of(std::int32_t stream_id) {
        return static_cast<Http2Exchange*>(
            nghttp2_session_get_stream_user_data(session_.get(), stream_id));
    }

    Wire& wire_;
    const std::size_t slow_above_;  // Bytes held by all exchanges.
    const std::size_t max_held_;
    BlockCache blocks_;  // Before session_, whose memory it is.
    SessionPtr session_;
    ExchangeList exchanges_;
    RequestReader reader_;
    ReplyWriter writer_;

    memory::Buffer input_;
    std::size_t next_read_bytes_ = kSmallestRead;
    memory::Buffer output_;
    std::vector<Http2Exchange*> finished_;  // Their last frame is in output_.
    std::vector<Http2Exchange*> resumed_;   // Have answered a message and may have a further one.
    std::size_t with_handler_ = 0;          // Messages whose reply is due.
    std::size_t owed_credit_ = 0;           // Bytes received that the connection's window misses.

    Clock::time_point now_;          // Of the latest read.
    Clock::time_point begun_at_;     // Of the connection, then of the head that is being received.
    Clock::time_point last_data_;    // When a stream last made progress.
    std::int32_t head_stream_ = 0;   // Whose head is being received.
    std::int32_t last_stream_ = -1;  // The highest seen; a client's are odd.
    std::pair<std::int32_t, std::int32_t>
        skipped_;                // Latest gap in their numbers: [first, second).
    bool greeted_ = false;       // The client's preface is complete.
    bool entered_ = false;       // nghttp2 or settle() is on the stack.
    bool answered_now_ = false;  // There is something a client waits for.
    bool streams_wait_ = false;  // Some have owed_credit.
    bool settle_queued_ = false;
    bool paused_ = false;  // Until on_writable().
    bool broken_ = false;  // nghttp2 ran out of memory.
    bool draining_ = false;
    bool ended_ = false;
    bool closed_ = false;
};

// nghttp2's C callbacks; `user` is the session. None of them throws, and none ends the session.
struct Http2Session::Callbacks {
    static Http2Session& of(void* user) { return *static_cast<Http2Session*>(user); }

    static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* user) noexcept {
        Http2Session& self = of(user);
        if (head->type == NGHTTP2_CONTINUATION) return 0;
        self.head_stream_ = head->type == NGHTTP2_HEADERS ? head->stream_id : 0;
        if (self.head_stream_ != 0) {
            self.begun_at_ = self.now_;
            self.check_order(self.head_stream_);
        }
        return 0;
    }
    static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        Http2Session& self = of(user);
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) self.on_begin_head(frame->hd.stream_id);
        return 0;
    }
    static int header(nghttp2_session*,
                      const nghttp2_frame* frame,
                      const std::uint8_t* name,
                      std::size_t name_size,
                      const std::uint8_t* value,
                      std::size_t value_size,
                      std::uint8_t,
                      void* user) noexcept {
        Http2Session& self = of(user);
        Http2Exchange* exchange = self.exchange_of(frame->hd.stream_id);
        // What follows the head as trailers means nothing to anybody here.
        if (exchange == nullptr || exchange->head_complete) return 0;
        RequestHead& head = exchange->head;
        if (head.bytes <= self.wire_.limits().max_head_bytes) {
            head.add(view_of(name, name_size), view_of(value, value_size), exchange->message);
        }
        return 0;
    }
    static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        of(user).on_frame(*frame);
        return 0;
    }
    static int data_chunk(nghttp2_session*,
                          std::uint8_t,
                          std::int32_t stream_id,
                          const std::uint8_t* data,
                          std::size_t size,
                          void* user) noexcept {
        of(user).on_data(stream_id, std::as_bytes(std::span(data, size)));
        return 0;
    }
    static int stream_closed(nghttp2_session*,
                             std::int32_t stream_id,
                             std::uint32_t,
                             void* user) noexcept {
        Http2Session& self = of(user);
        if (self.head_stream_ == stream_id) self.head_stream_ = 0;
        if (Http2Exchange* exchange = self.exchange_of(stream_id)) self.lose(*exchange);
        return 0;
    }
    static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) noexcept {
        Http2Session& self = of(user);
        const bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                          (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (!ends) return 0;
        const std::int32_t id = frame->hd.stream_id;
        if (Http2Exchange* exchange = self.exchange_of(id)) self.on_stream_sent(id, *exchange);
        return 0;
    }
    static int frame_not_sent(nghttp2_session* session,
                              const nghttp2_frame* frame,
                              int,
                              void* user) noexcept {
        // For example fields that are too long. The client must not wait for what never comes.
        if (frame->hd.type != NGHTTP2_HEADERS) return 0;
        if (of(user).exchange_of(frame->hd.stream_id) != nullptr) {
            nghttp2_submit_rst_stream(
                session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
        }
        return 0;
    }
    static ssize_t read_body(nghttp2_session* session,
                             std::int32_t,
                             std::uint8_t*,
                             std::size_t room,
                             std::uint32_t* flags,
                             nghttp2_data_source* source,
                             void* user) noexcept {
        return of(user).writer_.read(
            session, *static_cast<Http2Exchange*>(source->ptr), room, *flags);
    }
    static int send_body(nghttp2_session*,
                         nghttp2_frame*,
                         const std::uint8_t* frame_head,
                         std::size_t count,
                         nghttp2_data_source* source,
                         void* user) noexcept {
        const bool sent =
            of(user).send_data(frame_head, count, *static_cast<Http2Exchange*>(source->ptr));
        return sent ? 0 : NGHTTP2_ERR_WOULDBLOCK;
    }
    static ssize_t frame_bytes(nghttp2_session*,
                               std::uint8_t,
                               std::int32_t,
                               std::int32_t session_window,
                               std::int32_t stream_window,
                               std::uint32_t max_frame_bytes,
                               void*) noexcept {
        const auto window = static_cast<std::size_t>(std::min(session_window, stream_window));
        return static_cast<ssize_t>(
            std::min({window, std::size_t{max_frame_bytes}, kMaxSentFrameBytes}));
    }

    static CallbacksPtr make() {
        nghttp2_session_callbacks* made = nullptr;
        LEPTON_CHECK(nghttp2_session_callbacks_new(&made) == 0);
        nghttp2_session_callbacks_set_on_begin_frame_callback(made, begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(made, begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(made, header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame_received);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(made, stream_closed);
        nghttp2_session_callbacks_set_on_frame_send_callback(made, frame_sent);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(made, frame_not_sent);
        nghttp2_session_callbacks_set_send_data_callback(made, send_body);
        nghttp2_session_callbacks_set_data_source_read_length_callback(made, frame_bytes);
        return CallbacksPtr(made);
    }
};

OptionPtr make_options() {
    nghttp2_option* made = nullptr;
    LEPTON_CHECK(nghttp2_option_new(&made) == 0);
    nghttp2_option_set_no_auto_window_update(made, 1);
    nghttp2_option_set_stream_reset_rate_limit(made, kResetBurst, kResetsPerSecond);
    return OptionPtr(made);
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
                void* block = static_cast<BlockCache*>(cache)->take(count * bytes);
                return block == nullptr ? nullptr : std::memset(block, 0, count * bytes);
            },
            [](void* block, std::size_t bytes, void* cache) noexcept {
                return static_cast<BlockCache*>(cache)->resize(block, bytes);
            }};
}

Http2Session::Http2Session(Wire& wire, std::span<const std::byte> received, Clock::time_point now)
    : wire_(wire),
      slow_above_(kHeldBodiesSlow * wire.limits().max_body_bytes),
      max_held_(kHeldBodiesMost * wire.limits().max_body_bytes),
      exchanges_(*this, wire.loop(), wire.pool(), wire.limits().max_streams),
      reader_(*this, wire.limits()),
      writer_(wire.pool(), Callbacks::read_body),
      output_(wire.pool().take(0)),
      begun_at_(now),
      last_data_(now) {
    begin_session();
    receive(received, now);
}

void Http2Session::begin_session() {
    static const CallbacksPtr callbacks = Callbacks::make();
    static const OptionPtr options = make_options();
    nghttp2_mem memory = memory_of(blocks_);
    nghttp2_session* made = nullptr;
    LEPTON_CHECK(
        nghttp2_session_server_new3(&made, callbacks.get(), this, options.get(), &memory) == 0);
    session_.reset(made);
    const Limits& limits = wire_.limits();
    const std::array<nghttp2_settings_entry, 3> settings = {{
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, static_cast<std::uint32_t>(limits.max_streams)},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.max_head_bytes)},
    }};
    LEPTON_CHECK(
        nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, settings.data(), settings.size()) == 0);
    LEPTON_CHECK(
        nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0, kConnectionWindow) == 0);
}

std::span<std::byte> Http2Session::read_space() {
    if (input_.capacity() != next_read_bytes_) input_ = wire_.pool().take(next_read_bytes_);
    return {input_.data(), input_.capacity()};
}

void Http2Session::on_read(std::size_t count, Clock::time_point now) {
    receive({input_.data(), count}, now);
    // A quiet connection holds little memory, one that carries tensors needs few reads.
    if (count == input_.capacity()) {
        next_read_bytes_ = std::min(4 * next_read_bytes_, kLargestRead);
    } else if (count < kSmallestRead) {
        next_read_bytes_ = kSmallestRead;
    }
}

void Http2Session::receive(std::span<const std::byte> bytes, Clock::time_point now) {
    if (closed_ || ended_) return;
    now_ = now;
    entered_ = true;
    const ssize_t taken = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    entered_ = false;
    if (taken < 0) {
        end(taken == NGHTTP2_ERR_BAD_CLIENT_MAGIC ? NGHTTP2_PROTOCOL_ERROR
            : taken == NGHTTP2_ERR_FLOODED        ? NGHTTP2_ENHANCE_YOUR_CALM
                                                  : NGHTTP2_INTERNAL_ERROR);
        return;
    }
    if (answered_now_) {
        settle();
    } else {
        settle_soon();
    }
}

// RFC 9113 section 5.1.1: streams are opened in ascending order, and those left out are closed.
// That nghttp2 ignores, because it does not tell them from streams that it has closed itself.
void Http2Session::check_order(std::int32_t stream_id) {
    if (stream_id > last_stream_) {
        if (stream_id > last_stream_ + 2) skipped_ = {last_stream_ + 2, stream_id};
        last_stream_ = stream_id;
    } else if (stream_id >= skipped_.first && stream_id < skipped_.second) {
        nghttp2_session_terminate_session(session_.get(), NGHTTP2_PROTOCOL_ERROR);
    }
}

void Http2Session::on_begin_head(std::int32_t stream_id) {
    if (exchanges_.size() >= kOrphansPerStream * wire_.limits().max_streams ||
        exchanges_.held_bytes() > max_held_) {
        nghttp2_submit_rst_stream(
            session_.get(), NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_REFUSED_STREAM);
        return;
    }
    nghttp2_session_set_stream_user_data(session_.get(), stream_id, &exchanges_.open(stream_id));
}

void Http2Session::on_frame(const nghttp2_frame& frame) {
    const std::uint8_t type = frame.hd.type;
    if (type == NGHTTP2_SETTINGS) {
        greeted_ = true;
    } else if (type == NGHTTP2_PING) {
        const bool ours = (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
                          std::equal(kDrainPing.begin(), kDrainPing.end(), frame.ping.opaque_data);
        if (!ours || !draining_) return;
        nghttp2_submit_goaway(session_.get(),
                              NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(session_.get()),
                              NGHTTP2_NO_ERROR,
                              nullptr,
                              0);
        end_idle_calls();
    } else if (type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) {
        head_stream_ = 0;
        last_data_ = now_;
        Http2Exchange* exchange = exchange_of(frame.hd.stream_id);
        if (exchange == nullptr) return;
        const bool ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        if (!exchange->head_complete) on_head(*exchange, ends);
        if (ends) reader_.on_end(*exchange);
        exchanges_.recount(*exchange);
    }
}

void Http2Session::on_head(Http2Exchange& exchange, bool ends) {
    reader_.on_head(exchange);
    if (!exchange.head.expects_continue || ends || exchange.ignores_input()) return;
    std::array<std::uint8_t, 7> name = {':', 's', 't', 'a', 't', 'u', 's'};
    std::array<std::uint8_t, 3> value = {'1', '0', '0'};
    const nghttp2_nv status = {name.data(), value.data(), name.size(), value.size(), 0};
    nghttp2_submit_headers(
        session_.get(), NGHTTP2_FLAG_NONE, exchange.stream_id, nullptr, &status, 1, nullptr);
}

void Http2Session::on_data(std::int32_t stream_id, std::span<const std::byte> data) {
    last_data_ = now_;
    owed_credit_ += data.size();
    Http2Exchange* exchange = exchange_of(stream_id);
    if (exchange == nullptr) {
        nghttp2_session_consume_stream(session_.get(), stream_id, data.size());
        return;
    }
    exchange->owed_credit += reader_.on_data(*exchange, data);
    exchanges_.recount(*exchange);
    if (exchanges_.held_bytes() <= slow_above_) {
        open_window(*exchange);
    } else {
        streams_wait_ = true;
    }
}

void Http2Session::deliver(Http2Exchange& exchange) {
    // Whoever keeps the call open is told of its half-close, but owes no reply to that.
    exchange.with_handler = exchange.message.has_body || exchange.on_gone == nullptr;
    if (exchange.with_handler) ++with_handler_;
    exchange.message.received = now_;
    exchange.call.timeline.received = now_;
    wire_.handler().handle(exchange);
}

void Http2Session::on_send(Http2Exchange& exchange) {
    if (std::exchange(exchange.with_handler, false)) --with_handler_;
    if (!exchange.has_stream()) {
        // The client is gone. Whoever keeps calls open has heard of it, and will send the last
        // reply.
        if (exchange.reply.last || exchange.on_gone == nullptr) {
            close_exchange(exchange);
        } else {
            exchange.reply.clear();
        }
        return;
    }
    LEPTON_CHECK(!exchange.answered);
    answer(exchange);
    if (exchange.resetting || exchange.answered) {
        // Nothing more is wanted of it.
    } else if (exchange.outbound.backlog_bytes() > wire_.limits().max_unsent_bytes) {
        reset_stream(exchange, NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (!std::exchange(exchange.resume_queued, true)) {
        resumed_.push_back(&exchange);
    }
    settle_soon();
}

void Http2Session::answer(Http2Exchange& exchange) {
    answered_now_ = true;
    if (!writer_.submit(session_.get(), exchange)) {
        reset_stream(exchange, NGHTTP2_INTERNAL_ERROR);
    } else if (exchange.reply.last || !exchange.message.grpc) {
        exchange.answered = true;
    } else {
        exchange.reply.clear();
    }
    exchanges_.recount(exchange);
}

void Http2Session::refuse(Http2Exchange& exchange, const Refusal& refusal) {
    if (exchange.on_gone != nullptr) {
        // The handler holds the exchange and will hear that the stream is gone.
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

void Http2Session::reset_stream(Http2Exchange& exchange, std::uint32_t code) {
    exchange.resetting = true;
    nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, exchange.stream_id, code);
    exchanges_.recount(exchange);
}

// The last frame of a reply is in output_.
void Http2Session::on_stream_sent(std::int32_t stream_id, Http2Exchange& exchange) {
    nghttp2_session_set_stream_user_data(session_.get(), stream_id, nullptr);
    finished_.push_back(&exchange);
    // RFC 9113 section 8.1: the client may stop sending what nobody will read.
    if (!exchange.request_ended) {
        nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
    }
}

// The stream closed before its reply was complete.
void Http2Session::lose(Http2Exchange& exchange) {
    exchange.stream_id = 0;
    if (std::exchange(exchange.resume_queued, false)) std::erase(resumed_, &exchange);
    exchanges_.recount(exchange);
    if (exchange.answered) {
        close_exchange(exchange);
        return;
    }
    exchange.call.cancelled.store(true, std::memory_order_relaxed);  // See InferCall.
    if (exchange.on_gone != nullptr) {
        exchange.on_gone(exchange);  // May send, and so close it.
    } else if (!exchange.with_handler) {
        close_exchange(exchange);
    }
}

void Http2Session::close_exchange(Http2Exchange& exchange) {
    if (exchange.resume_queued) std::erase(resumed_, &exchange);
    exchanges_.close(exchange);
}

void Http2Session::run() noexcept {
    settle_queued_ = false;
    settle();
}

// Others of this connection's messages may be answered in the same turn, and share the write.
void Http2Session::settle_soon() {
    if (entered_ || closed_) return;
    if (with_handler_ == 0) {
        settle();
    } else if (!std::exchange(settle_queued_, true)) {
        wire_.loop().at_turn_end(*this);
    }
}

void Http2Session::settle() {
    if (entered_ || closed_ || ended_) return;
    entered_ = true;
    bool more = true;
    while (more) {
        answered_now_ = false;
        resume_calls();
        more = refuse_if_stuck();
        give_credit();
        produce();
        more |= finish_written();
        more |= !resumed_.empty();
    }
    entered_ = false;
    end_if_done();
}

void Http2Session::resume_calls() {
    while (!resumed_.empty()) {
        Http2Exchange& exchange = *resumed_.back();
        resumed_.pop_back();
        exchange.resume_queued = false;
        exchange.owed_credit += reader_.resume(exchange);
        exchanges_.recount(exchange);
        streams_wait_ |= exchange.owed_credit > 0;
    }
}

// Too much is held, and nothing but the client could change that: the youngest upload must give
// way.
bool Http2Session::refuse_if_stuck() {
    if (exchanges_.held_bytes() <= max_held_ || exchanges_.incomplete() < exchanges_.size()) {
        return false;
    }
    Http2Exchange* youngest = nullptr;
    exchanges_.for_each([&youngest](Http2Exchange& exchange) {
        if (youngest == nullptr || exchange.stream_id > youngest->stream_id) youngest = &exchange;
    });
    refuse(*youngest,
           {429,
            kGrpcResourceExhausted,
            "connection holds more than the " + std::to_string(max_held_) +
                " bytes allowed for unfinished requests"});
    return true;
}

void Http2Session::open_window(Http2Exchange& exchange) {
    nghttp2_session_consume_stream(
        session_.get(), exchange.stream_id, std::exchange(exchange.owed_credit, 0));
}

void Http2Session::give_credit() {
    if (streams_wait_) {
        streams_wait_ = exchanges_.held_bytes() > slow_above_;
        Http2Exchange* oldest = nullptr;
        exchanges_.for_each([&](Http2Exchange& exchange) {
            if (!exchange.has_stream() || exchange.owed_credit == 0) return;
            if (!streams_wait_) {
                open_window(exchange);
            } else if (oldest == nullptr || exchange.stream_id < oldest->stream_id) {
                oldest = &exchange;
            }
        });
        if (oldest != nullptr) open_window(*oldest);
    }
    if (owed_credit_ == 0 || exchanges_.held_bytes() > max_held_ ||
        wire_.unsent_bytes() > wire_.limits().max_unsent_bytes) {
        return;
    }
    nghttp2_session_consume_connection(session_.get(), std::exchange(owed_credit_, 0));
}

void Http2Session::produce() {
    while (!paused_) {
        const std::uint8_t* frame = nullptr;
        const ssize_t size = nghttp2_session_mem_send(session_.get(), &frame);
        broken_ = size < 0;
        if (size <= 0) break;
        output_.append(view_of(frame, static_cast<std::size_t>(size)));
        if (output_.size() >= kBurstBytes) write_out();
    }
    write_out();
}

void Http2Session::write_out() {
    if (!output_.empty()) wire_.write(output_.bytes());
    output_.clear();
    if (output_.capacity() > kKeptOutputBytes) output_ = wire_.pool().take(0);
    paused_ = wire_.unsent_bytes() > std::min(kWriteAhead, wire_.limits().max_unsent_bytes);
}

bool Http2Session::send_data(const std::uint8_t* frame_head,
                             std::size_t count,
                             Http2Exchange& exchange) {
    constexpr std::size_t kFrameHeadBytes = 9;
    if (paused_) return false;
    output_.append(view_of(frame_head, kFrameHeadBytes));
    const OutboundBody::Pieces pieces = exchange.outbound.take(count);
    output_.append(pieces.first);
    if (pieces.second.size() >= kUncopiedBytes) {
        wire_.write(output_.bytes(), pieces.second);
        output_.clear();
        write_out();
    } else {
        output_.append(pieces.second);
        if (output_.size() >= kBurstBytes) write_out();
    }
    return true;
}

bool Http2Session::finish_written() {
    if (finished_.empty()) return false;
    const Clock::time_point written = Clock::now();
    for (Http2Exchange* exchange : finished_) {
        exchange->call.timeline.written = written;
        if (exchange->call.on_written != nullptr) exchange->call.on_written(exchange->call);
        close_exchange(*exchange);
    }
    finished_.clear();
    return true;
}

void Http2Session::on_writable() {
    paused_ = false;
    settle();
}

Clock::time_point Http2Session::read_deadline() const {
    if (closed_ || ended_) return kNoDeadline;
    if (!greeted_ || head_stream_ != 0) return begun_at_ + wire_.limits().head_timeout;
    // While we keep the client from sending, its silence is our doing.
    if (exchanges_.incomplete() == 0 || owed_credit_ > 0) return kNoDeadline;
    return last_data_ + wire_.limits().body_idle_timeout;
}

void Http2Session::on_timeout() {
    if (closed_ || ended_) return;
    if (!greeted_ || head_stream_ != 0) {
        end(NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    const Refusal refusal = {408,
                             kGrpcDeadlineExceeded,
                             "nothing of the request's body came for " +
                                 std::to_string(wire_.limits().body_idle_timeout.count()) + " ms"};
    exchanges_.for_each([&](Http2Exchange& exchange) {
        if (exchange.incomplete()) refuse(exchange, refusal);
    });
    settle();
}

void Http2Session::on_closed() {
    if (std::exchange(closed_, true)) return;
    exchanges_.for_each([this](Http2Exchange& exchange) {
        if (exchange.has_stream()) lose(exchange);
    });
}

void Http2Session::on_drain() {
    if (closed_ || ended_ || std::exchange(draining_, true)) return;
    // RFC 9113 section 6.8: first a notice, and the real end once the client has seen it.
    nghttp2_submit_shutdown_notice(session_.get());
    nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, kDrainPing.data());
    settle();
}

// Calls that wait for their client, or to tell it something, would keep the connection for ever.
void Http2Session::end_idle_calls() {
    exchanges_.for_each([this](Http2Exchange& exchange) {
        if (!exchange.has_stream() || exchange.ignores_input()) return;
        if (exchange.on_gone != nullptr) {
            exchange.call.cancelled.store(true, std::memory_order_relaxed);  // See InferCall.
            exchange.on_gone(exchange);
        } else if (exchange.message.grpc && !exchange.with_handler && !exchange.incomplete()) {
            refuse(exchange, {503, kGrpcUnavailable, "server is shutting down"});
        }
    });
}

// Says why, and closes. Whatever is open is lost.
void Http2Session::end(std::uint32_t code) {
    nghttp2_session_terminate_session(session_.get(), code);
    settle();
}

void Http2Session::end_if_done() {
    const bool done = broken_ || (nghttp2_session_want_read(session_.get()) == 0 &&
                                  nghttp2_session_want_write(session_.get()) == 0);
    if (!done) return;
    ended_ = true;
    exchanges_.for_each([this](Http2Exchange& exchange) {
        if (exchange.has_stream()) lose(exchange);
    });
    wire_.close_when_sent();
}

}  // namespace

std::unique_ptr<WireSession> make_http2_session(Wire& wire,
                                                std::span<const std::byte> received,
                                                Clock::time_point now) {
    return std::make_unique<Http2Session>(wire, received, now);
}

}  // namespace lepton::net
