#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/event_loop.h"
#include "lepton/memory/buffer.h"
#include "lepton/net/peer.h"

namespace lepton::net {

// Gives the memory of an empty vector or string back where it is more than `keep_bytes`.
template <class Storage>
void shrink_storage(Storage& storage, std::size_t keep_bytes) {
    if (storage.capacity() * sizeof(typename Storage::value_type) > keep_bytes) {
        Storage().swap(storage);
    }
}

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kDelete, kOther };

// Name and value pairs in one growing piece of memory that is reused from message to message. Views
// it gives out are valid until the next add() or clear().
class FieldList {
public:
    // `name` in lower case.
    void add(std::string_view name, std::string_view value);
    // `name` in any case, kept in lower case.
    void add_any_case(std::string_view name, std::string_view value);
    void clear() {
        text_.clear();
        fields_.clear();
    }
    [[nodiscard]] std::size_t size() const { return fields_.size(); }
    [[nodiscard]] std::string_view name(std::size_t i) const {
        return std::string_view(text_).substr(fields_[i].start, fields_[i].name_size);
    }
    [[nodiscard]] std::string_view value(std::size_t i) const {
        return std::string_view(text_).substr(fields_[i].start + fields_[i].name_size,
                                              fields_[i].value_size);
    }
    // Gives memory beyond `keep_bytes` back. Precondition: it is empty.
    void shrink(std::size_t keep_bytes);
    // The first value of that name (lower case); empty when there is none.
    [[nodiscard]] std::string_view find(std::string_view name) const;

private:
    struct Field {
        std::uint32_t start;
        std::uint32_t name_size;
        std::uint32_t value_size;
    };
    std::string text_;
    std::vector<Field> fields_;
};

// What a client sent: an HTTP request (over HTTP/1.1 or HTTP/2), or one message of a gRPC call.
struct Message {
    Method method = Method::kGet;
    bool grpc = false;
    // gRPC only: false when the client closed its side without a (further) message.
    bool has_body = true;
    std::string path;   // The target's path, "/v2/models/digits/infer", not percent-decoded.
    std::string query;  // After '?', without it.
    FieldList fields;   // Header fields or request metadata, names in lower case.
    // Content as sent: for HTTP any Content-Encoding is still on, for gRPC the message itself, its
    // prefix removed and decompressed. Padded as memory::Buffer says.
    memory::Buffer body;
    Clock::time_point begun;     // When its first byte was read.
    Clock::time_point received;  // When its last byte was read.

    // What its timeouts count from: the time that it took to arrive has passed for the client too.
    [[nodiscard]] Clock::time_point arrival() const {
        return begun == Clock::time_point{} ? received : begun;
    }
};

// What to answer, or a part of it that others follow. HTTP: status, content_type, fields, body; of
// further parts the body alone. gRPC: body is one message without its prefix (has_body false:
// none), then, if `last`, trailers with grpc_status, grpc_message and `fields` as trailing
// metadata.
struct Reply {
    int status = 200;
    std::string_view content_type = "application/json";  // Static storage.
    int grpc_status = 0;
    std::string grpc_message;
    bool has_body = true;
    bool last = true;  // False: the handler, which holds the exchange, sends further ones.
    FieldList fields;
    memory::Buffer body;

    void clear();
};

class Exchange;

// What a handler keeps with an exchange beside message and reply. Made by the handler with the
// first message that needs one, owned by the exchange, and reused from message to message. Confined
// to the exchange's loop.
class HandlerState {
public:
    HandlerState() = default;
    HandlerState(const HandlerState&) = delete;
    HandlerState& operator=(const HandlerState&) = delete;
    virtual ~HandlerState() = default;

    // The last reply was handed to the kernel at that time or, where it is the epoch, thrown away.
    // Message and reply are still there, for the last time.
    virtual void on_sent(Clock::time_point when) noexcept { static_cast<void>(when); }
    // The client went away, or nobody will take the reply for another reason: at most once, before
    // on_sent(). The last send() is owed in any case, and may be from within.
    virtual void on_gone() noexcept {}
    // Gives storage beyond `keep_bytes` for each part of it back. Not while a message is at hand.
    virtual void shrink(std::size_t keep_bytes) { static_cast<void>(keep_bytes); }
};

// One message and its reply in flight. The connection owns it, reuses it, and keeps it until the
// reply is sent, also when the client has gone meanwhile. Confined to its loop's thread.
class Exchange {
public:
    Message message;
    Reply reply;
    EventLoop* loop = nullptr;
    // Who sent the message: the connection's, or nobody in particular.
    const Peer* peer = &kNobody;
    // The handler's working memory, kept like everything here until the reply is sent.
    memory::Buffer scratch;
    // Set by a handler that keeps the exchange open by itself between its replies (reply.last ==
    // false), and may send the next one at any time. Its state's on_gone() is called also when the
    // server drains, and when the client takes so little that more than max_unsent_bytes wait.
    bool held = false;
    // Nobody will take the reply. Read without ordering, aside too: a late read costs wasted work.
    std::atomic<bool> client_gone{false};

    // The handler's state for this message: that of the message before if it is of this type, or a
    // new one. From here on until the last reply is sent it hears of the exchange.
    template <class State>
    State& state() {
        const HandlerState* const kept = state_.get();
        if (kept == nullptr || typeid(*kept) != typeid(State)) {
            state_ = std::make_unique<State>(*this);
        }
        if (!told_) told_ = true;  // Set before work goes aside, where this may be asked as well.
        return static_cast<State&>(*state_);
    }

    // Hands `reply` to the connection, which leaves an empty one if it was not the last. Once per
    // reply, the one with `last` set being the end: then the exchange is not the handler's any
    // more.
    virtual void send() = 0;

    // Runs `work` beside the loop, as EventLoop::run_aside() does, and then `then` on it. Until
    // then the exchange is with `work`, all but `reply`, which the connection may need to answer in
    // its place. Not while something of this exchange is aside already.
    using Step = void (*)(Exchange& exchange) noexcept;
    void aside(Step work, Step then);

    // By the connection: the last reply is out at that time, or thrown away (the epoch).
    void sent(Clock::time_point when) {
        if (std::exchange(told_, false)) state_->on_sent(when);
    }
    // By the connection: see HandlerState::on_gone(), which may send. Nothing when told before.
    void gone() {
        if (!client_gone.exchange(true, std::memory_order_relaxed) && told_) state_->on_gone();
    }

    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    virtual ~Exchange() = default;

    // Clears everything but the storage, for the next message.
    void reset();
    // Gives storage beyond `keep_bytes` for each part of it back. Precondition: it was reset.
    void shrink(memory::BufferPool& pool, std::size_t keep_bytes);

private:
    struct Errand final : Task {
        explicit Errand(Exchange& of) : exchange(of) {}
        void run() noexcept override;
        Exchange& exchange;
        Step work = nullptr;  // Null on the way back.
        Step then = nullptr;
    };
    Errand errand_{*this};
    std::unique_ptr<HandlerState> state_;
    bool told_ = false;  // state_ is of the message at hand.
};

// What the messages are for; `protocol` implements it.
class Handler {
public:
    virtual ~Handler() = default;

    // Called on the exchange's loop for each HTTP request whose body is complete, and for each
    // message of a gRPC call as it completes, but not before the reply to the one before was sent.
    // Must lead to send(), now or later, and does not throw.
    virtual void handle(Exchange& exchange) noexcept = 0;
};

}  // namespace lepton::net
