#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "lepton/core/clock.h"
#include "lepton/core/infer_call.h"
#include "lepton/memory/buffer.h"
#include "lepton/net/peer.h"

namespace lepton::net {

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
    std::string path;   // Of the target: "/v2/models/digits/infer", percent-decoding left undone.
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

// What to answer. HTTP: status, content_type, fields, body. gRPC: body is one message without its
// prefix (has_body false: none), then, if `last`, trailers with grpc_status, grpc_message and
// `fields` as trailing metadata.
struct Reply {
    int status = 200;
    std::string_view content_type = "application/json";  // Static storage.
    int grpc_status = 0;
    std::string grpc_message;
    bool has_body = true;
    bool last = true;  // gRPC: false keeps the call open for further replies.
    FieldList fields;
    memory::Buffer body;

    void clear();
};

// What a handler keeps with an exchange beside the message, for as long as the exchange likes.
class HandlerState {
public:
    HandlerState() = default;
    HandlerState(const HandlerState&) = delete;
    HandlerState& operator=(const HandlerState&) = delete;
    virtual ~HandlerState() = default;
};

// One message and its reply in flight. The connection owns it, reuses it, and keeps it until the
// reply is sent, also when the client has gone meanwhile. Confined to its loop's thread.
class Exchange {
public:
    Message message;
    Reply reply;
    // The inference that the message asks for, if it does; call.loop is set, call.cancelled is set
    // when the client goes away.
    InferCall call;
    // Who sent the message: the connection's, or nobody in particular.
    const Peer* peer = &kNobody;
    // The handler's working memory, kept like everything here until the reply is sent.
    memory::Buffer scratch;
    // What work aside makes of a reply, until it is one; null otherwise.
    std::unique_ptr<Reply> draft;
    // The handler's own, null at the start of a message.
    void* handler_state = nullptr;

    // The handler's state for this message: that of the message before if it is of this type, or a
    // new one. It stays until another type is asked for.
    template <class State>
    State& state() {
        if (const HandlerState* kept = state_.get();
            kept == nullptr || typeid(*kept) != typeid(State)) {
            state_ = std::make_unique<State>(*this);
        }
        return static_cast<State&>(*state_);
    }

    // Called when the client goes away while the exchange is open; may be null. For handlers that
    // keep a call open (reply.last == false): the server calls it also when it drains, and the last
    // send() is owed in any case. An inference need only look at call.cancelled.
    void (*on_gone)(Exchange& exchange) noexcept = nullptr;

    // Hands `reply` to the connection; exactly once for HTTP, and for gRPC once per reply, the one
    // with `last` set being the end. After the end the exchange is not the handler's any more.
    virtual void send() = 0;

    // Runs `work` beside the loop, as EventLoop::run_aside() does, and then `then` on it. Until
    // then the exchange is with `work`, all but `reply`, which the connection may need to answer in
    // its place. Not while something of this exchange is aside already.
    using Step = void (*)(Exchange& exchange) noexcept;
    void aside(Step work, Step then);

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
